import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { BoundedMap } from "../../../src/base/bounded-map.ts";

test("at the bound the entry that was inserted first goes, whatever was deleted and inserted again before", () => {
  const steps = fc.array(fc.record({ key: fc.nat(9), remove: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (all) => {
      const bounded = new BoundedMap<number, number>(4, "evict");
      const model = new Map<number, number>();
      for (const [at, { key, remove }] of all.entries()) {
        if (remove) {
          assert.equal(bounded.delete(key), model.delete(key));
          continue;
        }
        if (model.size === 4 && !model.has(key)) model.delete([...model.keys()][0] ?? -1);
        model.set(key, at);
        bounded.set(key, at);
        assert.deepEqual([...bounded], [...model]);
      }
    }),
  );
});

test("taking the oldest empties a map in the order of insertion, and begins anew when it is filled again", () => {
  const map = new BoundedMap<string, true>(3, "refuse");
  for (const key of ["b", "a"]) map.set(key, true);
  assert.deepEqual([map.takeOldest(), map.takeOldest(), map.takeOldest()], ["b", "a", undefined]);
  map.set("c", true);
  assert.equal(map.takeOldest(), "c");
});
