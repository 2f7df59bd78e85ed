import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toHex } from "../../../../src/base/bytes.ts";
import {
  ALL_OF,
  APPEND,
  type DataModel,
  decodeSelection,
  decodeStoredData,
  encodeSelection,
  encodeStoredData,
  encodeUnsignedStoredData,
  peekStorageTime,
  type StoredData,
  signStoredData,
  verifyStoredData,
} from "../../../../src/overlay/wire/stored-data.ts";
import { nodeCrypto } from "../../../support/node-crypto.ts";
import { resourceId, storedData } from "../../../support/reload-arbitraries.ts";
import { ALICE, BINDING, EDGE_BINDING, PUBLIC_KEY, resourceId as resource, signerWith } from "../../../conformance/overlay-wire/own-messages.ts";

const crypto = nodeCrypto();
const signer = signerWith(PUBLIC_KEY);

function decoded(bytes: Uint8Array, model: DataModel): StoredData {
  const result = decodeStoredData(bytes, model);
  assert.ok(result.ok, result.ok ? "" : result.fault.reason);
  return result.value;
}

test("a stored value decodes to what was encoded, and its storage time can be peeked at", () => {
  fc.assert(
    fc.property(storedData, (stored) => {
      const bytes = encodeStoredData(stored);
      assert.deepEqual(decoded(bytes, stored.place.model), stored);
      assert.equal(peekStorageTime(bytes), stored.storageTime);
    }),
  );
});

test("damaged values never throw, and what is accepted is the same bytes again", () => {
  const models = fc.constantFrom<DataModel>("single", "array", "dictionary");
  fc.assert(
    fc.property(storedData, models, fc.nat(80), fc.nat(255), (stored, model, at, value) => {
      const bytes = encodeStoredData(stored);
      if (at < bytes.length) bytes[at] = value;
      const result = decodeStoredData(bytes, model);
      if (result.ok) assert.equal(toHex(encodeStoredData(result.value)), toHex(bytes));
    }),
    { numRuns: 500 },
  );
});

test("a signed value verifies for its resource and kind only", () => {
  fc.assert(
    fc.property(resourceId, (other) => {
      const stored = decoded(signStoredData(ALICE, EDGE_BINDING, BINDING, signer), "dictionary");
      assert.ok(verifyStoredData(ALICE, EDGE_BINDING, stored, [PUBLIC_KEY], crypto));
      assert.equal(verifyStoredData(other, EDGE_BINDING, stored, [PUBLIC_KEY], crypto), other === ALICE);
      assert.ok(!verifyStoredData(ALICE, EDGE_BINDING + 1, stored, [PUBLIC_KEY], crypto));
    }),
    { numRuns: 5 },
  );
});

test("a signature covers value, key, existence and storage time, but not the lifetime", () => {
  const stored = decoded(signStoredData(ALICE, EDGE_BINDING, BINDING, signer), "dictionary");
  const verifies = (change: Partial<StoredData>): boolean =>
    verifyStoredData(ALICE, EDGE_BINDING, { ...stored, ...change }, [PUBLIC_KEY], crypto);
  assert.ok(verifies({ lifetime: 1 }));
  assert.ok(!verifies({ exists: false }));
  assert.ok(!verifies({ value: new Uint8Array(3) }));
  assert.ok(!verifies({ storageTime: 1 as never }));
  assert.ok(!verifies({ place: { model: "dictionary", key: "00" } }));
});

test("an array entry keeps its signature when it is given an index", () => {
  const appended = { ...BINDING, place: { model: "array", index: APPEND } } as const;
  const stored = decoded(signStoredData(ALICE, 3, appended, signer), "array");
  assert.ok(verifyStoredData(ALICE, 3, { ...stored, place: { model: "array", index: 7 } }, [PUBLIC_KEY], crypto));
});

test("an unsigned value never verifies", () => {
  const stored = decoded(encodeUnsignedStoredData(BINDING), "dictionary");
  assert.ok(!verifyStoredData(resource(ALICE), EDGE_BINDING, stored, [PUBLIC_KEY], crypto));
});

test("a value whose signer's certificate is not at hand does not verify", () => {
  const stored = decoded(signStoredData(ALICE, EDGE_BINDING, BINDING, signer), "dictionary");
  assert.ok(!verifyStoredData(ALICE, EDGE_BINDING, stored, [], crypto));
  assert.ok(!verifyStoredData(ALICE, EDGE_BINDING, stored, [new Uint8Array(9)], crypto));
});

test("selections of each model decode to what was encoded", () => {
  const selections = [
    ...Object.values(ALL_OF),
    { model: "dictionary", keys: ["", "00ff"] },
    { model: "array", ranges: [{ first: 2, last: 5 }] },
  ] as const;
  for (const selection of selections) {
    assert.deepEqual(decodeSelection(encodeSelection(selection), selection.model), { ok: true, value: selection });
  }
});

test("a selection for another model is malformed", () => {
  assert.ok(!decodeSelection(encodeSelection({ model: "dictionary", keys: ["00ff"] }), "single").ok);
  assert.ok(!decodeSelection(encodeSelection(ALL_OF.single), "array").ok);
});
