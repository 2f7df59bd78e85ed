import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipRequest } from "../../../../src/sip/message/message.ts";
import { parseMessage } from "../../../../src/sip/message/parse.ts";
import { inviteMessage, message } from "../../../support/sip-messages.ts";

function request(octets: string): SipRequest {
  const parsed = parseMessage(octets);
  assert(parsed.ok && parsed.value.type === "request");
  return parsed.value;
}

test("compact forms, odd cases, folds and white space are all the same field", () => {
  const parsed = request(message([
    "OPTIONS sip:b SIP/2.0", "v: SIP/2.0/UDP a;branch=z9hG4bK1", "f : <sip:a>;tag=1", "T\t:\r\n <sip:b>", "i:id", "cSEQ: 1\r\n   OPTIONS",
    "l:0", "K: Path", "SUPPORTED: Outbound,\r\n\tgruu", "mAX-fORWARDS: 70",
  ]));
  assert.equal(parsed.topVia?.branch, "z9hG4bK1");
  assert.deepEqual([parsed.fromTag, parsed.to?.uriText, parsed.callId, parsed.contentLength, parsed.maxForwards], ["1", "sip:b", "id", 0, 70]);
  assert.deepEqual(parsed.cseq, { number: 1, method: "OPTIONS" });
  assert.deepEqual(parsed.supported, ["path", "outbound", "gruu"]);
});

test("header names are asked for in any form", () => {
  const parsed = request(inviteMessage(["X-Thing: 1", "x-thing: 2"]));
  assert.deepEqual([parsed.header("x-THING"), parsed.header("i"), parsed.header("CALL-ID")], ["1", "call-1", "call-1"]);
  assert.deepEqual(parsed.headers("X-Thing"), ["1", "2"]);
  assert(parsed.has("t") && !parsed.has("Subject"));
});

test("a list is divided at commas outside quotes and angle brackets", () => {
  const parsed = request(inviteMessage(['Contact: "a,b" <sip:x,y@b>;p="c,d", <sip:c>', "m: sip:d"]));
  assert(Array.isArray(parsed.contacts));
  assert.deepEqual(parsed.contacts.map((contact) => contact.uriText), ["sip:x,y@b", "sip:c", "sip:d"]);
});

test("the wildcard stands alone", () => {
  assert.equal(request(inviteMessage(["Contact: *"])).contacts, "*");
  assert.equal(request(inviteMessage(["Contact: *, <sip:a>"])).contacts, undefined);
});

test("absent lists are empty, malformed ones undefined", () => {
  const parsed = request(inviteMessage(["Route: <sip:a", "Path: <sip:p1;lr>, <sip:p2;lr>"]));
  assert.deepEqual([parsed.contacts, parsed.routes, parsed.recordRoutes], [[], undefined, []]);
  assert.deepEqual(parsed.paths?.map((path) => path.uriText), ["sip:p1;lr", "sip:p2;lr"]);
});

test("numbers out of range are undefined", () => {
  const parsed = request(inviteMessage(["Expires: 4294967296"]).replace("Max-Forwards: 70", "Max-Forwards: 256").replace("CSeq: 7", "CSeq: 4294967296"));
  assert.deepEqual([parsed.expires, parsed.maxForwards, parsed.cseq], [undefined, undefined, undefined]);
});

test("credentials of other schemes are left out", () => {
  const parsed = request(inviteMessage(["Authorization: Basic eDp5", 'Authorization: Digest username="u", realm="r", nonce="n", uri="sip:r", response="00"']));
  assert.deepEqual(parsed.authorization.map((credentials) => credentials.username), ["u"]);
});

test("stamping changes the first Via value and nothing else", () => {
  const octets = inviteMessage(["Via: SIP/2.0/UDP c"]).replace("branch=z9hG4bKabc", "branch=z9hG4bKabc, SIP/2.0/UDP b;branch=2");
  const parsed = request(octets);
  parsed.stampReceived({ host: "192.0.2.3", port: 99 });
  assert.equal(
    parsed.octets,
    octets.replace("10.99.0.7:5060;rport;branch=z9hG4bKabc", "10.99.0.7:5060;branch=z9hG4bKabc;rport=99;received=192.0.2.3"),
  );
  assert.deepEqual([parsed.topVia?.received, parsed.topVia?.rport, parsed.vias?.length], ["192.0.2.3", 99, 3]);
});

test("stamping a Via that needs nothing leaves the message as it came", () => {
  const octets = inviteMessage().replace(";rport", "");
  const parsed = request(octets);
  parsed.stampReceived({ host: "10.99.0.7", port: 5060 });
  assert.equal(parsed.octets, octets);
});
