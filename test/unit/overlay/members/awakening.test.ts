import assert from "node:assert/strict";
import { test } from "node:test";
import { minutes } from "../../../../src/base/time.ts";
import type { StoreOutcome } from "../../../../src/overlay/ports.ts";
import { OverlayWorld, resourceOf, shown, SOFT, text, type WorldBox } from "../../../support/overlay-world.ts";

const NAME = "fenced";
const RESOURCE = resourceOf(NAME);
const acknowledged = (box: WorldBox): number => box.core.snapshot().counters["store-acknowledged"] ?? 0;

/** The responsible peer of NAME was stopped for ten seconds while another box took over and acknowledged something newer. */
function stoppedOwner(boxes: number, seed: number): { world: OverlayWorld; owner: WorldBox; other: WorldBox } {
  const world = OverlayWorld.ring(boxes, seed);
  const owner = world.ownerOf(RESOURCE);
  const other = world.boxes.find((box) => box !== owner) as WorldBox;
  assert.ok(world.storeNow(other, RESOURCE, SOFT, "aa", "old").ok);
  world.stop(owner);
  world.run(9_000);
  assert.ok(world.storeNow(other, RESOURCE, SOFT, "aa", "new").ok, "others have taken over");
  world.run(1_000);
  return { world, owner, other };
}

for (const boxes of [2, 3, 5]) {
  test(`a box of ${boxes} that was stopped for ten seconds reads nothing old, whatever it finds first in its sockets`, () => {
    const { world, owner } = stoppedOwner(boxes, 60 + boxes);
    let read: Record<string, string> | string | undefined;
    world.resume(owner, () => world.fetch(owner, RESOURCE, (outcome) => (read = shown(outcome))));
    assert.equal(read, undefined, "not before the others have confirmed");
    assert.ok(world.until(() => read !== undefined, 6_000));
    assert.deepEqual(read, { aa: "new" });
  });

  test(`a box of ${boxes} that was stopped for ten seconds acknowledges a write only when its members have confirmed its share`, () => {
    const { world, owner, other } = stoppedOwner(boxes, 70 + boxes);
    const before = acknowledged(owner);
    let outcome: StoreOutcome | undefined;
    const change = { key: "bb", value: text("late"), lifetime: minutes(60) };
    world.resume(owner, () => world.store(owner, RESOURCE, SOFT, [change], (told) => (outcome = told)));
    assert.ok(
      world.until(() => {
        const alone = owner.core.locate(RESOURCE).replicas.length < Math.min(boxes, 2);
        assert.ok(!alone || acknowledged(owner) === before, "acknowledged while it took itself for the only one");
        return outcome !== undefined;
      }, 8_000),
    );
    assert.ok(outcome?.ok === true && outcome.copies >= 2, JSON.stringify(outcome));
    world.run(10_000);
    for (const reader of [owner, other]) assert.deepEqual(world.fetchNow(reader, RESOURCE), { aa: "new", bb: "late" });
  });
}

test("without noticing that it slept, the same box reads what is old: the fence is what makes the difference", () => {
  const { world, owner } = stoppedOwner(5, 65);
  let read: Record<string, string> | string | undefined;
  world.resume(owner, () => world.fetch(owner, RESOURCE, (outcome) => (read = shown(outcome))), false);
  assert.deepEqual(read, { aa: "old" });
});

test("a write that was under way when the box was stopped is not acknowledged by it before its share is confirmed", () => {
  const world = OverlayWorld.ring(5, 80);
  const owner = world.ownerOf(RESOURCE);
  let outcome: StoreOutcome | undefined;
  let fenced = 0;
  world.store(owner, RESOURCE, SOFT, [{ key: "aa", value: text("half"), lifetime: minutes(60) }], (told) => (outcome = told));
  world.stop(owner);
  world.run(1_400);
  world.resume(owner, () => {});
  if (outcome === undefined) fenced++;
  assert.equal(fenced, 1);
  assert.ok(world.until(() => outcome !== undefined, 6_000));
  assert.ok(outcome?.ok === true);
});

test("a box that stands alone and slept goes on at once", () => {
  const world = OverlayWorld.ring(1, 81);
  const [box] = world.boxes as [WorldBox];
  world.stop(box);
  world.run(10_000);
  world.resume(box, () => {});
  assert.ok(world.storeNow(box, RESOURCE, SOFT, "aa", "x").ok);
});

test("members that died while a box slept keep it from its share for four seconds and no longer", () => {
  const world = OverlayWorld.ring(3, 82);
  const [sleeper, ...others] = world.boxes as [WorldBox, WorldBox, WorldBox];
  world.stop(sleeper);
  world.run(5_000);
  for (const box of others) world.kill(box);
  world.run(100);
  world.resume(sleeper, () => {});
  const since = world.now;
  const outcome = world.storeNow(sleeper, RESOURCE, SOFT, "aa", "x");
  assert.ok(outcome.ok, JSON.stringify(outcome));
  assert.ok(world.now - since <= 4_200, `${world.now - since} ms`);
});
