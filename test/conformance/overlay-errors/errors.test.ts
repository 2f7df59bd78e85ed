// What is wrong with a request gets the error of RFC 6940 or RFC 7851: one row each. The request goes to a
// member of a ring of three over its own link, by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, fromHex, fromOctets, toHex } from "../../../src/base/bytes.ts";
import { wallTime } from "../../../src/base/time.ts";
import type { NodeId, ResourceId } from "../../../src/overlay/ports.ts";
import { ERROR, type ErrorName } from "../../../src/overlay/wire/code-points.ts";
import { FIXED_HEADER_LENGTH, type ForwardingHeader, INITIAL_TTL, writeHeader, endMessage } from "../../../src/overlay/wire/forwarding-header.ts";
import { overlayHash, type TransactionId } from "../../../src/overlay/wire/identifiers.ts";
import { type DecodedMessage, decodeMessage, encodeMessage, encodeSignedMessage, type Message } from "../../../src/overlay/wire/message.ts";
import type { MessageBody, StoreKindData } from "../../../src/overlay/wire/message-body.ts";
import { readStoreAns } from "../../../src/overlay/wire/storage-bodies.ts";
import { makeSigner, NO_SIGNATURE } from "../../../src/overlay/wire/security-block.ts";
import { encodeStoredData, type StoredData } from "../../../src/overlay/wire/stored-data.ts";
import { certificateOf, cryptoFor, DURABLE, OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../support/overlay-world.ts";

const world = OverlayWorld.ring(3, 71);
const [asker, asked, third] = world.boxes as [WorldBox, WorldBox, WorldBox];
/** Nobody has signed a configuration in this ring: the sequence every fleet begins with. */
const CONFIGURATION = 1;
const overlay = overlayHash("test.ring", cryptoFor(asker.id));
const wall = (): number => 1_800_000_000_000 + world.now;

const named = (owner: WorldBox): ResourceId => {
  for (let i = 0; ; i++) if (world.ownerOf(resourceOf(`name ${i}`)) === owner) return resourceOf(`name ${i}`);
};
const own = named(asked);
const foreign = named(third);

interface Asked {
  readonly body?: MessageBody;
  readonly header?: Partial<ForwardingHeader>;
  readonly extensions?: Message["extensions"];
  readonly signed?: boolean;
  /** What becomes of the bytes on the way. */
  readonly change?: (bytes: Uint8Array) => readonly Uint8Array[];
}

const PING: MessageBody = { type: "ping_req", padding: new Uint8Array(300) };
const node = (box: WorldBox): ForwardingHeader["destinations"][number] => ({ type: "node", nodeId: box.id });
const option = (flags: number): ForwardingHeader["options"] => [{ type: 200, flags, value: fromHex("aabb") }];

let transactions = 0;
function ask({ body = PING, header = {}, extensions = [], signed = false, change = (bytes) => [bytes] }: Asked): DecodedMessage | undefined {
  const transactionId = (++transactions).toString(16).padStart(16, "0") as TransactionId;
  const message: Message = {
    header: {
      overlay, configurationSequence: CONFIGURATION, ttl: INITIAL_TTL, transactionId, maxResponseLength: 0, via: [], destinations: [node(asked)], options: [],
      ...header,
    },
    body,
    extensions,
  };
  const bytes = signed ? encodeSignedMessage(message, makeSigner(certificateOf(asker.id), cryptoFor(asker.id))) : encodeMessage(message);
  let answer: DecodedMessage | undefined;
  world.overhear = (receiver, received) => {
    const decoded = decodeMessage(received, overlay);
    if (receiver === asker && decoded.ok && decoded.value.header.transactionId === transactionId) answer = decoded.value;
  };
  const link = world.links.find(({ ends }) => ends.includes(asker) && ends.includes(asked));
  for (const part of change(bytes)) world.give(asked, { type: "link-message", link: link?.id ?? 0, message: part });
  world.until(() => answer !== undefined, 2_000);
  return answer;
}

const stored = (of: Partial<StoredData> = {}): Uint8Array =>
  encodeStoredData({ storageTime: wallTime(wall()), lifetime: 3_600, place: { model: "dictionary", key: "aa" }, exists: true, value: new Uint8Array(4), signature: NO_SIGNATURE, ...of });
const store = (values: readonly Uint8Array[], of: Partial<StoreKindData> = {}, resource = own, replicaNumber = 0): MessageBody =>
  ({ type: "store_req", resource, replicaNumber, kinds: [{ kind: SOFT.id, generation: 0, values, ...of }] });
const fetchOf = (kind: number, resource = own): MessageBody =>
  ({ type: "fetch_req", resource, specifiers: [{ kind, generation: 0, selection: new Uint8Array(kind === SOFT.id ? 2 : 0) }] });
const track = (expiration: number): MessageBody => ({
  type: "path_track_req", destination: { type: "resource", resource: foreign },
  request: { expiration: wallTime(expiration), initiated: wallTime(wall()), flags: 0b110n, extensions: [] },
});
const resource = (id: ResourceId): ForwardingHeader["destinations"][number] => ({ type: "resource", resource: id });
const nobody = "77777777777777777777777777777777" as NodeId;

const patched = (at: number, value: number) => (bytes: Uint8Array): readonly Uint8Array[] => {
  const copy = bytes.slice();
  copy[at] = value;
  return [copy];
};

type Row = readonly [title: string, error: ErrorName, asked: () => Asked];

const ROWS: readonly Row[] = [
  ["a Fetch of an unknown kind", "Error_Unknown_Kind", () => ({ body: fetchOf(77) })],
  ["a Stat of an unknown kind", "Error_Unknown_Kind", () => ({ body: { ...(fetchOf(77) as Extract<MessageBody, { type: "fetch_req" }>), type: "stat_req" } })],
  ["a Store of an unknown kind", "Error_Unknown_Kind", () => ({ body: store([stored()], { kind: 77 }) })],
  ["an option critical for whom it is meant", "Error_Unsupported_Forwarding_Option", () => ({ header: { options: option(2) } })],
  ["an option critical for whom it passes", "Error_Unsupported_Forwarding_Option", () => ({ signed: true, header: { options: option(1), destinations: [node(asked), node(third)] } })],
  ["a critical extension", "Error_Unknown_Extension", () => ({ extensions: [{ type: 99, critical: true, contents: new Uint8Array(0) }] })],
  ["a ttl above the initial one", "Error_TTL_Exceeded", () => ({ header: { ttl: INITIAL_TTL + 1 } })],
  ["a ttl that is used up before the way is", "Error_TTL_Exceeded", () => ({ signed: true, header: { ttl: 0, destinations: [node(asked), node(third)] } })],
  ["an older configuration", "Error_Config_Too_Old", () => ({ header: { configurationSequence: 0 } })],
  ["a newer configuration", "Error_Config_Too_New", () => ({ header: { configurationSequence: 9 } })],
  ["a generation that is not the current one", "Error_Generation_Counter_Too_Low", () => ({ body: store([stored()], { generation: 7 }) })],
  ["a value older than the one that stands", "Error_Data_Too_Old", () => {
    ask({ body: store([stored()]) });
    return { body: store([stored({ storageTime: wallTime(wall() - 60_000) })]) };
  }],
  ["a value of the same time and other bytes", "Error_Data_Too_Old", () => {
    const storageTime = wallTime(wall());
    ask({ body: store([stored({ storageTime })]) });
    return { body: store([stored({ storageTime, value: new Uint8Array(9) })]) };
  }],
  ["a value that is too long", "Error_Data_Too_Large", () => ({ body: store([stored({ value: new Uint8Array(SOFT.maxValueBytes + 1) })]) })],
  ["more entries than the kind has", "Error_Data_Too_Large", () => ({
    body: store(Array.from({ length: SOFT.maxEntries + 1 }, (_, i) => stored({ place: { model: "dictionary", key: `bb${i.toString(16).padStart(2, "0")}` } }))),
  })],
  ["a value from the future", "Error_Forbidden", () => ({ body: store([stored({ storageTime: wallTime(wall() + 3_600_000) })]) })],
  ["an unsigned value of a signed kind", "Error_Forbidden", () => ({ body: store([stored({ place: { model: "single" } })], { kind: DURABLE.id }) })],
  ["a Store for a resource of another", "Error_Forbidden", () => ({ body: store([stored()], {}, foreign) })],
  ["an unsigned request to be forwarded", "Error_Forbidden", () => ({ header: { destinations: [node(asked), node(third)] } })],
  ["a Join in the name of another", "Error_Forbidden", () => ({ body: { type: "join_req", nodeId: third.id, overlayData: new Uint8Array(0) } })],
  ["a Leave in the name of another", "Error_Forbidden", () => ({ body: { type: "leave_req", nodeId: third.id, leave: { type: "none" } } })],
  ["a way to somebody who is not there", "Error_Not_Found", () => ({ signed: true, header: { destinations: [node(asked), { type: "node", nodeId: nobody }] } })],
  ["an AppAttach to an application nobody offers", "Error_Not_Found", () => ({
    body: { type: "app_attach_req", ufrag: new Uint8Array(0), password: new Uint8Array(0), role: fromOctets("passive"), candidates: [], application: 5060 },
  })],
  ["a value that is over when it comes", "Error_Request_Timeout", () => ({ body: store([stored({ storageTime: wallTime(wall() - 1_000), lifetime: 0, place: { model: "dictionary", key: "cc" } })]) })],
  ["another version of RELOAD", "Error_Incompatible_with_Overlay", () => ({ change: patched(10, 11) })],
  ["another overlay", "Error_Incompatible_with_Overlay", () => ({ header: { overlay: overlay ^ 1 } })],
  ["a body that ends early", "Error_Invalid_Message", () => ({ change: patched(FIXED_HEADER_LENGTH + 18 + 5, 0) })],
  ["a Store with a kind twice", "Error_Invalid_Message", () => {
    const kind = { kind: SOFT.id, generation: 0, values: [stored()] };
    return { body: { type: "store_req", resource: own, replicaNumber: 0, kinds: [kind, kind] } };
  }],
  ["a resource with destinations behind it", "Error_Invalid_Message", () => ({ signed: true, header: { destinations: [resource(foreign), node(third)] } })],
  ["an answer above what the asker takes", "Error_Response_Too_Large", () => ({ header: { maxResponseLength: 20 } })],
  ["a message that has passed here before", "Error_Loop_Detected", () => ({ signed: true, header: { via: [node(asked)], destinations: [node(asked), node(third)] } })],
  ["a Path_Track that is over", "Error_Message_Expired", () => ({ body: track(wall() - 1) })],
  ["a Path_Track good for too long", "Error_Invalid_Message", () => ({ body: track(wall() + 3_600_000) })],
];

for (const [title, error, asking] of ROWS) {
  test(`${title}: ${error}`, () => {
    const answer = ask(asking());
    assert.ok(answer?.body.type === "error", answer?.body.type ?? "no answer");
    assert.equal(answer.body.code, ERROR[error]);
  });
}

test("Error_Unknown_Kind names the kinds", () => {
  const answer = ask({ body: fetchOf(77) });
  assert.ok(answer?.body.type === "error");
  assert.deepEqual(answer.body.info, fromHex("040000004d"));
  const refused = ask({ body: store([stored()], { kind: 77 }) });
  assert.ok(refused?.body.type === "error");
  assert.deepEqual(refused.body.info, fromHex("040000004d"));
});

test("Error_Generation_Counter_Too_Low carries a StoreAns with the current counter", () => {
  const generation = currentOf(ask({ body: store([stored({ storageTime: wallTime(wall() + 1) })]) }));
  const refused = ask({ body: store([stored({ storageTime: wallTime(wall() + 2) })], { generation: generation - 1 }) });
  assert.ok(refused?.body.type === "error");
  assert.deepEqual(readStoreAns(new ByteReader(refused.body.info)), { type: "store_ans", kinds: [{ kind: SOFT.id, generation, replicas: [] }] });
  assert.equal(ask({ body: store([stored({ storageTime: wallTime(wall() + 3) })], { generation }) })?.body.type, "store_ans");
});
const currentOf = (answer: DecodedMessage | undefined): number => {
  assert.ok(answer?.body.type === "store_ans");
  return answer.body.kinds[0]?.generation ?? 0;
};

test("an option that is critical for the other role passes, and one to be copied comes back", () => {
  assert.equal(ask({ header: { options: option(1) } })?.body.type, "ping_ans");
  const answer = ask({ header: { options: [...option(4), ...option(0)] } });
  assert.equal(answer?.body.type, "ping_ans");
  assert.deepEqual(answer?.header.options, option(0));
});

test("a message cut in fragments is put together, in any order", () => {
  const cut = (bytes: Uint8Array): readonly Uint8Array[] => {
    const decoded = decodeMessage(bytes, overlay);
    assert.ok(decoded.ok);
    const { headerLength, ...header } = decoded.value.header;
    const pieces: Uint8Array[] = [];
    for (let at = headerLength; at < bytes.length; at += 256) {
      const writer = new ByteWriter(512);
      writeHeader(writer, { ...header, fragment: { offset: at - headerLength, last: at + 256 >= bytes.length } });
      writer.bytes(bytes.subarray(at, at + 256));
      endMessage(writer, 0);
      pieces.push(writer.finish());
    }
    assert.ok(pieces.length > 1);
    return pieces.reverse();
  };
  assert.equal(ask({ change: cut })?.body.type, "ping_ans");
  assert.equal(ask({ change: (bytes) => cut(bytes).slice(1) }), undefined);
});

test("nobody here makes fragments, not even of the largest values", () => {
  let fragments = 0;
  world.overhear = (_, bytes) => {
    if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(12) !== 0xc0000000) fragments++;
  };
  assert.ok(world.storeNow(asker, own, SOFT, "dd", "x".repeat(SOFT.maxValueBytes)).ok);
  world.run(60_000);
  assert.equal(fragments, 0);
});

test("an opaque destination nobody here made is dropped", () => {
  assert.equal(ask({ signed: true, header: { destinations: [node(asked), { type: "opaque", id: "beef" }] } }), undefined);
  assert.equal(ask({ signed: true, header: { destinations: [node(asked), { type: "compressed", id: 5 }] } }), undefined);
});

test("Path_Track says who is next, and its last answer comes from whom it names", () => {
  const first = ask({ body: track(wall() + 10_000) });
  assert.ok(first?.body.type === "path_track_ans");
  assert.deepEqual(first.body.nextHop, node(third));
  assert.deepEqual(first.body.response.diagnostics, [{ kind: 1, contents: fromHex("00") }, { kind: 2, contents: fromHex("00000002") }]);
  assert.equal(first.body.response.hopCounter, INITIAL_TTL);
  const last = ask({ body: track(wall() + 10_000), signed: true, header: { destinations: [node(asked), node(third)] } });
  assert.ok(last?.body.type === "path_track_ans");
  assert.deepEqual(last.body.nextHop, node(third));
  assert.equal(last.body.response.hopCounter, INITIAL_TTL - 1);
});

test("Path_Track tells what it is asked for and this program knows, and leaves the rest out", () => {
  const all = (1n << 63n) - 2n;
  const answer = ask({ body: { ...track(wall() + 10_000), request: { expiration: wallTime(wall() + 10_000), initiated: wallTime(wall()), flags: all, extensions: [] } } as MessageBody });
  assert.ok(answer?.body.type === "path_track_ans");
  const { diagnostics } = answer.body.response;
  assert.deepEqual(diagnostics.map(({ kind }) => kind), [1, 2, 6, 8, 10]);
  const before = Number(`0x${toHex(diagnostics.at(-1)?.contents ?? fromHex(""))}`);
  assert.ok(world.storeNow(world.boxes[0] as WorldBox, own, SOFT, "77", "a value").ok);
  const later = ask({ body: { ...track(wall() + 10_000), request: { expiration: wallTime(wall() + 10_000), initiated: wallTime(wall()), flags: 1n << 10n, extensions: [] } } as MessageBody });
  assert.ok(later?.body.type === "path_track_ans");
  const [size] = later.body.response.diagnostics;
  assert.ok(size?.kind === 10 && Number(`0x${toHex(size.contents)}`) > before, "what it holds has grown");
});
