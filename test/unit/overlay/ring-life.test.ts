import assert from "node:assert/strict";
import { test } from "node:test";
import { OverlayWorld, resourceOf } from "../../support/overlay-world.ts";
import { SOFT } from "../../support/overlay-world.ts";

test("a box that may stand alone serves alone and says there is one copy", () => {
  const world = new OverlayWorld();
  const box = world.add({ mayStandAlone: true });
  assert.ok(world.until(() => box.core.phase === "serving", 10_000));
  assert.deepEqual(world.storeNow(box, resourceOf("alice"), SOFT, "aa", "here"), { ok: true, copies: 1, generation: 1 });
  assert.deepEqual(world.fetchNow(box, resourceOf("alice")), { aa: "here" });
  assert.equal(box.core.snapshot().copies, 1);
});

for (const count of [2, 3, 5]) {
  test(`${count} boxes that join one after another are one ring and read each other's writes`, () => {
    const world = OverlayWorld.ring(count);
    assert.equal(world.serving().length, count);
    world.boxes.forEach((box, index) => {
      const name = `user${index}`;
      const outcome = world.storeNow(box, resourceOf(name), SOFT, "aa", name);
      assert.ok(outcome.ok && outcome.copies >= 2, JSON.stringify(outcome));
      for (const reader of world.boxes) assert.deepEqual(world.fetchNow(reader, resourceOf(name)), { aa: name });
    });
  });
}
