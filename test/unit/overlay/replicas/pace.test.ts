import assert from "node:assert/strict";
import { test } from "node:test";
import { instant } from "../../../../src/base/time.ts";
import { Pace } from "../../../../src/overlay/replicas/pace.ts";

/** So many windows one after another, each answered after so many milliseconds. */
function windows(pace: Pace, count: number, took: number, from = 0): number {
  let at = from;
  for (let round = 0; round < count; round++) {
    const under = pace.window;
    for (let one = 0; one < under; one++) pace.answered(instant(at), instant(at + took));
    at += took + 1;
  }
  return at;
}

test("as long as the answers are quick, one more is under way after each window, up to a most", () => {
  const pace = new Pace();
  const first = pace.window;
  windows(pace, 6, 3);
  assert.ok(pace.window >= first + 5, `${pace.window}`);
  windows(pace, 200, 3);
  assert.equal(pace.window, 16);
});

test("slow answers halve what is under way, once for all that were sent together, and never to nothing", () => {
  const pace = new Pace();
  const now = windows(pace, 200, 3);
  const after = windows(pace, 1, 60, now);
  assert.equal(pace.window, 8);
  windows(pace, 20, 60, after);
  assert.equal(pace.window, 2);
});

test("it comes back when the answers are quick again", () => {
  const pace = new Pace();
  const now = windows(pace, 20, 60, windows(pace, 50, 3));
  windows(pace, 100, 3, now);
  assert.equal(pace.window, 16);
});
