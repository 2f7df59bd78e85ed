import assert from "node:assert/strict";
import { test } from "node:test";
import { instant } from "../../../src/base/time.ts";
import { HELD_FOR, HeldKey } from "../../../src/cli/console/held-key.ts";

/** Pressed at each of these milliseconds: whether it counts as held. */
const heldAt = (key: HeldKey, times: readonly number[]): boolean[] => times.map((at) => key.press("r", instant(at)) === 0);
/** A keyboard that repeats the key 10 times a second, after a first wait of half a second. */
const repeated = (from: number, until: number): number[] => [from, ...Array.from({ length: (until - from - 400) / 100 }, (_, index) => from + 500 + 100 * index)];

test("a key that is held for 5 seconds counts once, not sooner", () => {
  const times = repeated(1_000, 1_000 + HELD_FOR + 2_000);
  const held = heldAt(new HeldKey("r"), times);
  assert.equal(held.filter(Boolean).length, 1);
  assert.equal(times[held.indexOf(true)], 1_000 + HELD_FOR);
});

test("a key that is let go begins anew", () => {
  assert.ok(!heldAt(new HeldKey("r"), [...repeated(0, 4_900), ...repeated(6_000, 10_900)]).includes(true));
});

test("another key between ends the holding", () => {
  const key = new HeldKey("r");
  heldAt(key, repeated(0, 4_900));
  assert.equal(key.press("l", instant(4_950)), undefined);
  assert.ok(!heldAt(key, [5_000, 5_100]).includes(true));
});

test("what is left of the time can be shown, whatever the shift key does", () => {
  const key = new HeldKey("r");
  assert.equal(key.press("r", instant(0)), HELD_FOR);
  assert.equal(key.press("R", instant(1_000)), HELD_FOR - 1_000);
});
