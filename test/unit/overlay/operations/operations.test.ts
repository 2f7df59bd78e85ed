import assert from "node:assert/strict";
import { test } from "node:test";
import { instant } from "../../../../src/base/time.ts";
import { OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../../support/overlay-world.ts";

/** Bound of `Operations`, and a few. */
const MANY = 65_536 + 4;

test("Fetches for which a box has no room are answered at once", () => {
  const world = OverlayWorld.ring(2, 41);
  const [asker, other] = world.boxes as [WorldBox, WorldBox];
  const resource = ["a", "b", "c", "d", "e", "f"].map(resourceOf).find((id) => asker.core.locate(id).owner === other.id);
  assert.ok(resource !== undefined);
  other.unplugged = true;
  const told = new Set<number>();
  for (let ticket = 1; ticket <= MANY; ticket++) {
    for (const effect of asker.core.step(instant(world.now), { type: "fetch", ticket, resource, kinds: [SOFT.id] })) {
      if (effect.type === "fetched") told.add(effect.ticket);
    }
  }
  assert.equal(told.size, MANY - 65_536, "those for which there was no room");
});
