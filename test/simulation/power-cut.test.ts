import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

test("power fails, of one box, of two at once, of all: an hour of ten boxes with phones, 30 seeds", () =>
  requireSeeds({ machine: "peer", mix: "power-cut", boxes: 10, hours: 1, loss: 5, phones: 12 }, 1, 30));

test("power fails, of one box, of two at once, of all: an hour of seven overlay cores, 30 seeds", () =>
  requireSeeds({ machine: "overlay", mix: "power-cut", boxes: 7, hours: 1, loss: 5, phones: 0 }, 1_001, 30));
