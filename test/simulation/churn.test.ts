import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

test("boxes die, leave, come back and are replaced: an hour of ten boxes with phones, 30 seeds", () =>
  requireSeeds({ machine: "peer", mix: "churn", boxes: 10, hours: 1, loss: 5, phones: 12 }, 1, 30));

test("boxes die, leave, come back and are replaced: an hour of seven overlay cores, 30 seeds", () =>
  requireSeeds({ machine: "overlay", mix: "churn", boxes: 7, hours: 1, loss: 5, phones: 0 }, 1_001, 30));
