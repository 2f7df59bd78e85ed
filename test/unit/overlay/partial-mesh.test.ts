// Where two boxes cannot reach each other, but both reach a third: everything goes through it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DURABLE, OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../support/overlay-world.ts";

/** A ring whose members `a` and `b` have no link with each other, and get none. */
function cutBetween(world: OverlayWorld, a: WorldBox, b: WorldBox): void {
  world.cut = (one, other) => [one, other].includes(a) && [one, other].includes(b);
  for (const link of [...world.links]) if (link.ends.includes(a) && link.ends.includes(b)) world.closeLink(link);
  world.run(15_000);
  assert.ok(!world.links.some(({ ends }) => ends.includes(a) && ends.includes(b)), "no link between them");
}
const nameOf = (world: OverlayWorld, owner: WorldBox): string => {
  for (let i = 0; ; i++) if (world.ownerOf(resourceOf(`name ${i}`)) === owner) return `name ${i}`;
};

test("a box stores and fetches at one that it reaches only through another, soft and durable", () => {
  const world = OverlayWorld.ring(3, 81);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  cutBetween(world, a, b);
  for (const [writer, owner] of [[a, b], [b, a]] as const) {
    const resource = resourceOf(nameOf(world, owner));
    assert.deepEqual(world.storeNow(writer, resource, SOFT, "aa", "soft").ok, true);
    assert.deepEqual(world.storeNow(writer, resource, DURABLE, "", "durable").ok, true);
    for (const reader of [a, b, c]) {
      assert.deepEqual(world.fetchNow(reader, resource), { aa: "soft" });
      assert.deepEqual(world.fetchNow(reader, resource, DURABLE), { "": "durable" });
    }
  }
  assert.ok((c.core.snapshot().counters["message-forwarded"] ?? 0) > 0);
  for (const box of world.boxes) assert.equal(box.core.snapshot().members.filter(({ state }) => state === "serving").length, 2, box.id);
});

test("a newcomer that reaches only one of three boxes joins, and holds its share", () => {
  const world = OverlayWorld.ring(3, 82);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  for (let i = 0; i < 30; i++) assert.ok(world.storeNow(a, resourceOf(`u${i}`), SOFT, "aa", `v${i}`).ok);
  const known = new Set([a, b]);
  world.cut = (one, other) => (known.has(one) && !world.boxes.slice(0, 3).includes(other)) || (known.has(other) && !world.boxes.slice(0, 3).includes(one));
  const newcomer = world.add({ hints: [c] });
  assert.ok(world.until(() => newcomer.core.phase === "serving", 60_000));
  world.run(40_000);
  for (let i = 0; i < 30; i++) for (const reader of world.boxes) assert.deepEqual(world.fetchNow(reader, resourceOf(`u${i}`)), { aa: `v${i}` }, `u${i}`);
  const mine = nameOf(world, newcomer);
  assert.ok(world.storeNow(a, resourceOf(mine), SOFT, "bb", "new").ok);
  assert.equal(world.fetchNow(b, resourceOf(mine)) instanceof Object, true);
});

test("when the box between two goes, its place is taken by another that reaches both", () => {
  const world = OverlayWorld.ring(4, 83);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  cutBetween(world, a, b);
  const name = nameOf(world, b);
  assert.ok(world.storeNow(a, resourceOf(name), SOFT, "aa", "before").ok);
  world.kill(c);
  world.run(10_000);
  assert.ok(world.storeNow(a, resourceOf(name), SOFT, "aa", "after").ok);
  for (const reader of world.serving()) assert.deepEqual(world.fetchNow(reader, resourceOf(name)), { aa: "after" });
});
