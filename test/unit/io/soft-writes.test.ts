import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { minutes, type WallTime, wallAfter, wallTime } from "../../../src/base/time.ts";
import { SoftWrites } from "../../../src/io/soft-writes.ts";
import type { Change } from "../../../src/io/stored-rows.ts";
import type { ResourceId, StoredRow } from "../../../src/overlay/ports.ts";
import { encodeUnsignedStoredData } from "../../../src/overlay/wire/stored-data.ts";
import { encodeBinding } from "../../../src/peer/binding-codec.ts";
import { EDGE_BINDING, EVENT_STATE } from "../../../src/peer/kinds.ts";
import type { Binding } from "../../../src/sip/ports.ts";

const START = wallTime(1_800_000_000_000);
const KEY = "ab".repeat(16);
const BINDING: Binding = {
  contact: "sip:201@192.0.2.7", key: KEY, callId: "first", cseq: 1, preference: 1_000, expiresAt: wallAfter(START, minutes(60)), instance: "", regId: 0,
  path: [], userAgent: "phone", parameters: "", edge: "0".repeat(32), flowToken: "token", received: { host: "192.0.2.7", port: 5060 }, transport: "udp",
};
const PLACE = { resource: "0".repeat(32) as ResourceId, kind: EDGE_BINDING.id, key: KEY };

function row(changes: Partial<Binding> = {}, { at = START, lasting = 3_600, exists = true }: { readonly at?: WallTime; readonly lasting?: number; readonly exists?: boolean } = {}): StoredRow {
  const value = exists ? encodeBinding("201@x.test", { ...BINDING, ...changes }) : new Uint8Array();
  return { ...PLACE, stored: encodeUnsignedStoredData({ storageTime: at, lifetime: lasting, place: { model: "dictionary", key: KEY }, exists, value }) };
}
const LATER = wallAfter(START, minutes(30));
const REFRESH = row({ callId: "second", cseq: 7, expiresAt: wallAfter(LATER, minutes(60)) }, { at: LATER });

/** What is written at once of these changes, where the row is on disk already. */
const promptOf = (...changes: readonly Change[]): readonly Change[] => {
  const writes = new SoftWrites(() => row().stored);
  for (const change of changes) writes.collect(change);
  return writes.prompt;
};

suite("what of the soft rows is written at once", () => {
  test("a new binding is", () => {
    const writes = new SoftWrites(() => undefined);
    writes.collect({ put: row() });
    assert.deepEqual(writes.prompt, [{ put: row() }]);
  });

  test("a refresh is not: the row on disk says the same and has not ended", () => {
    assert.deepEqual(promptOf({ put: REFRESH }), []);
  });

  test("another contact, another box, another address, an end, a removal are", () => {
    const telling: readonly Change[] = [
      { put: row({ contact: "sip:201@192.0.2.8" }) }, { put: row({ edge: "1".repeat(32) }) }, { put: row({ received: { host: "192.0.2.9", port: 5060 } }) },
      { put: row({ flowToken: "other" }) }, { put: row({}, { exists: false }) }, { remove: PLACE },
    ];
    for (const change of telling) assert.deepEqual(promptOf(change), [change]);
  });

  test("what came after a change that waits to be written is, and so is a change after a refresh", () => {
    const moved = { put: row({ contact: "sip:201@192.0.2.8" }) };
    assert.deepEqual(promptOf(moved, { put: REFRESH }), [{ put: REFRESH }]);
    assert.deepEqual(promptOf({ put: REFRESH }, moved), [moved]);
    assert.deepEqual(promptOf({ put: REFRESH }, { remove: PLACE }), [{ remove: PLACE }]);
  });

  test("a row on disk that cannot be read is none", () => {
    const writes = new SoftWrites(() => Uint8Array.of(1, 2, 3));
    writes.collect({ put: REFRESH });
    assert.deepEqual(writes.prompt, [{ put: REFRESH }]);
  });

  test("refreshes are written together, those that end soon are left out", () => {
    const writes = new SoftWrites(() => row().stored);
    const short = { ...row({ callId: "third" }, { at: LATER, lasting: 60 }), resource: "1".repeat(32) as ResourceId };
    writes.collect({ put: REFRESH });
    writes.collect({ put: short });
    writes.releaseRefreshes(wallAfter(LATER, minutes(20)));
    assert.deepEqual(writes.prompt, [{ put: REFRESH }]);
    writes.promptWritten();
    writes.releaseRefreshes(LATER);
    assert.deepEqual(writes.prompt, []);
  });

  test("what could not be written stays, and the newest of it counts", () => {
    const writes = new SoftWrites(() => undefined);
    writes.collect({ put: row() });
    assert.equal(writes.promptFailed(), true);
    writes.collect({ put: REFRESH });
    assert.deepEqual(writes.prompt, [{ put: REFRESH }]);
  });

  test("the state of a call never is, nor its end; a publication is, and what takes its place", () => {
    const state = (lasting: number): StoredRow => ({ ...row({}, { lasting }), kind: EVENT_STATE.id });
    const writes = new SoftWrites(() => undefined);
    writes.collect({ put: state(180) });
    writes.collect({ put: state(90) });
    writes.collect({ remove: { ...PLACE, kind: EVENT_STATE.id } });
    assert.deepEqual(writes.prompt, []);
    writes.collect({ put: state(3_600) });
    writes.collect({ put: state(90) });
    assert.deepEqual(writes.prompt, [{ put: state(90) }]);
    const published = new SoftWrites(() => state(3_600).stored);
    published.collect({ put: state(90) });
    assert.deepEqual(published.prompt, [{ put: state(90) }]);
  });
});
