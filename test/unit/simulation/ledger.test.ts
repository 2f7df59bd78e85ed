import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ledger } from "../../simulation/ledger.ts";
import { InvariantBroken } from "../../support/world.ts";

const never = (): boolean => false;

describe("the ledger", () => {
  test("takes the acknowledged value and nothing older", () => {
    const ledger = new Ledger();
    ledger.acknowledged("k", ledger.attempted("k", "a", 0));
    ledger.acknowledged("k", ledger.attempted("k", "b", 200_000));
    ledger.read("k", "b", 200_001, 0, never);
    assert.throws(() => ledger.read("k", "a", 200_001, 0, never), InvariantBroken);
    assert.throws(() => ledger.read("k", undefined, 200_001, 0, never), InvariantBroken);
  });

  test("takes either value after a write of unknown fate, and from the first reading on only that", () => {
    const ledger = new Ledger();
    ledger.acknowledged("k", ledger.attempted("k", "a", 0));
    ledger.attempted("k", "b", 200_000);
    ledger.read("k", "a", 200_001, 0, never);
    ledger.read("k", "b", 200_002, 0, never);
    assert.throws(() => ledger.read("k", "a", 200_003, 0, never), InvariantBroken);
  });

  test("takes a value that nobody wrote for a broken ring", () => {
    assert.throws(() => new Ledger().read("k", "x", 0, 0, never), InvariantBroken);
  });

  test("knows when a value has to be gone, and when it may be", () => {
    const ledger = new Ledger();
    ledger.acknowledged("k", ledger.attempted("k", "a", 0, 1_000));
    ledger.read("k", "a", 1_050, 100, never);
    ledger.read("k", undefined, 950, 100, never);
    assert.throws(() => ledger.read("k", "a", 1_200, 100, never), InvariantBroken);
    assert.throws(() => ledger.read("k", undefined, 800, 100, never), InvariantBroken);
  });

  test("lets a value that is the truth again end when it would have ended", () => {
    const ledger = new Ledger();
    ledger.acknowledged("k", ledger.attempted("k", "a", 0, 1_000));
    ledger.acknowledged("k", ledger.attempted("k", "b", 500, 200_000));
    ledger.read("k", "a", 600, 0, () => true);
    ledger.read("k", undefined, 1_001, 0, never);
    assert.throws(() => ledger.read("k", "a", 1_001, 0, never), InvariantBroken);
  });

  test("excuses the loss of what the promise does not cover", () => {
    const ledger = new Ledger();
    ledger.acknowledged("k", ledger.attempted("k", "a", 5));
    ledger.read("k", undefined, 10, 0, (at) => at === 5);
  });
});
