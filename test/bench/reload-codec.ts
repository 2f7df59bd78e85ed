// How many RELOAD messages a second one core encodes and decodes. Prints, judges nothing.
// Run: node test/bench/reload-codec.ts

import type { TransactionId } from "../../src/overlay/wire/identifiers.ts";
import { DATA_OVERHEAD, FrameDecoder, putDataFrame } from "../../src/overlay/wire/framing.ts";
import { decodeMessage, encodeMessage, type Message } from "../../src/overlay/wire/message.ts";
import { decodeHeader } from "../../src/overlay/wire/forwarding-header.ts";
import { rewriteForForwarding } from "../../src/overlay/wire/forwarding.ts";
import { decodeStoredData, encodeUnsignedStoredData } from "../../src/overlay/wire/stored-data.ts";
import { A, ALICE, B, BINDING, bindingStore, EDGE_BINDING, header, OVERLAY } from "../conformance/overlay-wire/own-messages.ts";

const ROUNDS = 200_000;

function measure(name: string, run: () => void): void {
  for (let i = 0; i < 20_000; i++) run();
  const start = process.hrtime.bigint();
  for (let i = 0; i < ROUNDS; i++) run();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const rate = Math.round(ROUNDS / seconds).toLocaleString("en");
  console.log(`${name.padEnd(44)} ${rate.padStart(10)}/s  ${((seconds / ROUNDS) * 1e6).toFixed(2)} us`);
}

const toOwner = header([
  { type: "node", nodeId: B },
  { type: "resource", resource: ALICE },
]);
const store: Message = { header: toOwner, body: bindingStore, extensions: [] };
const ping: Message = {
  header: header([{ type: "node", nodeId: B }]),
  body: { type: "ping_req", padding: new Uint8Array(0) },
  extensions: [],
};
const answer: Message = {
  header: header([{ type: "node", nodeId: A }], { transactionId: "0011223344556677" as TransactionId }),
  body: { type: "store_ans", kinds: [{ kind: EDGE_BINDING, generation: 9, replicas: [A, B] }] },
  extensions: [],
};

function both(message: Message): void {
  if (!decodeMessage(encodeMessage(message), OVERLAY).ok) throw new Error("did not decode");
}

const storeBytes = encodeMessage(store);
console.log(`StoreReq of ${storeBytes.length} bytes`);
measure("StoreReq encode", () => encodeMessage(store));
measure("StoreReq decode", () => decodeMessage(storeBytes, OVERLAY));
measure("StoreReq encode and decode", () => both(store));
measure("StoreReq, its value encoded and decoded too", () => {
  const value = encodeUnsignedStoredData(BINDING);
  const kinds = [{ kind: EDGE_BINDING, generation: 0, values: [value] }];
  const bytes = encodeMessage({ ...store, body: { type: "store_req", resource: ALICE, replicaNumber: 0, kinds } });
  const decoded = decodeMessage(bytes, OVERLAY);
  if (!decoded.ok || decoded.value.body.type !== "store_req") throw new Error("did not decode");
  const first = decoded.value.body.kinds[0]?.values[0];
  if (first === undefined || !decodeStoredData(first, "dictionary").ok) throw new Error("no value");
});
measure("StoreAns encode and decode", () => both(answer));
measure("Ping encode and decode", () => both(ping));
measure("header peek and rewrite for forwarding", () => {
  const decoded = decodeHeader(storeBytes, OVERLAY);
  if (decoded.ok) rewriteForForwarding(storeBytes, decoded.value, { dropDestinations: 1, appendVia: { type: "node", nodeId: A } });
});

const batch = new Uint8Array(50 * (storeBytes.length + DATA_OVERHEAD));
for (let i = 0, at = 0; i < 50; i++) at = putDataFrame(batch, at, i, storeBytes);
const frames = new FrameDecoder(65_536);
measure("frame decoding, 50 frames in a piece", () => frames.decode(batch));
