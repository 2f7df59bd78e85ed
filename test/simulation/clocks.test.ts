import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

test("wall clocks are wrong by minutes and jump: an hour of eight boxes with phones, 30 seeds", () =>
  requireSeeds({ machine: "peer", mix: "clocks", boxes: 8, hours: 1, loss: 5, phones: 12 }, 1, 30));
