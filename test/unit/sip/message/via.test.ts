import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVia, responseAddress, serializeVia, stampVia, type Via } from "../../../../src/sip/message/via.ts";

function via(text: string): Via {
  const parsed = parseVia(text);
  assert(parsed !== undefined, `${text} is a Via`);
  return parsed;
}

test("a Via has transport, sent-by and its known parameters", () => {
  const { parameters, ...rest } = via("SIP/2.0/udp Pc.Example.com:5062;branch=z9hG4bKx;rport;received=192.0.2.1;ttl=1");
  assert.deepEqual(rest, { transport: "UDP", host: "pc.example.com", port: 5062, branch: "z9hG4bKx", received: "192.0.2.1", rport: "asked" });
  assert.equal(parameters.length, 4);
});

test("white space may stand around slashes and the colon", () => {
  const read = via("SIP  / 2.0  / TCP     spindle.example.com : 99  ;  branch  =   z9hG4bK9ikj8");
  assert.deepEqual([read.transport, read.host, read.port, read.branch], ["TCP", "spindle.example.com", 99, "z9hG4bK9ikj8"]);
});

for (const text of ["", "SIP/2.0", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0/UDPhost", "SIP/2.0/UDP h;;x", "SIP/2.0/UDP h:;x", "SIP/2.0/UDP h;rport=x", "/2.0/UDP h", "SIP/2.0/UDP h x"]) {
  test(`${JSON.stringify(text)} is no Via`, () => {
    assert.equal(parseVia(text), undefined);
  });
}

const source = { host: "198.51.100.7", port: 40_000 };

test("received is added where sent-by is not the source", () => {
  const stamped = stampVia(via("SIP/2.0/UDP pc.example.com:5062;branch=b"), source);
  assert.equal(serializeVia(stamped), "SIP/2.0/UDP pc.example.com:5062;branch=b;received=198.51.100.7");
  assert.deepEqual(responseAddress(stamped), { host: "198.51.100.7", port: 5062 });
});

test("received is not added where sent-by is the source", () => {
  const stamped = stampVia(via("SIP/2.0/UDP 198.51.100.7;branch=b"), source);
  assert.deepEqual([stamped.received, responseAddress(stamped)], [undefined, { host: "198.51.100.7", port: 5060 }]);
});

test("rport is filled in where it was asked for, and received with it", () => {
  const stamped = stampVia(via("SIP/2.0/UDP 198.51.100.7:5060;rport;branch=b"), source);
  assert.equal(serializeVia(stamped), "SIP/2.0/UDP 198.51.100.7:5060;branch=b;rport=40000;received=198.51.100.7");
  assert.deepEqual(responseAddress(stamped), source);
});

test("what the sender claims to be received from is overwritten", () => {
  const stamped = stampVia(via("SIP/2.0/UDP h;received=203.0.113.9;rport=1;branch=b"), source);
  assert.deepEqual(responseAddress(stamped), source);
  assert.deepEqual(via(serializeVia(stamped)), stamped);
});

test("an IPv6 source is written without brackets", () => {
  const stamped = stampVia(via("SIP/2.0/UDP [2001:db8::9]:5060;branch=b"), { host: "2001:db8::1", port: 5060 });
  assert.equal(serializeVia(stamped), "SIP/2.0/UDP [2001:db8::9]:5060;branch=b;received=2001:db8::1");
});
