// Frames of an independent encoder (../shared/reload): read, understood, written again to the same
// bytes, and their signatures verified.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { equalBytes, fromHex, toHex, toOctets } from "../../../src/base/bytes.ts";
import { overlayHash, parseResourceId, resourceIdOf } from "../../../src/overlay/wire/identifiers.ts";
import { ERROR } from "../../../src/overlay/wire/code-points.ts";
import { decodeDiagnosticsRequest, encodeDiagnosticsRequest } from "../../../src/overlay/wire/diagnostics-bodies.ts";
import { FrameDecoder, putAck, putDataFrame } from "../../../src/overlay/wire/framing.ts";
import {
  type DecodedMessage,
  decodeMessage,
  encodeWithSecurity,
  verifyMessage,
} from "../../../src/overlay/wire/message.ts";
import type { MessageBody } from "../../../src/overlay/wire/message-body.ts";
import {
  type DataModel,
  decodeSelection,
  decodeStoredData,
  decodeStoredMetaData,
  encodeSelection,
  encodeStoredData,
  encodeStoredMetaData,
  type StoredData,
  verifyStoredData,
} from "../../../src/overlay/wire/stored-data.ts";
import { nodeCrypto } from "../../support/node-crypto.ts";
import { sharedPath } from "../../support/shared.ts";

const vectors = sharedPath("reload/vectors");
const skip = vectors === undefined ? "needs ../shared/reload/vectors" : false;

const crypto = nodeCrypto();
const OVERLAY = 0x9aa32b8d;
const A = "11111111111111111111111111111111";
const B = "8f000000000000000000000000000001";
const C = "c0000000000000000000000000000003";
const ALICE = "45a6b241a242c97f0492d382c390dfa3";
const RESOURCE_OF_A = "54f8a180f4b72382c52000a5197e56be";
const MODELS: ReadonlyMap<number, DataModel> = new Map<number, DataModel>([
  [1, "dictionary"],
  [2, "single"],
  [3, "array"],
  [0xf0000001, "single"],
]);

const frameBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(vectors ?? "", `${name}.bin`)));

function messageBytes(name: string): Uint8Array {
  const frames = new FrameDecoder(65_536).decode(frameBytes(name));
  assert.ok(frames.ok);
  const frame = frames.value[0];
  assert.ok(frames.value.length === 1 && frame?.type === "data");
  return frame.message;
}

function message(name: string): DecodedMessage {
  const decoded = decodeMessage(messageBytes(name), OVERLAY);
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.fault.reason);
  return decoded.value;
}

function body<Type extends MessageBody["type"]>(name: string, type: Type): Extract<MessageBody, { type: Type }> {
  const found = message(name).body;
  assert.equal(found.type, type);
  return found as Extract<MessageBody, { type: Type }>;
}

const certificate = (file: string): Uint8Array =>
  new Uint8Array(new X509Certificate(readFileSync(sharedPath(`reload/${file}`) ?? "")).raw);

const text = (bytes: Uint8Array): string => toOctets(bytes);

const NOT_OURS = { "44-path_track_req_ws102": "the message code an old Wireshark used for PathTrack" };

const dataFrames = (): string[] =>
  readdirSync(vectors ?? "")
    .map((file) => file.replace(".bin", ""))
    .filter((name) => name !== "03-ack" && !(name in NOT_OURS));

test("the overlay's name and a resource's name hash as the reference says", () => {
  assert.equal(overlayHash("overlay.example.org", crypto), OVERLAY);
  assert.equal(resourceIdOf("alice@example.org", crypto), ALICE);
});

test("every golden message is encoded to the same bytes again", { skip }, () => {
  for (const name of dataFrames()) {
    assert.equal(toHex(encodeWithSecurity(message(name))), toHex(messageBytes(name)), name);
  }
});

test("every golden frame is framed to the same bytes again", { skip }, () => {
  for (const name of dataFrames()) {
    const frame = frameBytes(name);
    const again = new Uint8Array(frame.length);
    const sequence = new DataView(frame.buffer, frame.byteOffset).getUint32(1);
    assert.equal(putDataFrame(again, 0, sequence, messageBytes(name)), frame.length, name);
    assert.ok(equalBytes(again, frame), name);
  }
});

test("the golden acknowledgement is read and written", { skip }, () => {
  const frames = new FrameDecoder(65_536).decode(frameBytes("03-ack"));
  assert.ok(frames.ok);
  const ack = frames.value[0];
  assert.ok(ack?.type === "ack");
  assert.equal(ack.sequence, 0);
  const again = new Uint8Array(9);
  putAck(again, 0, ack.sequence, ack.received);
  assert.equal(toHex(again), toHex(frameBytes("03-ack")));
});

test("every golden message is signed by the certificate it carries, which is a.pem or b.pem", { skip }, () => {
  const known = [certificate("a.pem"), certificate("b.pem")].map(toHex);
  for (const name of dataFrames()) {
    const signer = verifyMessage(message(name), crypto);
    assert.ok(signer.ok, `${name}: ${signer.ok ? "" : signer.fault.reason}`);
    assert.ok(known.includes(toHex(signer.value)), name);
  }
});

test("a golden message with one bit of its contents changed does not verify", { skip }, () => {
  const bytes = messageBytes("01-ping_req").slice();
  bytes[38 + 18 + 9] = (bytes[38 + 18 + 9] ?? 0) ^ 1;
  const decoded = decodeMessage(bytes, OVERLAY);
  assert.ok(decoded.ok);
  assert.ok(!verifyMessage(decoded.value, crypto).ok);
});

test("a message code of no RFC is dropped without an answer", { skip }, () => {
  const decoded = decodeMessage(messageBytes("44-path_track_req_ws102"), OVERLAY);
  assert.ok(!decoded.ok);
  assert.equal(decoded.fault.error, undefined);
});

test("Ping: padding, response id and time; the header around it", { skip }, () => {
  assert.equal(body("01-ping_req", "ping_req").padding.length, 2);
  const answer = body("02-ping_ans", "ping_ans");
  assert.equal(answer.responseId, "1122334455667788");
  assert.equal(answer.time, 1_795_371_665_010);
  const { header } = message("01-ping_req");
  assert.deepEqual(header.destinations, [{ type: "node", nodeId: B }]);
  assert.deepEqual(header.via, []);
  assert.equal(header.transactionId, "33ec1d24b5d7b4e7");
  assert.equal(header.configurationSequence, 22);
  assert.equal(header.ttl, 100);
});

test("Probe: what is asked and answered", { skip }, () => {
  assert.deepEqual(body("04-probe_req", "probe_req").requested, [1, 2, 3]);
  assert.deepEqual(body("05-probe_ans", "probe_ans").list, [
    { type: "responsible_set", value: 333_333_333 },
    { type: "num_resources", value: 17 },
    { type: "uptime", value: 3600 },
  ]);
});

test("Attach and AppAttach: roles, candidates, application", { skip }, () => {
  const request = body("06-attach_req", "attach_req");
  assert.equal(text(request.role), "passive");
  assert.equal(request.sendUpdate, true);
  const [candidate] = request.candidates;
  assert.deepEqual(candidate?.address, { host: "192.0.2.1", port: 6084 });
  assert.equal(candidate?.overlayLink, 4);
  assert.equal(candidate?.priority, 2_130_706_431);
  assert.equal(candidate?.candidateType, 1);
  assert.equal(text(body("07-attach_ans", "attach_ans").role), "active");
  assert.equal(body("08-app_attach_req", "app_attach_req").application, 5060);
  assert.equal(text(body("09-app_attach_ans", "app_attach_ans").role), "active");
});

test("Join and Leave: who, and what Chord adds", { skip }, () => {
  assert.equal(body("10-join_req", "join_req").nodeId, A);
  assert.equal(body("11-join_ans", "join_ans").overlayData.length, 0);
  assert.deepEqual(body("12-leave_req", "leave_req"), {
    type: "leave_req",
    nodeId: A,
    leave: { type: "from_succ", neighbors: [B, C] },
  });
  body("13-leave_ans", "leave_ans");
});

test("Update: its three forms", { skip }, () => {
  assert.deepEqual(body("14-update_ready", "update_req"), {
    type: "update_req",
    uptime: 77,
    update: { type: "peer_ready" },
  });
  assert.deepEqual(body("15-update_neighbors", "update_req").update, {
    type: "neighbors",
    predecessors: [C, B],
    successors: [B, C],
  });
  assert.deepEqual(body("16-update_full", "update_req").update, {
    type: "full",
    predecessors: [C],
    successors: [B],
    fingers: [B, C],
  });
  body("17-update_ans", "update_ans");
});

test("RouteQuery: destination and next peer", { skip }, () => {
  const query = body("18-route_query_req", "route_query_req");
  assert.equal(query.sendUpdate, true);
  assert.deepEqual(query.destination, { type: "resource", resource: ALICE });
  assert.equal(body("19-route_query_ans", "route_query_ans").nextPeer, B);
});

function storedIn(name: string): { stored: StoredData; kind: number; raw: Uint8Array; resource: string } {
  const found = message(name).body;
  assert.ok(found.type === "store_req" || found.type === "fetch_ans");
  const kindData = found.kinds[0];
  const raw = kindData?.values[0];
  assert.ok(kindData !== undefined && raw !== undefined);
  const stored = decodeStoredData(raw, MODELS.get(kindData.kind) ?? "single");
  assert.ok(stored.ok, name);
  return { stored: stored.value, kind: kindData.kind, raw, resource: found.type === "store_req" ? found.resource : ALICE };
}

const STORES: Record<string, { kind: number; resource: string | undefined; place: StoredData["place"]; generation: number }> = {
  "20-store_req_sip": { kind: 1, resource: ALICE, place: { model: "dictionary", key: A }, generation: 0 },
  "23-store_req_cert": { kind: 3, resource: RESOURCE_OF_A, place: { model: "array", index: 0xffffffff }, generation: 0 },
  "24-store_req_turn": { kind: 2, resource: undefined, place: { model: "single" }, generation: 0 },
  "25-store_req_private": { kind: 0xf0000001, resource: ALICE, place: { model: "single" }, generation: 3 },
  "28-fetch_ans": { kind: 1, resource: ALICE, place: { model: "dictionary", key: A }, generation: 5 },
};

test("stored values: kind, place, and the same bytes again", { skip }, () => {
  for (const [name, wanted] of Object.entries(STORES)) {
    const { stored, kind, raw, resource } = storedIn(name);
    assert.equal(kind, wanted.kind, name);
    if (wanted.resource !== undefined) assert.equal(resource, wanted.resource, name);
    assert.deepEqual(stored.place, wanted.place, name);
    assert.equal(toHex(encodeStoredData(stored)), toHex(raw), name);
  }
});

test("stored values are signed by their writer for their resource, and for no other", { skip }, () => {
  const certificates = [certificate("a.pem"), certificate("b.pem")];
  for (const name of Object.keys(STORES)) {
    const { stored, kind, resource } = storedIn(name);
    const place = parseResourceId(resource);
    const other = parseResourceId(B);
    assert.ok(place !== undefined && other !== undefined);
    assert.ok(verifyStoredData(place, kind, stored, certificates, crypto), name);
    assert.ok(!verifyStoredData(other, kind, stored, certificates, crypto), name);
    assert.ok(!verifyStoredData(place, kind + 1, stored, certificates, crypto), name);
  }
});

test("Store answer: generation and replicas", { skip }, () => {
  assert.deepEqual(body("21-store_ans", "store_ans").kinds, [{ kind: 1, generation: 5, replicas: [B, C] }]);
});

test("Fetch: all keys, a range of an array, a single value", { skip }, () => {
  const all = body("27-fetch_req_dict_all", "fetch_req");
  assert.equal(all.resource, ALICE);
  assert.deepEqual(decodeSelection(all.specifiers[0]?.selection ?? fromHex("ff"), "dictionary"), {
    ok: true,
    value: { model: "dictionary", keys: [] },
  });
  const [certificates, turn] = body("30-fetch_req_array", "fetch_req").specifiers;
  const ranges = decodeSelection(certificates?.selection ?? fromHex("ff"), "array");
  assert.ok(ranges.ok && ranges.value.model === "array");
  assert.equal(ranges.value.ranges.length, 1);
  assert.equal(toHex(encodeSelection(ranges.value)), toHex(certificates?.selection ?? fromHex("")));
  assert.equal(turn?.kind, 2);
  assert.equal(turn?.selection.length, 0);
});

test("Stat: metadata of a value", { skip }, () => {
  assert.equal(body("32-stat_req", "stat_req").resource, ALICE);
  const raw = body("33-stat_ans", "stat_ans").kinds[0]?.values[0];
  assert.ok(raw !== undefined);
  const meta = decodeStoredMetaData(raw, "dictionary");
  assert.ok(meta.ok);
  assert.deepEqual(meta.value.place, { model: "dictionary", key: A });
  assert.equal(meta.value.exists, true);
  assert.equal(meta.value.hashAlgorithm, 4);
  assert.equal(meta.value.hash.length, 64);
  assert.equal(toHex(encodeStoredMetaData(meta.value)), toHex(raw));
});

test("Find: the closest resource, and none for an unknown kind", { skip }, () => {
  assert.deepEqual(body("34-find_req", "find_req"), { type: "find_req", resource: ALICE, kinds: [1, 2] });
  assert.deepEqual(body("35-find_ans", "find_ans").results, [
    { kind: 1, closest: ALICE },
    { kind: 2, closest: undefined },
  ]);
});

test("ConfigUpdate: a kind block in XML", { skip }, () => {
  const { update } = body("37-config_update_kind", "config_update_req");
  assert.ok(update.type === "kind");
  assert.match(text(update.kinds[0] ?? fromHex("")), /^<kind-block /);
  body("38-config_update_ans", "config_update_ans");
});

test("errors: code and text", { skip }, () => {
  const forbidden = body("40-error_forbidden", "error");
  assert.equal(forbidden.code, ERROR.Error_Forbidden);
  assert.equal(text(forbidden.info), "no");
  assert.equal(body("42-error_loop_7851", "error").code, ERROR.Error_Loop_Detected);
});

test("diagnostics: PathTrack, and the extension of Ping", { skip }, () => {
  const track = body("43-path_track_req_7851", "path_track_req");
  assert.deepEqual(track.destination, { type: "node", nodeId: B });
  assert.equal(track.request.flags, 4n);
  assert.deepEqual(track.request.extensions, []);
  const extension = message("45-diag_ping_ext2").extensions[0];
  assert.equal(extension?.type, 2);
  assert.equal(extension?.critical, false);
  const request = decodeDiagnosticsRequest(extension?.contents ?? fromHex(""));
  assert.ok(request.ok);
  assert.equal(request.value.flags, 4n);
  assert.equal(toHex(encodeDiagnosticsRequest(request.value)), toHex(extension?.contents ?? fromHex("")));
  assert.equal(message("46-diag_ping_ext3").extensions[0]?.type, 3);
});

test("damaged golden messages never throw, and what is accepted is encoded to the same bytes", { skip }, () => {
  const originals = dataFrames().map(messageBytes);
  const damage = fc.tuple(
    fc.constantFrom(...originals),
    fc.array(fc.tuple(fc.nat(1500), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    fc.option(fc.nat(1500), { nil: undefined }),
  );
  fc.assert(
    fc.property(damage, ([original, changes, cut]) => {
      const bytes = original.slice(0, cut ?? original.length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      if (cut !== undefined && bytes.length >= 20) new DataView(bytes.buffer).setUint32(16, bytes.length);
      const decoded = decodeMessage(bytes, OVERLAY);
      if (!decoded.ok) return;
      if (decoded.value.body.type === "find_ans" || decoded.value.body.type === "path_track_req") return;
      assert.equal(toHex(encodeWithSecurity(decoded.value)), toHex(bytes));
    }),
    { numRuns: 2000 },
  );
});
