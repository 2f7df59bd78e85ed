import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backing, placeOf } from "../../../src/health/backing.ts";
import { RingView } from "../../../src/overlay/ring/ring.ts";
import type { NodeId } from "../../../src/overlay/ports.ts";

const hex = fc.stringMatching(/^[0-9a-f]{32}$/);

test("the picture says of each box's share that it is kept where the ring keeps it", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.record({ nodeId: hex, zone: fc.constantFrom("", "a", "b") }), { selector: ({ nodeId }) => nodeId, minLength: 1, maxLength: 9 }), (boxes) => {
      const zones = new Map(boxes.map(({ nodeId, zone }) => [nodeId, zone]));
      const ring = new RingView(boxes.map(({ nodeId }) => nodeId as NodeId), (id) => zones.get(id) ?? "");
      for (const [nodeId, others] of backing(boxes)) assert.deepEqual([nodeId, ...others], [...ring.holders(nodeId as NodeId)]);
    }),
  );
});

test("a place on the ring goes from 0 to 1", () => {
  assert.deepEqual(["0", "8", "4"].map((digit) => placeOf(digit.padEnd(32, "0"))), [0, 0.5, 0.25]);
});
