import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isStun, stunAnswer } from "../../../../src/sip/transport/stun.ts";
import { DOMAIN, SipWorld } from "../../../support/sip-harness.ts";

const octets = (hex: string): string => Buffer.from(hex.replaceAll(" ", ""), "hex").toString("latin1");
const hex = (text: string | undefined): string => Buffer.from(text ?? "", "latin1").toString("hex");
const TRANSACTION = "b7e7a701bc34d686fa87dfae";
const REQUEST = octets(`0001 0000 2112a442 ${TRANSACTION}`);

test("a Binding request learns its source, masked as RFC 5769 section 2.2 shows it", () => {
  const answer = stunAnswer(REQUEST, { host: "192.0.2.1", port: 32_853 });
  assert.equal(hex(answer), `0101000c2112a442${TRANSACTION}002000080001a147e112a643`);
});

test("an IPv6 source is masked with the transaction as RFC 5769 section 2.3 shows it", () => {
  const answer = stunAnswer(REQUEST, { host: "2001:db8:1234:5678:11:2233:4455:6677", port: 32_853 });
  assert.equal(hex(answer), `010100182112a442${TRANSACTION}002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9`);
});

test("attributes that may be passed over are, and an unknown one that must be understood is named in a 420", () => {
  const withSoftware = octets(`0001 0008 2112a442 ${TRANSACTION} 8022 0003 61626300`);
  assert.equal(hex(stunAnswer(withSoftware, { host: "192.0.2.1", port: 1 })).slice(0, 4), "0101");
  const withUnknown = octets(`0001 0008 2112a442 ${TRANSACTION} 0003 0004 00000006`);
  assert.match(hex(stunAnswer(withUnknown, { host: "192.0.2.1", port: 1 })), /^0111.*0414.*000a00020003/);
});

test("whatever else begins like STUN is not answered, and nothing breaks", () => {
  for (const text of [octets(`0101 0000 2112a442 ${TRANSACTION}`), octets(`0001 0000 00000000 ${TRANSACTION}`), octets(`0001 0004 2112a442 ${TRANSACTION}`), "\0"]) {
    assert.equal(stunAnswer(text, { host: "192.0.2.1", port: 1 }), undefined);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    const answer = stunAnswer(REQUEST.slice(0, 2) + Buffer.from(bytes).toString("latin1"), { host: "192.0.2.1", port: 1 });
    assert.ok(answer === undefined || answer.length <= 64);
  }));
});

test("the SIP port answers STUN, and SIP goes on beside it", () => {
  const world = new SipWorld();
  const phone = world.phone("alice", "10.0.1.1", world.box("10.0.0.1"));
  phone.send(REQUEST);
  world.run();
  assert.ok(isStun(phone.heard[0] ?? ""));
  assert.equal(hex(phone.heard[0]).slice(0, 4), "0101");
  assert.equal(phone.exchange(phone.request("OPTIONS", `sip:${DOMAIN}`)).status, 200);
});
