import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../../../src/overlay/ports.ts";
import { decodeChordLists, encodeChordLists } from "../../../../src/overlay/wire/chord-lists.ts";

const id = (digit: string): NodeId => digit.repeat(32) as NodeId;

test("Chord lists are the predecessor, a length byte, and the successors", () => {
  const lists = { predecessor: id("1"), successors: [id("2"), id("3"), id("4")] } as const;
  const bytes = encodeChordLists(lists);
  assert.equal(bytes.length, 16 + 1 + 48);
  assert.equal(bytes[16], 48);
  assert.deepEqual(decodeChordLists(bytes), { ok: true, value: lists });
});

test("lists that are too short or cut are malformed", () => {
  const bytes = encodeChordLists({ predecessor: id("1"), successors: [id("2"), id("3"), id("4")] });
  for (let length = 0; length < bytes.length; length++) assert.equal(decodeChordLists(bytes.subarray(0, length)).ok, false);
  const two = Uint8Array.from([...bytes.subarray(0, 16), 32, ...bytes.subarray(17, 49)]);
  assert.equal(decodeChordLists(two).ok, false);
});
