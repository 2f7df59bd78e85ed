import assert from "node:assert/strict";
import { test } from "node:test";
import { OverlayWorld } from "../../../support/overlay-world.ts";

/** Boxes whose lists are not what the ring is: none, if all is well. */
function wrong(world: OverlayWorld): readonly string[] {
  const ids = world.serving().map(({ id }) => id).sort();
  return world.serving().flatMap(({ id, core }) => {
    const at = ids.indexOf(id);
    const behind = (offset: number) => ids[(at + offset + ids.length) % ids.length];
    const ideal = [behind(-1), behind(1), behind(2), behind(3)];
    const lists = core.chordLists;
    const found = lists === undefined ? [] : [lists.predecessor, ...lists.successors];
    return found.join() === ideal.join() ? [] : [`${id}: ${found.map((one) => one.slice(0, 4)).join()} instead of ${ideal.map((one) => one?.slice(0, 4)).join()}`];
  });
}
const settles = (world: OverlayWorld, ms = 60_000): void => {
  assert.ok(world.until(() => wrong(world).length === 0, ms), wrong(world).join("\n"));
};

test("from four boxes on every box has the successor list and predecessor that the ring has", () => {
  const world = OverlayWorld.ring(3, 5);
  assert.ok(world.serving().every(({ core }) => core.chordLists === undefined));
  for (let count = 4; count <= 12; count++) {
    world.add();
    assert.ok(world.until(() => world.serving().length === count, 20_000));
    settles(world);
  }
});

test("lists mend by the rules after deaths, also of two neighbors at once", () => {
  const world = OverlayWorld.ring(12, 6);
  settles(world);
  const [first, second] = world.boxes.find(({ id }) => id === world.boxes[0]?.core.chordLists?.successors[0])?.core.chordLists?.successors ?? [];
  for (const box of [world.box(first), world.box(second)]) world.kill(box);
  settles(world);
});

test("boxes that come and go at once leave lists that are in order", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const world = OverlayWorld.ring(8, seed);
    for (let turn = 0; turn < 6; turn++) {
      const boxes = world.serving();
      const gone = boxes[world.random.below(boxes.length)];
      if (gone !== undefined) world.kill(gone);
      world.add({ hints: world.serving().slice(0, 2) });
      world.add({ hints: world.serving().slice(-2) });
      world.run(world.random.below(4_000));
    }
    assert.ok(world.until(() => world.serving().length === world.boxes.filter(({ alive }) => alive).length, 60_000));
    settles(world);
  }
});

test("two halves of a cut have the lists of one ring when they have met again", () => {
  const world = OverlayWorld.ring(10, 9);
  world.partition(world.boxes.slice(0, 5));
  world.run(30_000);
  world.heal();
  assert.ok(world.until(() => world.serving().every(({ core }) => core.snapshot().members.filter(({ state }) => state === "serving").length === 9), 120_000));
  settles(world);
});

test("lists give way to the view where a ring is too small for the rules", () => {
  const world = OverlayWorld.ring(5, 3);
  settles(world);
  for (const box of world.serving().slice(0, 2)) world.kill(box);
  assert.ok(world.until(() => world.serving().every(({ core }) => core.chordLists === undefined), 60_000));
});
