import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { inArc, RingView } from "../../../src/overlay/ring/ring.ts";

const place = fc.nat(31).map((number) => number.toString(16).padStart(32, "0") as NodeId);

test("the pieces of an arc cover it, each place once, and each has the holders of its places", () => {
  fc.assert(
    fc.property(fc.uniqueArray(place, { minLength: 1, maxLength: 8 }), place, place, (ids, after, upTo) => {
      const view = new RingView(ids, () => "");
      const pieces = view.placementsIn({ after, upTo });
      for (let number = 0; number < 32; number++) {
        const at = number.toString(16).padStart(32, "0") as NodeId;
        const found = pieces.filter(({ arc }) => inArc(arc, at));
        assert.equal(found.length, inArc({ after, upTo }, at) ? 1 : 0);
        for (const { holders } of found) assert.deepEqual(holders, view.holders(at));
      }
    }),
  );
});
