// Access policies, data models, generation counters, deletions and signatures (RFC 6940 sections 6.3.4 and 7),
// seen from outside: Stores and Fetches by hand to the responsible member of a ring of three.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, fromOctets, toHex, toOctets } from "../../../src/base/bytes.ts";
import { wallTime } from "../../../src/base/time.ts";
import type { ResourceId } from "../../../src/overlay/ports.ts";
import { ERROR } from "../../../src/overlay/wire/code-points.ts";
import { overlayHash, type TransactionId } from "../../../src/overlay/wire/identifiers.ts";
import { type DecodedMessage, decodeMessage, encodeSignedMessage } from "../../../src/overlay/wire/message.ts";
import type { MessageBody } from "../../../src/overlay/wire/message-body.ts";
import { makeSigner } from "../../../src/overlay/wire/security-block.ts";
import { ALL_OF, APPEND, decodeStoredData, encodeSelection, encodeUnsignedStoredData, signStoredData, type StoredData } from "../../../src/overlay/wire/stored-data.ts";
import { CERTIFICATE_BY_NODE } from "../../../src/peer/kinds.ts";
import { certificateOf, cryptoFor, DURABLE, OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../support/overlay-world.ts";

const overlay = overlayHash("test.ring", cryptoFor("0".repeat(32) as never));
const wall = (world: OverlayWorld): number => 1_800_000_000_000 + world.now;
const placeOf = (box: WorldBox): ResourceId => toHex(cryptoFor(box.id).sha1(fromHex(box.id))).slice(0, 32) as ResourceId;
const signerOf = (box: WorldBox): ReturnType<typeof makeSigner> => makeSigner(certificateOf(box.id), cryptoFor(box.id));

let transactions = 0;
/** A signed request to whoever is responsible; it goes through any other member. */
function ask(world: OverlayWorld, from: WorldBox, resource: ResourceId, body: MessageBody): MessageBody {
  const link = world.links.find(({ ends }) => ends.includes(from));
  const hop = link?.ends.find((box) => box !== from);
  assert.ok(link !== undefined && hop !== undefined);
  const transactionId = (++transactions).toString(16).padStart(16, "0") as TransactionId;
  const header = {
    overlay, configurationSequence: 1, ttl: 100, transactionId, maxResponseLength: 0, via: [], options: [],
    destinations: [{ type: "resource", resource }],
  } as const;
  let answer: DecodedMessage | undefined;
  world.overhear = (receiver, received) => {
    const decoded = decodeMessage(received, overlay);
    if (receiver === from && decoded.ok && decoded.value.header.transactionId === transactionId && !decoded.value.body.type.endsWith("_req")) answer = decoded.value;
  };
  const owner = world.ownerOf(resource);
  if (owner === from) {
    const other = world.boxes.find((box) => box !== from && box.alive);
    assert.ok(other !== undefined);
    return ask(world, other, resource, body);
  }
  world.give(hop, { type: "link-message", link: link.id, message: encodeSignedMessage({ header, body, extensions: [] }, signerOf(from)) });
  world.until(() => answer !== undefined, 2_000);
  assert.ok(answer !== undefined, "no answer");
  return answer.body;
}

/** A place of which another box is responsible, so that the writer's request travels. */
function ringWith(seed: number): { world: OverlayWorld; writer: WorldBox; place: ResourceId } {
  for (let at = seed; ; at += 100) {
    const world = OverlayWorld.ring(3, at);
    const writer = world.boxes.find((box) => world.ownerOf(placeOf(box)) !== box);
    if (writer !== undefined) return { world, writer, place: placeOf(writer) };
  }
}

const certificateData = (world: OverlayWorld, resource: ResourceId, by: WorldBox, of: Partial<StoredData> = {}): Uint8Array =>
  signStoredData(resource, CERTIFICATE_BY_NODE.id, {
    storageTime: wallTime(wall(world)), lifetime: 3_600, place: { model: "array", index: APPEND }, exists: true, value: certificateOf(by.id), ...of,
  }, signerOf(by));
const store = (resource: ResourceId, values: readonly Uint8Array[], kind = CERTIFICATE_BY_NODE.id): MessageBody =>
  ({ type: "store_req", resource, replicaNumber: 0, kinds: [{ kind, generation: 0, values }] });
const fetchAll = (resource: ResourceId): MessageBody =>
  ({ type: "fetch_req", resource, specifiers: [{ kind: CERTIFICATE_BY_NODE.id, generation: 0, selection: encodeSelection(ALL_OF.array) }] });
function indicesIn(answer: MessageBody): number[] {
  assert.ok(answer.type === "fetch_ans");
  return (answer.kinds[0]?.values ?? []).map((bytes) => {
    const stored = decodeStoredData(bytes, "array");
    assert.ok(stored.ok && stored.value.place.model === "array");
    return stored.value.place.index;
  }).sort((a, b) => a - b);
}

test("an array: what is appended lies one behind the other, a repeated request at its first place", () => {
  const { world, writer, place } = ringWith(1);
  const first = certificateData(world, place, writer);
  assert.equal(ask(world, writer, place, store(place, [first])).type, "store_ans");
  assert.equal(ask(world, writer, place, store(place, [first])).type, "store_ans");
  assert.deepEqual(indicesIn(ask(world, writer, place, fetchAll(place))), [0]);
  world.run(10);
  assert.equal(ask(world, writer, place, store(place, [certificateData(world, place, writer)])).type, "store_ans");
  assert.deepEqual(indicesIn(ask(world, writer, place, fetchAll(place))), [0, 1]);
});

test("an array: a range is fetched, and a place is written over by its index", () => {
  const { world, writer, place } = ringWith(2);
  for (let i = 0; i < 3; i++) {
    world.run(10);
    ask(world, writer, place, store(place, [certificateData(world, place, writer)]));
  }
  const range = (first: number, last: number): MessageBody =>
    ({ type: "fetch_req", resource: place, specifiers: [{ kind: CERTIFICATE_BY_NODE.id, generation: 0, selection: encodeSelection({ model: "array", ranges: [{ first, last }] }) }] });
  assert.deepEqual(indicesIn(ask(world, writer, place, range(1, 5))), [1, 2]);
  world.run(10);
  const over = certificateData(world, place, writer, { place: { model: "array", index: 1 }, value: fromOctets("another") });
  assert.equal(ask(world, writer, place, store(place, [over])).type, "store_ans");
  assert.deepEqual(indicesIn(ask(world, writer, place, fetchAll(place))), [0, 1, 2]);
});

test("NODE-MATCH: nobody writes at the place of another, neither as signer of the value nor of the request", () => {
  const { world, writer, place } = ringWith(3);
  const other = world.boxes.find((box) => box !== writer && world.ownerOf(place) !== box) as WorldBox;
  const refused = (from: WorldBox, by: WorldBox): number | undefined => {
    const answer = ask(world, from, place, store(place, [certificateData(world, place, by)]));
    return answer.type === "error" ? answer.code : undefined;
  };
  assert.equal(refused(writer, other), ERROR.Error_Forbidden, "value of another");
  assert.equal(refused(other, writer), ERROR.Error_Forbidden, "request of another");
  assert.equal(refused(writer, writer), undefined);
});

test("a value whose writer's certificate is missing is not taken from its writer", () => {
  const { world, writer } = ringWith(4);
  const stranger = { ...writer, id: "99".repeat(16) } as unknown as WorldBox;
  const resource = resourceOf("somebody");
  const stored = { storageTime: wallTime(wall(world)), lifetime: 60, place: { model: "single" }, exists: true, value: new Uint8Array(4) } as const;
  const signer = makeSigner(certificateOf(stranger.id), cryptoFor(stranger.id));
  const answer = ask(world, writer, resource, store(resource, [signStoredData(resource, DURABLE.id, stored, signer)], DURABLE.id));
  assert.ok(answer.type === "error" && answer.code === ERROR.Error_Forbidden);
  assert.equal(toOctets(answer.info), "the writer's certificate is missing");
});

test("an unsigned value is not taken, not even as a deletion", () => {
  const { world, writer, place } = ringWith(5);
  const unsigned = encodeUnsignedStoredData({ storageTime: wallTime(wall(world)), lifetime: 60, place: { model: "array", index: 0 }, exists: false, value: new Uint8Array(0) });
  const answer = ask(world, writer, place, store(place, [unsigned]));
  assert.ok(answer.type === "error" && answer.code === ERROR.Error_Forbidden);
});

const generationOf = (box: WorldBox, world: OverlayWorld, name: string): number => {
  let generation = 0;
  world.fetch(box, resourceOf(name), (outcome) => (generation = outcome.ok ? (outcome.kinds[0]?.generation ?? 0) : -1), [SOFT]);
  world.until(() => generation !== 0, 5_000);
  return generation;
};

test("a generation counter does not fall over a restart of all boxes, nor when its last entry goes", () => {
  const world = OverlayWorld.ring(3, 6);
  const [box] = world.boxes as [WorldBox];
  for (let i = 0; i < 20; i++) assert.ok(world.storeNow(box, resourceOf("counted"), SOFT, "aa", `${i}`).ok);
  const before = generationOf(box, world, "counted");
  world.run(1_000);
  const old = [...world.boxes];
  for (const one of old) world.kill(one);
  world.run(100);
  const again = old.map((one) => world.restart(one));
  assert.ok(world.until(() => world.serving().length === 3, 30_000));
  assert.ok(generationOf(again[0] as WorldBox, world, "counted") >= before);
  assert.ok(world.storeNow(again[0] as WorldBox, resourceOf("counted"), SOFT, "aa", "after").ok);
  assert.ok(generationOf(again[0] as WorldBox, world, "counted") > before);
});

test("a deletion is remembered for its lifetime, shown to who asks on the wire, and then forgotten", () => {
  const world = OverlayWorld.ring(3, 7);
  const [box] = world.boxes as [WorldBox];
  const resource = resourceOf("deleted");
  assert.ok(world.storeNow(box, resource, SOFT, "aa", "x").ok);
  assert.ok(world.storeNow(box, resource, SOFT, "aa", undefined).ok);
  assert.deepEqual(world.fetchNow(box, resource), {});
  world.run(100);
  for (const holder of world.boxes) assert.deepEqual(holder.core.held(resource).map(({ exists, value }) => [exists, value.length]), [[false, 0]]);
  world.run(3_700_000);
  for (const holder of world.boxes) assert.deepEqual(holder.core.held(resource), []);
});

test("the certificate of a writer that is gone for ever is on the disks beside its values, and goes along with them", () => {
  const world = OverlayWorld.ring(4, 8);
  const [writer] = world.boxes as [WorldBox];
  const resource = resourceOf("kept");
  assert.ok(world.storeNow(writer, resource, DURABLE, "", "secret").ok);
  world.run(1_000);
  for (const box of [...world.boxes]) world.kill(box);
  world.run(100);
  const others = world.boxes.filter((box) => box !== writer);
  const again = others.map((box) => world.restart(box, { members: others.map(({ info }) => info) }));
  assert.ok(world.until(() => world.serving().length === 3, 30_000));
  world.run(60_000);
  const blank = world.add({ hints: again });
  assert.ok(world.until(() => blank.core.phase === "serving", 20_000));
  world.run(60_000);
  assert.deepEqual(world.fetchNow(blank, resource, DURABLE), { "": "secret" });
  for (const box of world.serving()) assert.equal(box.core.snapshot().counters["value-of-unknown-writer"] ?? 0, 0, box.id);
});

test("a value on disk that its writer did not sign is not served after a start, and comes back from a neighbor", () => {
  const world = OverlayWorld.ring(3, 9);
  const [box] = world.boxes as [WorldBox];
  const resource = resourceOf("forged");
  assert.ok(world.storeNow(world.boxes[1] as WorldBox, resource, DURABLE, "", "true").ok);
  world.run(1_000);
  world.kill(box);
  const [place, row] = [...box.disk].find(([, { kind }]) => kind === DURABLE.id) ?? [];
  assert.ok(place !== undefined && row !== undefined);
  const stored = decodeStoredData(row.stored, "single");
  assert.ok(stored.ok);
  const forged = row.stored.slice();
  const at = toHex(forged).indexOf(toHex(fromOctets("true"))) / 2;
  forged.set(fromOctets("lies"), at);
  box.disk.set(place, { ...row, stored: forged });
  const again = world.restart(box);
  assert.ok(world.until(() => (again.core.snapshot().counters["row-wrongly-signed"] ?? 0) === 1, 10_000));
  assert.ok(world.until(() => again.core.held(resource).some(({ value }) => toOctets(value) === "true"), 60_000));
  world.run(5_000);
  for (const holder of world.boxes) assert.deepEqual(holder.core.held(resource).map(({ value }) => toOctets(value)), ["true"]);
});
