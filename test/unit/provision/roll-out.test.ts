import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { instant } from "../../../src/base/time.ts";
import { type BoxUpdate, RollOut, type RollOutEffect, type RollOutInput, UPDATE_OUT_MAX, type Wish } from "../../../src/provision/roll-out.ts";
import { NEW, OLD, RollOutWorld, type World } from "../../support/roll-out-world.ts";

const HOUR = 3_600_000;
const QUIET: Omit<World, "boxes" | "seed"> = { poisoned: 0, deaths: 0, crashes: 0, loss: 0 };
const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);

suite("a roll-out over a ring", () => {
  test("every box comes to the new version, never two of a replica set away at once, also when words are lost and agents end", () => {
    for (const seed of SEEDS) {
      const world = new RollOutWorld({ ...QUIET, boxes: 1 + (seed % 9), seed, loss: (seed % 3) * 0.2, crashes: (seed % 2) * 0.01 });
      world.order();
      world.runFor(2 * HOUR);
      assert(world.done, `seed ${seed}: ${world.machines.map((machine) => `${machine.version} ${world.stage(machine)}`).join(", ")}`);
      assert(world.machines.every((machine) => world.stage(machine) === "kept"));
    }
  });

  test("a version that proves itself nowhere is tried by one box alone, which falls back, and nobody begins after it", () => {
    for (const seed of SEEDS) {
      const world = new RollOutWorld({ ...QUIET, boxes: 2 + (seed % 9), seed, poisoned: 1 });
      world.order();
      world.runFor(2 * HOUR);
      assert.equal(world.fellBack.size, 1, `seed ${seed}`);
      assert(world.machines.every(({ version, good }) => version === OLD && good));
      assert(world.machines.every((machine) => machine.core.own.wish?.stopped !== null), `seed ${seed}: all know that it is stopped`);
      assert.deepEqual(world.beganAfterStop, []);
    }
  });

  test("a version that fails at some boxes stops at the first of them", () => {
    for (const seed of SEEDS) {
      const world = new RollOutWorld({ ...QUIET, boxes: 5, seed, poisoned: 0.3 });
      world.order();
      world.runFor(3 * HOUR);
      assert(world.fellBack.size <= 1, `seed ${seed}: in a ring of five all share replicas`);
      assert.equal(world.fellBack.size === 1, world.stoppedAt !== undefined);
      assert.equal(world.done, world.fellBack.size === 0);
    }
  });

  test("boxes that die meanwhile hold nobody up, but for one that dies while it is away: that stops it", () => {
    for (const seed of SEEDS) {
      const world = new RollOutWorld({ ...QUIET, boxes: 8, seed, deaths: 0.001 });
      world.order();
      world.runFor(3 * HOUR);
      const lostAway = world.machines.some((machine) => !machine.alive && machine.core.own.stage !== "kept" && machine.record?.stage === "starting");
      assert(world.done || world.stoppedAt !== undefined || !world.machines[0]?.alive, `seed ${seed}: ${world.machines.map((machine) => `${machine.alive} ${machine.version} ${world.stage(machine)}`).join(", ")}`);
      if (world.stoppedAt === undefined && lostAway) assert(world.done);
    }
  });

  test("a spare with the old version is brought to that of the ring when it joins", () => {
    const world = new RollOutWorld({ ...QUIET, boxes: 3, seed: 7 });
    world.order();
    world.runFor(HOUR);
    assert(world.done);
    const spare = world.add(OLD);
    world.runFor(HOUR);
    assert.equal(spare.version, NEW);
    assert.equal(world.stage(spare), "kept");
  });
});

const WISH: Wish = { id: "cd".repeat(32), version: "2.0.0", architecture: "arm64", bytes: 10, by: "b".repeat(32), at: 5, stopped: null };
const SLOT = { version: "1.0.0", architecture: "arm64", boot: "one", good: true, floor: "0.0.0" } as const;
const SELF = "a".repeat(32);
const OTHER: BoxUpdate = { wish: WISH, stage: "ready", running: { version: "1.0.0", architecture: "arm64" }, percent: 100, detail: "", has: true };

class One {
  readonly core = new RollOut();
  at = 0;
  readonly begun: readonly RollOutEffect[];
  constructor(start: Partial<Extract<RollOutInput, { type: "begin" }>> = {}) {
    this.begun = this.put({ type: "begin", self: SELF, slot: SLOT, record: undefined, ...start });
    this.at = 60_000; // alone; by now others would have been heard of
    this.put({ type: "ring", self: SELF, others: [] });
  }
  put(input: RollOutInput): readonly RollOutEffect[] {
    return this.core.step(instant(this.at), input);
  }
  get stage(): string {
    return this.core.own.stage;
  }
}

suite("one box in a roll-out", () => {
  test("a machine without slots, another architecture, an older or the same version, or one below the floor: nothing is begun", () => {
    for (const slot of [undefined, { ...SLOT, architecture: "x86-64" } as const, { ...SLOT, version: "2.1.0" }, { ...SLOT, floor: "3.0.0" }]) {
      const one = new One({ slot });
      one.put({ type: "wish", wish: WISH });
      assert.equal(one.stage, "idle");
      assert.equal(one.core.own.wish?.id, WISH.id, "it is told on all the same");
    }
  });

  test("the later wish holds, and a stop is heeded once and for all", () => {
    const one = new One();
    one.put({ type: "wish", wish: WISH });
    one.put({ type: "wish", wish: { ...WISH, id: "ee".repeat(32), at: 4 } });
    assert.equal(one.core.own.wish?.id, WISH.id);
    one.put({ type: "wish", wish: { ...WISH, stopped: { by: SELF, reason: "enough" } } });
    assert.equal(one.stage, "idle");
    one.put({ type: "wish", wish: WISH });
    assert.equal(one.core.own.wish?.stopped?.reason, "enough");
    one.put({ type: "wish", wish: { ...WISH, at: 6 } });
    assert.equal(one.stage, "fetching", "said again later, it begins again");
  });

  test("nothing is written before the running version is marked good", () => {
    const one = new One({ slot: { ...SLOT, good: false } });
    one.put({ type: "wish", wish: WISH });
    one.put({ type: "fetched" });
    assert.equal(one.stage, "ready");
    one.put({ type: "marked-good" });
    assert.equal(one.stage, "asking");
  });

  test("leave that comes after the stop is given back", () => {
    const one = new One();
    one.put({ type: "wish", wish: WISH });
    one.put({ type: "fetched" });
    assert.equal(one.stage, "asking");
    one.put({ type: "wish", wish: { ...WISH, stopped: { by: SELF, reason: "enough" } } });
    assert(one.put({ type: "slot", granted: true, why: "" }).some(({ type }) => type === "give-slot-back"));
  });

  test("what is to be kept is kept before the machine starts anew", () => {
    const one = new One();
    one.put({ type: "wish", wish: WISH });
    one.put({ type: "fetched" });
    one.put({ type: "slot", granted: true, why: "" });
    one.put({ type: "written", fault: undefined });
    const effects = one.put({ type: "drained" });
    assert.deepEqual(effects.map(({ type }) => type).filter((type) => type === "keep" || type === "restart"), ["keep", "restart"]);
    const [kept] = effects;
    assert(kept?.type === "keep" && kept.record.stage === "starting");
    const same = new One({ record: kept.record });
    assert.equal(same.stage, "draining", "the program ended, the machine did not: the restart is ordered again");
    const returned = new One({ slot: { ...SLOT, boot: "two" }, record: kept.record });
    assert.equal(returned.stage, "failed");
    assert(returned.begun.some(({ type }) => type === "give-slot-back"));
    assert.match(returned.core.own.wish?.stopped?.reason ?? "", /2\.0\.0 did not prove itself, and 1\.0\.0 runs again/);
    const up = new One({ slot: { ...SLOT, version: "2.0.0", boot: "two", good: false }, record: kept.record });
    assert.equal(up.stage, "proving");
    up.put({ type: "marked-good" });
    assert.equal(up.stage, "kept");
  });

  test("a write that fails stops the roll-out, with its reason", () => {
    const one = new One();
    one.put({ type: "wish", wish: WISH });
    one.put({ type: "fetched" });
    one.put({ type: "slot", granted: true, why: "" });
    one.put({ type: "written", fault: "the disk cannot be written" });
    assert.equal(one.stage, "failed");
    assert.equal(one.core.own.wish?.stopped?.reason, "the disk cannot be written");
  });

  test("a box that stays away stops it", () => {
    const one = new One();
    one.put({ type: "ring", self: SELF, others: ["c".repeat(32)] });
    one.put({ type: "heard", from: "c".repeat(32), update: { ...OTHER, stage: "starting" } });
    one.at += UPDATE_OUT_MAX + 1;
    one.put({ type: "tick" });
    assert.match(one.core.own.wish?.stopped?.reason ?? "", /did not come back/);
  });

  test("a bundle that is not for it is refused, and not asked for again", () => {
    const one = new One();
    one.put({ type: "wish", wish: WISH });
    one.put({ type: "bundle-refused", reason: "the bundle is for another fleet" });
    assert.equal(one.stage, "failed");
    assert.equal(one.core.own.has, false);
    one.put({ type: "tick" });
    assert.equal(one.stage, "failed");
  });
});
