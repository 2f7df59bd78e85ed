// Boxes that start together with one fleet ticket and nobody there: always one ring in the end.

import assert from "node:assert/strict";
import { suite, test, type TestContext } from "node:test";
import { type FirstStart, firstStart, type FirstStartOutcome } from "../support/first-start.ts";

function runAll(t: TestContext, seeds: number, settings: Omit<FirstStart, "seed">): readonly FirstStartOutcome[] {
  const outcomes: FirstStartOutcome[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = firstStart({ ...settings, seed });
    assert.notEqual(outcome.oneRingAt, undefined, `seed ${seed}: not one ring after two minutes (${outcome.founders} founded)`);
    outcomes.push(outcome);
  }
  const waits = outcomes.map(({ oneRingAt = 0, lastStartAt }) => (oneRingAt - lastStartAt) / 1_000).sort((a, b) => a - b);
  const apart = outcomes.filter(({ founders }) => founders > 1).length;
  const at = (share: number): string => (waits[Math.floor((waits.length - 1) * share)] ?? 0).toFixed(1);
  t.diagnostic(`${seeds} starts of ${settings.boxes}: one ring each; ${apart} founded apart and united; after the last start ${at(0.5)} s (half), ${at(1)} s (all)`);
  return outcomes;
}

suite("boxes that start together with one fleet ticket", { timeout: 900_000 }, () => {
  for (const [what, settings] of Object.entries<Omit<FirstStart, "seed" | "boxes">>({
    "at random moments within ten seconds": { spread: 10_000, multicastLoss: 0, hints: false },
    "within a tenth of a second": { spread: 100, multicastLoss: 0, hints: false },
    "with multicast of which a third is lost": { spread: 3_000, multicastLoss: 0.33, hints: false },
    "without multicast, knowing one another's addresses": { spread: 3_000, multicastLoss: 1, hints: true },
  })) {
    test(`two, 200 times, ${what}, are one ring in the end`, (t) => {
      runAll(t, 200, { boxes: 2, ...settings });
    });
  }

  test("two that hear one another found one fleet and not two", (t) => {
    const outcomes = runAll(t, 200, { boxes: 2, spread: 5_000, multicastLoss: 0, hints: false });
    assert.ok(outcomes.every(({ founders }) => founders === 1));
  });

  test("twelve, 10 times, are one ring in the end", (t) => {
    runAll(t, 10, { boxes: 12, spread: 3_000, multicastLoss: 0.1, hints: false });
  });
});
