import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

/**
 * A run costs seven to ten seconds of CPU, and each seed is run twice. All 200 seeds take some half an hour of two
 * cores: `npm run sim -- --mix churn --boxes 100 --hours 24 --loss 5 --phones 20 --seeds 200 --twice`.
 */
const SEEDS = 20;

test(`a hundred boxes for a day with churn and 5 % loss: no invariant is broken, each of ${SEEDS} seeds runs alike twice`, () =>
  requireSeeds({ machine: "peer", mix: "churn", boxes: 100, hours: 24, loss: 5, phones: 20 }, 1, SEEDS));
