import assert from "node:assert/strict";
import { test } from "node:test";
import { DURABLE, OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../support/overlay-world.ts";

const YEARS_56 = 1_800_000_000_000;
const DAYS_60 = 60 * 86_400_000;

/** Every box writes and every box reads what the last one wrote, at enough places that all are owners. */
function allWriteAndRead(world: OverlayWorld, prefix: string): void {
  for (const writer of world.boxes) {
    for (let place = 0; place < 8; place++) {
      const resource = resourceOf(`${prefix} ${place}`);
      const outcome = world.storeNow(writer, resource, SOFT, "aa", writer.id);
      assert.ok(outcome.ok, `${prefix} ${place} of ${writer.id}: ${JSON.stringify(outcome)}`);
      for (const reader of world.boxes) assert.deepEqual(world.fetchNow(reader, resource), { aa: writer.id });
    }
  }
}

const together = (world: OverlayWorld): boolean =>
  world.serving().length === world.boxes.length &&
  world.serving().every(({ core }) => core.snapshot().members.filter(({ state }) => state === "serving").length === world.boxes.length - 1);

for (const count of [1, 2]) {
  test(`a box that joined ${count} with a clock in 1970 goes on when its clock is set`, () => {
    const world = OverlayWorld.ring(count, 31);
    const clock = { clockError: -YEARS_56 };
    world.add(clock);
    assert.ok(world.until(() => together(world), 10_000));
    allWriteAndRead(world, "before");
    clock.clockError = 0;
    world.run(1_000);
    allWriteAndRead(world, "after");
  });
}

test("of two boxes one clock is set forward by two months: soon both write again", () => {
  const world = new OverlayWorld(32);
  const clock = { clockError: 0 };
  world.add(clock);
  world.run(5_000);
  world.add();
  assert.ok(world.until(() => together(world), 10_000));
  clock.clockError = DAYS_60;
  world.run(90_000);
  allWriteAndRead(world, "after");
});

test("of two boxes one clock is set back by two months: both go on", () => {
  const world = new OverlayWorld(33);
  const clock = { clockError: 0 };
  world.add(clock);
  world.run(5_000);
  world.add();
  assert.ok(world.until(() => together(world), 10_000));
  allWriteAndRead(world, "before");
  clock.clockError = -DAYS_60;
  world.run(90_000);
  allWriteAndRead(world, "after");
});

test("a box that wrote while its clock was months ahead writes again when it is right", () => {
  const world = OverlayWorld.ring(2, 34);
  const clock = { clockError: 0 };
  const odd = world.add(clock);
  assert.ok(world.until(() => together(world), 10_000));
  clock.clockError = DAYS_60;
  for (let place = 0; place < 8; place++) world.storeNow(odd, resourceOf(`ahead ${place}`), SOFT, "aa", "ahead");
  clock.clockError = 0;
  world.run(90_000);
  allWriteAndRead(world, "after");
});

test("what the responsible peer takes for expired is not acknowledged, however its clock is", () => {
  const world = OverlayWorld.ring(1, 36);
  const clock = { clockError: 0 };
  const fast = world.add(clock);
  assert.ok(world.until(() => together(world), 10_000));
  const writer = world.boxes[0] as WorldBox;
  clock.clockError = 3 * 3_600_000;
  for (let place = 0; place < 6; place++) {
    const resource = resourceOf(`short ${place}`);
    const outcome = world.storeNow(writer, resource, SOFT, "aa", "here");
    if (outcome.ok) assert.deepEqual(world.fetchNow(fast, resource), { aa: "here" });
  }
});

test("what a box alone stored while its clock was in 2099 reaches a newcomer when the clock is right, and can be replaced", () => {
  const world = new OverlayWorld(51);
  const clock = { clockError: 2_200_000_000_000 };
  const founder = world.add(clock);
  world.run(8_000);
  for (let place = 0; place < 5; place++) assert.ok(world.storeNow(founder, resourceOf(`s${place}`), DURABLE, "", "old").ok);
  clock.clockError = 0;
  world.run(5_000);
  const newcomer = world.add();
  assert.ok(world.until(() => together(world), 10_000));
  world.run(90_000);
  assert.equal(newcomer.core.snapshot().held, 5);
  for (let place = 0; place < 5; place++) assert.ok(world.storeNow(newcomer, resourceOf(`s${place}`), DURABLE, "", "new").ok);
  world.run(40_000);
  assert.equal(founder.core.snapshot().arc?.inSync, true);
});

const TEN_YEARS = 10 * 365 * 86_400_000;

test("a box ten years ahead writes, in the ring, cut off from it, and alone: later writes of the others win", () => {
  const world = OverlayWorld.ring(2, 52);
  const honest = world.boxes[0] as WorldBox;
  const clock = { clockError: TEN_YEARS };
  const ahead = world.add(clock);
  assert.ok(world.until(() => together(world), 10_000));
  const written = (place: number, value: string, by: WorldBox): void => {
    assert.ok(world.storeNow(by, resourceOf(`ten ${place}`), SOFT, "aa", value).ok, `${value} ${place}`);
  };
  for (let place = 0; place < 6; place++) written(place, "ahead", ahead);
  for (let place = 0; place < 3; place++) written(place, "later", honest);
  world.partition([ahead]);
  world.run(10_000);
  for (let place = 3; place < 6; place++) written(place, "ahead and alone", ahead);
  world.run(1_000);
  for (let place = 3; place < 6; place++) written(place, "later", honest);
  world.heal();
  assert.ok(world.until(() => together(world), 60_000));
  world.run(60_000);
  for (const reader of world.boxes) {
    for (let place = 0; place < 6; place++) assert.deepEqual(world.fetchNow(reader, resourceOf(`ten ${place}`)), { aa: "later" }, `${place} at ${reader.id}`);
  }
});

test("a box that was ten years ahead while nobody heard it takes no part of the future with it", () => {
  const world = new OverlayWorld(53);
  const clock = { clockError: TEN_YEARS };
  const ahead = world.add(clock);
  world.run(8_000);
  for (let place = 0; place < 5; place++) assert.ok(world.storeNow(ahead, resourceOf(`alone ${place}`), SOFT, "aa", "ahead").ok);
  clock.clockError = 0;
  world.add();
  const newcomer = world.add();
  assert.ok(world.until(() => together(world), 20_000));
  world.run(90_000);
  for (let place = 0; place < 5; place++) {
    assert.ok(world.storeNow(newcomer, resourceOf(`alone ${place}`), SOFT, "aa", "later").ok);
    for (const reader of world.boxes) assert.deepEqual(world.fetchNow(reader, resourceOf(`alone ${place}`)), { aa: "later" });
  }
});
