import assert from "node:assert/strict";
import { test } from "node:test";
import { hours, seconds, wallTime } from "../../../src/base/time.ts";
import type { Entry, KindEntries, NodeId } from "../../../src/overlay/ports.ts";
import { Keepsakes } from "../../../src/peer/keepsakes.ts";
import { EDGE_BINDING, SUBSCRIBER } from "../../../src/peer/kinds.ts";
import { openWorld, startRing, register } from "../../support/open-boxes.ts";

const NOW = wallTime(1_800_000_000_000);
const ALICE = "alice@fleet.example";
const HOLDERS = ["1", "2", "3"] as NodeId[];
const later = (ms: number) => wallTime(NOW + ms);

const entry = (key: string, octet: number): Entry => ({ key, value: Uint8Array.of(octet), storedAt: NOW });
const answer = (generation: number, bindings: readonly Entry[], subscriber: readonly Entry[]): readonly KindEntries[] => [
  { kind: EDGE_BINDING.id, generation, entries: bindings },
  { kind: SUBSCRIBER.id, generation, entries: subscriber },
];
const LOST = answer(0, [], []);

/** Alice's subscriber was read and her phone's binding written. */
function kept(): Keepsakes {
  const keepsakes = new Keepsakes();
  keepsakes.read(ALICE, HOLDERS, answer(1, [], [entry("", 7)]), NOW);
  keepsakes.wrote(ALICE, HOLDERS, [{ key: "aa", value: Uint8Array.of(9), lifetime: seconds(600) }], [], NOW);
  return keepsakes;
}

test("what the ring has never heard of is answered from memory and given back as old as it is", () => {
  const { kinds, gifts } = kept().read(ALICE, HOLDERS, LOST, later(60_000));
  assert.deepEqual(kinds.map(({ entries }) => entries), [[entry("aa", 9)], [entry("", 7)]]);
  assert.deepEqual(gifts.map(({ kind }) => kind), [EDGE_BINDING.id, SUBSCRIBER.id]);
  assert.deepEqual(gifts[0]?.changes, [{ ...entry("aa", 9), lifetime: 600_000 }]);
  assert.equal(gifts[1]?.changes[0]?.storedAt, NOW);
});

test("a refresh that was not stored overtakes what another half of the ring was told before it", () => {
  const keepsakes = kept();
  keepsakes.refreshed(ALICE, [{ key: "aa", cseq: 5, registeredUntil: later(900_000), expiresAt: later(600_000) }], later(60_000));
  assert.deepEqual(keepsakes.refreshedHere(later(70_000)), [ALICE]);
  const other: Entry = { ...entry("aa", 10), storedAt: later(30_000) };
  const { kinds, gifts } = keepsakes.read(ALICE, HOLDERS, answer(2, [other], [entry("", 7)]), later(70_000));
  const ours: Entry = { ...entry("aa", 9), storedAt: later(60_000) };
  assert.deepEqual(gifts, [{ kind: EDGE_BINDING.id, changes: [{ ...ours, lifetime: 540_000 }] }]);
  assert.deepEqual(kinds[0]?.entries, [ours]);
});

test("a refresh that was not stored yields to what another box was told after it", () => {
  const keepsakes = kept();
  keepsakes.refreshed(ALICE, [{ key: "aa", cseq: 5, registeredUntil: later(900_000), expiresAt: later(600_000) }], later(60_000));
  const other: Entry = { ...entry("aa", 10), storedAt: later(61_000) };
  const found = answer(2, [other], [entry("", 7)]);
  assert.deepEqual(keepsakes.read(ALICE, HOLDERS, found, later(70_000)), { kinds: found, gifts: [] });
});

test("what was removed is not given back, and forgotten", () => {
  const keepsakes = kept();
  const removed = answer(2, [], []);
  assert.deepEqual(keepsakes.read(ALICE, HOLDERS, removed, later(1_000)), { kinds: removed, gifts: [] });
  assert.deepEqual(keepsakes.read(ALICE, HOLDERS, LOST, later(2_000)).gifts, []);
});

test("a binding that ran out or that another box wrote over is not given back", () => {
  const [gift, ...others] = kept().read(ALICE, HOLDERS, LOST, later(600_000)).gifts;
  assert.deepEqual([gift?.kind, others], [SUBSCRIBER.id, []]);
  const keepsakes = kept();
  keepsakes.read(ALICE, HOLDERS, answer(2, [entry("aa", 10)], [entry("", 7)]), later(1_000));
  assert.deepEqual(keepsakes.read(ALICE, HOLDERS, LOST, later(2_000)).gifts.map(({ kind }) => kind), [SUBSCRIBER.id]);
});

test("a subscriber who was read too long ago is not given back", () => {
  assert.deepEqual(kept().read(ALICE, HOLDERS, LOST, later(hours(2))).gifts, []);
});

test("users with phones here are orphans when the last of their holders is gone", () => {
  const keepsakes = kept();
  assert.deepEqual(keepsakes.orphans((holder) => holder === "3", later(1_000)), []);
  assert.deepEqual(keepsakes.orphans(() => false, later(1_000)), [ALICE]);
  assert.deepEqual(keepsakes.orphans(() => false, later(600_000)), []);
});

test("a phone whose three holders are cut off is found by every box that is left with the phone's own", () => {
  const { world, replies } = openWorld();
  const boxes = startRing(world, 5);
  const [first] = boxes;
  const ask = (box: (typeof boxes)[number], request: object): object | undefined => {
    world.input(box, { type: "control", ticket: 1, request });
    world.run(2_000);
    return replies.at(-1);
  };
  const { where } = ask(first, { op: "where", aor: ALICE }) as { where: { replicas: readonly { nodeId: string }[] } };
  const holders = new Set(where.replicas.map(({ nodeId }) => nodeId));
  const left = boxes.filter(({ nodeId }) => !holders.has(nodeId));
  const [edge, neighbour] = left;
  assert.ok(edge !== undefined && neighbour !== undefined && left.length === 2);
  register(world, edge);
  world.run(2_000);
  world.network.partition(boxes.map((box) => (left.includes(box) ? 1 : 0)));
  world.run(15_000);
  const listed = ask(neighbour, { op: "registration-list", aor: ALICE }) as { registrations: readonly { bindings: readonly object[] }[] };
  assert.equal(listed.registrations[0]?.bindings.length, 1);
});
