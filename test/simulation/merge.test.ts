import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateMerge } from "./merge.ts";

const SEEDS = Number(process.env["RINGBOX_MERGES"] ?? 6);
const TWO_MONTHS = 60 * 86_400_000;

test(`five boxes cut 3|2 for ten minutes, then shuffled through twenty cuts, with writes on all sides, half of them with wall clocks that jump: ${SEEDS} seeds`, () => {
  const figures = { acknowledged: 0, conflicts: 0, ring: 0, equal: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = simulateMerge({ seed, boxes: 5, cuts: 20, loss: 0.02, clockJump: seed % 2 === 0 ? TWO_MONTHS : 0 });
    figures.acknowledged += outcome.acknowledged;
    figures.conflicts += outcome.conflicts;
    figures.ring = Math.max(figures.ring, outcome.ringSeconds);
    figures.equal = Math.max(figures.equal, outcome.equalSeconds);
    assert.ok(outcome.conflicts > 0 && outcome.settled > 0 && outcome.registrations > 50, JSON.stringify(outcome));
  }
  const { acknowledged, conflicts, ring, equal } = figures;
  console.log(`${SEEDS * 21} heals, ${acknowledged} changes acknowledged, none lost or undone, ${conflicts} times a conflict shown; one ring after at most ${ring} s, equal copies after at most ${equal} s`);
});
