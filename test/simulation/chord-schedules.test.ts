// Zave's invariants over a million random schedules of the rules that a box's lists change by.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChordChecker } from "../support/chord-checker.ts";

const SCHEDULES = Number(process.env["RINGBOX_CHORD_SCHEDULES"] ?? 1_000_000);

test("in a million random schedules the invariants hold after every step, and a ring of N is ideal within N rounds", (t) => {
  const checker = new ChordChecker();
  let steps = 0;
  let mostRounds = 0;
  let closest = 0;
  for (let seed = 1; seed <= SCHEDULES; seed++) {
    const verdict = checker.run(seed);
    assert.equal(verdict.violation, undefined, `seed ${seed}, step ${verdict.steps}: ${verdict.violation}`);
    steps += verdict.steps;
    mostRounds = Math.max(mostRounds, verdict.rounds);
    closest = Math.max(closest, verdict.rounds / verdict.members);
  }
  const { joins, deaths, notifications } = checker.happened;
  t.diagnostic(`${SCHEDULES} schedules, ${steps} steps: ${joins} joins, ${deaths} deaths, ${notifications} notifications heard; no violation`);
  t.diagnostic(`rounds until ideal: at most ${mostRounds}, at most ${closest.toFixed(2)} times the number of members`);
  // Schedules in which nothing happens would prove nothing.
  assert.ok(joins > 4 * SCHEDULES && deaths > 1.5 * SCHEDULES && notifications > SCHEDULES);
});
