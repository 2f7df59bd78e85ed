import { test } from "node:test";
import { requireSeeds } from "./require-seeds.ts";

/** A run costs five to seven seconds of CPU, and each seed is run twice. All 200 take 16 to 24 minutes of two processors: `npm run soak -- hundred`. */
const SEEDS = Number(process.env["RINGBOX_HUNDRED_SEEDS"] ?? 10);

test(`a hundred boxes for a day with churn and 5 % loss: no invariant is broken, each of ${SEEDS} seeds runs alike twice`, () =>
  requireSeeds({ machine: "peer", mix: "churn", boxes: 100, hours: 24, loss: 5, phones: 20 }, 1, SEEDS));
