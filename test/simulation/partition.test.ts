import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

test("the network is cut in two and heals: an hour of ten boxes with phones, 30 seeds", () =>
  requireSeeds({ machine: "peer", mix: "partition", boxes: 10, hours: 1, loss: 5, phones: 12 }, 1, 30));

test("the network is cut in two and heals: an hour of seven overlay cores, 30 seeds", () =>
  requireSeeds({ machine: "overlay", mix: "partition", boxes: 7, hours: 1, loss: 5, phones: 0 }, 1_001, 30));
