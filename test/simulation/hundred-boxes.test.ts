import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

test("a hundred boxes for a day with churn and 5 % loss: no invariant is broken, each of 200 seeds runs alike twice", () =>
  requireSeeds({ machine: "peer", mix: "churn", boxes: 100, hours: 24, loss: 5, phones: 50 }, 1, 200));
