import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

test("processes stand still for up to 20 seconds and go on: an hour of seven overlay cores, 5 seeds", () =>
  requireSeeds({ machine: "overlay", mix: "sleep", boxes: 7, hours: 1, loss: 5, phones: 0 }, 2_001, 5));
