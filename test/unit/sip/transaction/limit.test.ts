import assert from "node:assert/strict";
import { test } from "node:test";
import { instant } from "../../../../src/base/time.ts";
import { responseTo } from "../../../../src/sip/message/build.ts";
import type { ValidRequest } from "../../../../src/sip/message/message.ts";
import { readMessage } from "../../../../src/sip/message/parse.ts";
import { Outbox } from "../../../../src/sip/outbox.ts";
import type { Flow } from "../../../../src/sip/ports.ts";
import { TransactionLayer } from "../../../../src/sip/transaction/transaction-layer.ts";
import { LocalEnds } from "../../../../src/sip/transport/local-ends.ts";
import { Transport } from "../../../../src/sip/transport/transport.ts";
import { settingsOf } from "../../../support/sip-harness.ts";

const FLOW: Flow = { transport: "udp", local: { host: "10.0.0.1", port: 5060 }, remote: { host: "10.0.0.2", port: 5060 }, connection: 0 };
const NOW = instant(0);

function request(method: string, branch: number): ValidRequest {
  const octets = `${method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK${branch}\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: ${branch}\r\nCSeq: 1 ${method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`;
  const read = readMessage(octets);
  assert.ok(read.ok && read.value.type === "request");
  return read.value;
}

function layerOf(limit: number): { readonly layer: TransactionLayer; readonly outbox: Outbox } {
  const outbox = new Outbox();
  return { layer: new TransactionLayer(outbox, new Transport(outbox), new LocalEnds(settingsOf("", "0".repeat(32))), limit), outbox };
}

test("at the bound the oldest answered transaction makes room, an unanswered one never", () => {
  const { layer } = layerOf(3);
  const first = layer.serve(NOW, request("MESSAGE", 1), FLOW);
  layer.serve(NOW, request("MESSAGE", 2), FLOW);
  layer.serve(NOW, request("INVITE", 3), FLOW);
  assert.equal(layer.hasRoom(), false);
  layer.respond(NOW, first, responseTo(request("MESSAGE", 1), 200));
  assert.equal(layer.hasRoom(), true);
  assert.equal(layer.serverTransactions, 2);
  assert.equal(layer.findServer(request("MESSAGE", 1)), undefined);
  assert.ok(layer.findServer(request("MESSAGE", 2)));
});

test("thousands of transactions end by themselves, each at its time", () => {
  const { layer } = layerOf(10_000);
  for (let i = 0; i < 5_000; i++) layer.serve(instant(i), request("MESSAGE", i), FLOW);
  layer.tick(instant(32_000 + 2_499));
  assert.equal(layer.serverTransactions, 2_500);
  layer.tick(instant(40_000));
  assert.equal(layer.serverTransactions, 0);
  assert.equal(layer.nextDeadline(), undefined);
});
