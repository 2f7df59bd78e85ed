// Arbitrary RELOAD structures for properties.

import fc, { type Arbitrary } from "fast-check";
import { toHex } from "../../src/base/bytes.ts";
import { type WallTime, wallTime } from "../../src/base/time.ts";
import type { NodeId, PeerInfo, ResourceId } from "../../src/overlay/ports.ts";
import type { Destination } from "../../src/overlay/wire/destination.ts";
import type { ForwardingHeader } from "../../src/overlay/wire/forwarding-header.ts";
import { parseNodeId, parseResourceId, type TransactionId } from "../../src/overlay/wire/identifiers.ts";
import type { MessageExtension } from "../../src/overlay/wire/message.ts";
import type { IceCandidate, MessageBody, ProbeInformation } from "../../src/overlay/wire/message-body.ts";
import { NO_SIGNATURE, type SecurityBlock, type Signature } from "../../src/overlay/wire/security-block.ts";
import type { StoredData, StoredPlace } from "../../src/overlay/wire/stored-data.ts";

/** With the prototype a decoded structure has. */
const record = <Fields extends object>(fields: { [Key in keyof Fields]: Arbitrary<Fields[Key]> }): Arbitrary<Fields> =>
  fc.record<Fields>(fields, { noNullPrototype: true });

const hex = (minLength: number, maxLength: number): Arbitrary<string> =>
  fc.uint8Array({ minLength, maxLength }).map(toHex);

function known<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the arbitrary made no identifier");
  return value;
}

export const nodeId: Arbitrary<NodeId> = hex(16, 16).map((id) => known(parseNodeId(id)));
export const resourceId: Arbitrary<ResourceId> = hex(16, 16).map((id) => known(parseResourceId(id)));
const transactionId = hex(8, 8).map((id) => id as TransactionId);
const octets = fc.uint8Array({ maxLength: 40 });
const short = fc.uint8Array({ maxLength: 8 });
const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.maxSafeNat();
const wall: Arbitrary<WallTime> = u64.map(wallTime);
const few = <Item>(item: Arbitrary<Item>): Arbitrary<Item[]> => fc.array(item, { maxLength: 4 });
const one = <Value extends string>(type: Value): Arbitrary<Value> => fc.constant(type);

export const destination: Arbitrary<Destination> = fc.oneof(
  record({ type: one("node"), nodeId }),
  record({ type: one("resource"), resource: resourceId }),
  record({ type: one("opaque"), id: hex(0, 20) }),
  record({ type: one("compressed"), id: fc.integer({ min: 0, max: 0x7fff }) }),
  record({ type: one("unknown"), code: fc.integer({ min: 4, max: 0x7f }), contents: hex(0, 20) }),
);

const option = record({ type: u8, flags: u8, value: octets });

export const header: Arbitrary<ForwardingHeader> = record({
  overlay: fc.constant(0x9aa32b8d),
  configurationSequence: u16,
  ttl: fc.integer({ min: 1, max: 0xff }),
  transactionId,
  maxResponseLength: u32,
  via: few(destination),
  destinations: few(destination),
  options: few(option),
});

const ipv4 = fc.ipV4();
const ipv6 = fc.array(fc.oneof(fc.constant(0), u16), { minLength: 8, maxLength: 8 }).map(canonicalIpv6);
export const address = record({ host: fc.oneof(ipv4, ipv6), port: u16 });

/** The URL parser of the platform knows RFC 5952. */
function canonicalIpv6(groups: readonly number[]): string {
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]/`).hostname.slice(1, -1);
}

const iceExtensions = few(record({ name: short, value: short }));
const candidateFields = { address, overlayLink: u8, foundation: short, priority: u32, extensions: iceExtensions };
const candidate: Arbitrary<IceCandidate> = fc.oneof(
  record({ ...candidateFields, candidateType: fc.constant(1), relatedAddress: fc.constant(undefined) }),
  record({ ...candidateFields, candidateType: fc.integer({ min: 2, max: 4 }), relatedAddress: address }),
);
const attachment = { ufrag: short, password: octets, role: short, candidates: few(candidate) };

const probeInformation: Arbitrary<ProbeInformation> = fc.oneof(
  record({ type: fc.constantFrom("responsible_set" as const, "num_resources" as const, "uptime" as const), value: u32 }),
  record({ type: one("unknown"), code: fc.integer({ min: 4, max: 255 }), value: octets }),
);

const structure = octets.map((contents) => {
  const whole = new Uint8Array(4 + contents.length);
  new DataView(whole.buffer).setUint32(0, contents.length);
  whole.set(contents, 4);
  return whole;
});
const kindData = record({ kind: u32, generation: u64, values: few(structure) });
const specifier = record({ kind: u32, generation: u64, selection: octets });
const diagnostics = few(record({ kind: u16, contents: octets }));
const diagnosticsRequest = record({ expiration: wall, initiated: wall, flags: fc.bigInt(0n, 2n ** 64n - 1n), extensions: diagnostics });
const diagnosticsResponse = record({ expiration: wall, initiated: wall, received: wall, hopCounter: u8, diagnostics });
const nodes = few(nodeId);

/** One for each type, so that none is forgotten. */
export const bodies: { [Type in MessageBody["type"]]: Arbitrary<Extract<MessageBody, { type: Type }>> | Arbitrary<MessageBody> } = {
  ping_req: record({ type: one("ping_req"), padding: octets }),
  ping_ans: record({ type: one("ping_ans"), responseId: hex(8, 8), time: wall }),
  probe_req: record({ type: one("probe_req"), requested: few(u8) }),
  probe_ans: record({ type: one("probe_ans"), list: few(probeInformation) }),
  attach_req: record({ type: one("attach_req"), ...attachment, sendUpdate: fc.boolean() }),
  attach_ans: record({ type: one("attach_ans"), ...attachment, sendUpdate: fc.boolean() }),
  app_attach_req: record({ type: one("app_attach_req"), ...attachment, application: u16 }),
  app_attach_ans: record({ type: one("app_attach_ans"), ...attachment, application: u16 }),
  config_update_req: record({
    type: one("config_update_req"),
    update: fc.oneof(
      record({ type: one("config"), document: octets }),
      record({ type: one("kind"), kinds: few(octets) }),
    ),
  }),
  config_update_ans: record({ type: one("config_update_ans") }),
  join_req: record({ type: one("join_req"), nodeId, overlayData: octets }),
  join_ans: record({ type: one("join_ans"), overlayData: octets }),
  leave_req: record({
    type: one("leave_req"),
    nodeId,
    leave: fc.oneof(
      record({ type: one("none") }),
      record({ type: fc.constantFrom("from_succ" as const, "from_pred" as const), neighbors: nodes }),
    ),
  }),
  leave_ans: record({ type: one("leave_ans") }),
  update_req: record({
    type: one("update_req"),
    uptime: u32,
    update: fc.oneof(
      record({ type: one("peer_ready") }),
      record({ type: one("neighbors"), predecessors: nodes, successors: nodes }),
      record({ type: one("full"), predecessors: nodes, successors: nodes, fingers: nodes }),
    ),
  }),
  update_ans: record({ type: one("update_ans") }),
  route_query_req: record({ type: one("route_query_req"), sendUpdate: fc.boolean(), destination, overlayData: octets }),
  route_query_ans: record({ type: one("route_query_ans"), nextPeer: nodeId }),
  store_req: record({ type: one("store_req"), resource: resourceId, replicaNumber: u8, kinds: few(kindData) }),
  store_ans: record({
    type: one("store_ans"),
    kinds: few(record({ kind: u32, generation: u64, replicas: nodes })),
  }),
  fetch_req: record({ type: one("fetch_req"), resource: resourceId, specifiers: few(specifier) }),
  fetch_ans: record({ type: one("fetch_ans"), kinds: few(kindData) }),
  stat_req: record({ type: one("stat_req"), resource: resourceId, specifiers: few(specifier) }),
  stat_ans: record({ type: one("stat_ans"), kinds: few(kindData) }),
  find_req: record({ type: one("find_req"), resource: resourceId, kinds: few(u32) }),
  find_ans: record({
    type: one("find_ans"),
    results: few(record({ kind: u32, closest: fc.option(resourceId, { nil: undefined }) })),
  }),
  path_track_req: record({ type: one("path_track_req"), destination, request: diagnosticsRequest }),
  path_track_ans: record({ type: one("path_track_ans"), nextHop: destination, response: diagnosticsResponse }),
  exp_a_req: record({ type: one("exp_a_req"), body: octets }),
  exp_a_ans: record({ type: one("exp_a_ans"), body: octets }),
  exp_b_req: record({ type: one("exp_b_req"), body: octets }),
  exp_b_ans: record({ type: one("exp_b_ans"), body: octets }),
  error: record({ type: one("error"), code: u16, info: octets }),
};

export const extensions: Arbitrary<MessageExtension[]> = few(
  record({ type: u16, critical: fc.constant(false), contents: octets }),
);

const signature: Arbitrary<Signature> = fc.oneof(
  fc.constant(NO_SIGNATURE),
  record({
    algorithm: record({ hash: u8, signature: u8 }),
    identity: record({
      type: fc.constantFrom("cert_hash" as const, "cert_hash_node_id" as const),
      hashAlgorithm: u8,
      hash: hex(0, 32),
    }),
    value: octets,
  }),
);

export const security: Arbitrary<SecurityBlock> = record({ certificates: few(octets), signature });

const place: Arbitrary<StoredPlace> = fc.oneof(
  record({ model: one("single") }),
  record({ model: one("array"), index: u32 }),
  record({ model: one("dictionary"), key: hex(0, 40) }),
);

export const storedData: Arbitrary<StoredData> = record({
  storageTime: wall,
  lifetime: u32,
  place,
  exists: fc.boolean(),
  value: octets,
  signature,
});

const text = fc.string({ unit: "grapheme", maxLength: 20 });

export const peerInfo: Arbitrary<PeerInfo> = record({
  nodeId,
  overlay: address,
  sip: address,
  zone: text,
  incarnation: u64,
  software: text,
});
