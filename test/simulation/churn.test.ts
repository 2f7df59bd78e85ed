import { test } from "node:test";
import { requireSeeds, SEEDS } from "./require-seeds.ts";

test(`boxes die, leave, come back and are replaced: an hour of ten boxes with phones, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "peer", mix: "churn", boxes: 10, hours: 1, loss: 5, phones: 12 }, 1, SEEDS));

test(`boxes die, leave, come back and are replaced: an hour of seven overlay cores, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "overlay", mix: "churn", boxes: 7, hours: 1, loss: 5, phones: 0 }, 1_001, SEEDS));
