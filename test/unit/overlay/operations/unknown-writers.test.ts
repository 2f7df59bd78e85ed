// A box that holds a value and not the certificate of its writer, who is gone for ever: the writer has published it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex, toOctets } from "../../../../src/base/bytes.ts";
import { minutes } from "../../../../src/base/time.ts";
import type { NodeId, ResourceId } from "../../../../src/overlay/ports.ts";
import { decodeStoredData, encodeStoredData } from "../../../../src/overlay/wire/stored-data.ts";
import { compareEntries, decodeEntry } from "../../../../src/overlay/storage/entry.ts";
import { CERTIFICATE_BY_NODE } from "../../../../src/peer/kinds.ts";
import { certificateOf, cryptoFor, OverlayWorld, resourceOf, VERSIONED, type WorldBox } from "../../../support/overlay-world.ts";

const KEPT_CERTIFICATE = 0xf000ff01;
const NAMES = Array.from({ length: 12 }, (_, i) => resourceOf(`user${i}`));
const placeOf = (id: NodeId): ResourceId => toHex(cryptoFor(id).sha1(fromHex(id))).slice(0, 32) as ResourceId;
const counted = (box: WorldBox, event: string): number => box.core.snapshot().counters[event] ?? 0;

/** Four boxes; the first has written, and is dead; another one restarts without the certificates it had on disk. */
function forgetful(seed: number, wishes: { readonly published: boolean; readonly forged?: boolean }) {
  const world = OverlayWorld.ring(4, seed);
  const [writer, box] = world.boxes as [WorldBox, WorldBox];
  for (const name of NAMES) assert.ok(world.storeNow(writer, name, VERSIONED, "", "true").ok);
  if (wishes.published) {
    let stored = false;
    const change = { key: "00000000", value: certificateOf(writer.id), lifetime: minutes(60) };
    world.store(writer, placeOf(writer.id), CERTIFICATE_BY_NODE, [change], ({ ok }) => (stored = ok));
    world.until(() => stored, 10_000);
    assert.ok(stored);
  }
  world.kill(writer);
  world.run(60_000);
  world.kill(box);
  const held = NAMES.filter((name) => box.disk.has(`${name} ${VERSIONED.id} `));
  assert.ok(held.length > 0);
  for (const [name, row] of [...box.disk]) if (row.kind === KEPT_CERTIFICATE) box.disk.delete(name);
  if (wishes.forged === true) forge(box, held[0] as ResourceId);
  return { world, box: world.restart(box), held };
}

/** Other content under the same signature; the preface stays. It is one that stands against the right one where no signature is checked. */
function forge(box: WorldBox, name: ResourceId): void {
  const key = `${name} ${VERSIONED.id} `;
  const row = box.disk.get(key);
  const stored = row === undefined ? undefined : decodeStoredData(row.stored, "single");
  assert.ok(row !== undefined && stored?.ok === true);
  const right = decodeEntry(name, VERSIONED, row.stored);
  for (let last = 0x21; last < 0x7f; last++) {
    const value = stored.value.value.slice();
    value[value.length - 1] = last;
    const bytes = encodeStoredData({ ...stored.value, value });
    const entry = decodeEntry(name, VERSIONED, bytes);
    assert.ok(right.ok && entry.ok);
    if (compareEntries(entry.value, right.value) > 0) return void box.disk.set(key, { ...row, stored: bytes });
  }
}

test("finds it where the writer published it, checks the signatures, and keeps it beside the values", () => {
  const { world, box, held } = forgetful(1, { published: true });
  assert.ok(world.until(() => [...box.disk.values()].some(({ kind }) => kind === KEPT_CERTIFICATE), 120_000));
  world.run(1_000);
  assert.equal(counted(box, "writer-not-found"), 0);
  assert.equal(counted(box, "row-wrongly-signed"), 0);
  for (const name of held) assert.deepEqual(box.core.held(name).map(({ content }) => toOctets(content)), ["true"]);
});

test("drops what it then finds wrongly signed, and has it back from a neighbor", () => {
  const { world, box, held } = forgetful(2, { published: true, forged: true });
  assert.ok(world.until(() => counted(box, "row-wrongly-signed") === 1, 120_000));
  world.run(90_000);
  assert.deepEqual(box.core.held(held[0] as ResourceId).map(({ content }) => toOctets(content)), ["true"]);
  for (const other of world.boxes) assert.deepEqual(other.core.held(held[0] as ResourceId).filter(({ content }) => toOctets(content) !== "true"), []);
});

test("asks for it five times, and keeps the values unproved, if nobody published it", () => {
  const { world, box, held } = forgetful(3, { published: false });
  world.run(10 * 60_000);
  assert.equal(counted(box, "writer-not-found"), held.length);
  for (const name of held) assert.deepEqual(box.core.held(name).map(({ content }) => toOctets(content)), ["true"]);
});
