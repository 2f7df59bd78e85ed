// One of each kind of message this profile sends that no golden frame shows: unsigned, private
// kinds, private extensions, the experimental exchange, source-routed and forwarded.

import { generateKeyPairSync } from "node:crypto";
import { fromHex, fromOctets } from "../../../src/base/bytes.ts";
import { wallTime } from "../../../src/base/time.ts";
import type { NodeId, PeerInfo, ResourceId } from "../../../src/overlay/ports.ts";
import type { Destination } from "../../../src/overlay/wire/destination.ts";
import { EXTENSION } from "../../../src/overlay/wire/code-points.ts";
import { rewriteForForwarding } from "../../../src/overlay/wire/forwarding.ts";
import type { ForwardingHeader } from "../../../src/overlay/wire/forwarding-header.ts";
import { decodeHeader } from "../../../src/overlay/wire/forwarding-header.ts";
import { parseNodeId, parseResourceId, type TransactionId } from "../../../src/overlay/wire/identifiers.ts";
import { encodeMessage, encodeSignedMessage, type MessageExtension } from "../../../src/overlay/wire/message.ts";
import type { MessageBody } from "../../../src/overlay/wire/message-body.ts";
import { encodeIntroduction } from "../../../src/overlay/wire/peer-info.ts";
import { makeSigner, type Signer } from "../../../src/overlay/wire/security-block.ts";
import { ALL_OF, encodeSelection, encodeUnsignedStoredData, signStoredData } from "../../../src/overlay/wire/stored-data.ts";
import { nodeCrypto } from "../../support/node-crypto.ts";

export const OVERLAY = 0x9aa32b8d;
export const EDGE_BINDING = 0xf0000001;
export const SUBSCRIBER = 0xf0000002;

export function nodeId(hex: string): NodeId {
  const id = parseNodeId(hex);
  if (id === undefined) throw new Error(`not a Node-ID: ${hex}`);
  return id;
}

export function resourceId(hex: string): ResourceId {
  const id = parseResourceId(hex);
  if (id === undefined) throw new Error(`not a Resource-ID: ${hex}`);
  return id;
}

export const A = nodeId("11111111111111111111111111111111");
export const B = nodeId("8f000000000000000000000000000001");
export const ALICE = resourceId("45a6b241a242c97f0492d382c390dfa3");

export const header = (destinations: readonly Destination[], more?: Partial<ForwardingHeader>): ForwardingHeader => ({
  overlay: OVERLAY,
  configurationSequence: 1,
  ttl: 100,
  transactionId: "33ec1d24b5d7b4e7" as TransactionId,
  maxResponseLength: 0,
  via: [],
  destinations,
  options: [],
  ...more,
});

const toNode: readonly Destination[] = [{ type: "node", nodeId: B }];
const toResource: readonly Destination[] = [...toNode, { type: "resource", resource: ALICE }];

export const PEER: PeerInfo = {
  nodeId: A,
  overlay: { host: "192.0.2.1", port: 6084 },
  sip: { host: "2001:db8::5060:0:1", port: 5060 },
  zone: "Gebäude 2",
  incarnation: 7,
  software: "ringbox/0.1.0",
};

export const BINDING = {
  storageTime: wallTime(1_795_371_665_010),
  lifetime: 3600,
  place: { model: "dictionary", key: "00112233445566778899aabbccddeeff0011223344556677" },
  exists: true,
  value: fromOctets("sip:alice@192.0.2.7:5062;transport=udp|192.0.2.7:5062|expires=3600|cseq=17|call-id=9af1"),
} as const;

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
/** The codec does not look into certificates, so a bare public key stands for one where nothing else looks. */
export const PUBLIC_KEY = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
export const signerWith = (certificate: Uint8Array): Signer => makeSigner(certificate, nodeCrypto(privateKey));

const unsigned = (to: readonly Destination[], body: MessageBody, extensions: readonly MessageExtension[] = []): Uint8Array =>
  encodeMessage({ header: header(to), body, extensions });

export const bindingStore: MessageBody = {
  type: "store_req",
  resource: ALICE,
  replicaNumber: 0,
  kinds: [{ kind: EDGE_BINDING, generation: 0, values: [encodeUnsignedStoredData(BINDING)] }],
};

const subscriber = { ...BINDING, place: { model: "single" }, value: fromOctets("ha1=00ff") } as const;

const candidate = {
  address: PEER.overlay,
  overlayLink: 4,
  foundation: fromOctets("1"),
  priority: 2_130_706_431,
  candidateType: 1,
  relatedAddress: undefined,
  extensions: [],
};

const attach = (type: "attach_req" | "attach_ans", role: string): MessageBody => ({
  type,
  ufrag: new Uint8Array(0),
  password: new Uint8Array(0),
  role: fromOctets(role),
  candidates: [candidate],
  sendUpdate: true,
});

const introduction = { info: PEER, inRing: true, time: 1_767_225_600_000, ringAge: 86_400_000, aside: false };
const peerInfo: MessageExtension = { type: EXTENSION.peer_info, critical: false, contents: encodeIntroduction(introduction) };
const replicaRead: MessageExtension = { type: EXTENSION.replica_read, critical: false, contents: new Uint8Array(0) };

const specifiers = [
  { kind: EDGE_BINDING, generation: 0, selection: encodeSelection(ALL_OF.dictionary) },
  { kind: SUBSCRIBER, generation: 4, selection: encodeSelection(ALL_OF.single) },
];
function forwarded(message: Uint8Array): Uint8Array {
  const decoded = decodeHeader(message, OVERLAY);
  if (!decoded.ok) throw new Error(decoded.fault.reason);
  return rewriteForForwarding(message, decoded.value, { dropDestinations: 1, appendVia: { type: "node", nodeId: B } });
}

export interface OwnMessage {
  readonly message: Uint8Array;
  /** What Wireshark calls it. */
  readonly label: string;
}

/** By name. `certificate` (DER) is the one the signed messages carry. */
export function ownMessages(certificate: Uint8Array): Record<string, OwnMessage> {
  const signer = signerWith(certificate);
  const bindingAnswer = [
    { kind: EDGE_BINDING, generation: 9, values: [encodeUnsignedStoredData(BINDING)] },
    { kind: SUBSCRIBER, generation: 4, values: [signStoredData(ALICE, SUBSCRIBER, subscriber, signer)] },
  ];
  const signedPing = encodeSignedMessage(
    {
      header: header([...toNode, { type: "node", nodeId: A }]),
      body: { type: "ping_req", padding: new Uint8Array(0) },
      extensions: [],
    },
    signer,
  );
  return {
    "unsigned ping": { message: unsigned(toNode, { type: "ping_req", padding: new Uint8Array(0) }), label: "Ping Request" },
    "unsigned ping answer": {
      message: unsigned(toNode, { type: "ping_ans", responseId: "1122334455667788", time: BINDING.storageTime }),
      label: "Ping Response",
    },
    "store of a binding": { message: unsigned(toResource, bindingStore), label: "Store Request" },
    "store of a signed value of a private kind": {
      message: unsigned(toResource, { type: "store_req", resource: ALICE, replicaNumber: 1, kinds: bindingAnswer }),
      label: "Store Request",
    },
    "store answer": {
      message: unsigned(toNode, { type: "store_ans", kinds: [{ kind: EDGE_BINDING, generation: 9, replicas: [A, B] }] }),
      label: "Store Response",
    },
    "fetch of both kinds": {
      message: unsigned(toResource, { type: "fetch_req", resource: ALICE, specifiers }),
      label: "Fetch Request",
    },
    "fetch from a replica": {
      message: unsigned(toResource, { type: "fetch_req", resource: ALICE, specifiers }, [replicaRead]),
      label: "Fetch Request",
    },
    "fetch answer": { message: unsigned(toNode, { type: "fetch_ans", kinds: bindingAnswer }), label: "Fetch Response" },
    "attach with peer info": { message: unsigned(toNode, attach("attach_req", "passive"), [peerInfo]), label: "Attach Request" },
    "attach answer with peer info": {
      message: unsigned(toNode, attach("attach_ans", "active"), [peerInfo]),
      label: "Attach Response",
    },
    "experimental request": {
      message: unsigned(toNode, { type: "exp_a_req", body: fromHex("01".repeat(70)) }),
      label: "Exp_B Request",
    },
    "experimental answer": { message: unsigned(toNode, { type: "exp_a_ans", body: fromHex("02".repeat(70)) }), label: "Exp_B Response" },
    "leave without lists": {
      message: unsigned(toNode, { type: "leave_req", nodeId: A, leave: { type: "none" } }),
      label: "Leave Request",
    },
    "signed and source-routed ping": { message: signedPing, label: "Ping Request" },
    "forwarded ping": { message: forwarded(signedPing), label: "Ping Request" },
  };
}
