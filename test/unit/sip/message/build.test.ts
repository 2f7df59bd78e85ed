import assert from "node:assert/strict";
import { test } from "node:test";
import { ackTo, cancelOf, makeRequest, responseTo } from "../../../../src/sip/message/build.ts";
import type { SipRequest } from "../../../../src/sip/message/message.ts";
import { parseMessage, readMessage } from "../../../../src/sip/message/parse.ts";
import { inviteMessage } from "../../../support/sip-messages.ts";

function request(octets: string): SipRequest {
  const parsed = parseMessage(octets);
  assert(parsed.ok && parsed.value.type === "request");
  return parsed.value;
}

const invite = request(inviteMessage(["Via: SIP/2.0/TCP b;branch=2", "Timestamp: 54", "Subject: x", "Route: <sip:p1;lr>, <sip:p2;lr>"]));

test("a response copies Via, From, To, Call-ID and CSeq in order, and tags To", () => {
  assert.equal(
    responseTo(invite, 486, "", { toTag: "t1", fields: [["Retry-After", "5"]] }).octets,
    [
      "SIP/2.0 486 Busy Here",
      "Via: SIP/2.0/UDP 10.99.0.7:5060;rport;branch=z9hG4bKabc",
      "From: <sip:alice@example.test>;tag=a1",
      "To: <sip:bob@example.test>;tag=t1",
      "Call-ID: call-1",
      "CSeq: 7 INVITE",
      "Via: SIP/2.0/TCP b;branch=2",
      "Retry-After: 5",
      "Content-Length: 0\r\n\r\n",
    ].join("\r\n"),
  );
});

test("a 100 has no tag of ours and the Timestamp", () => {
  const trying = responseTo(invite, 100, "", { toTag: "t1" });
  assert.deepEqual([trying.toTag, trying.header("Timestamp"), trying.reason], ["", "54", "Trying"]);
});

test("a tag that is there stays", () => {
  const inDialog = request(inviteMessage().replace("To: <sip:bob@example.test>", "t: sip:bob@example.test;tag=old"));
  assert.equal(responseTo(inDialog, 200, "OK", { toTag: "new" }).toTag, "old");
});

test("a tag is added to an addr-spec as header parameter", () => {
  const bare = request(inviteMessage().replace("To: <sip:bob@example.test>", "To: sip:bob@example.test"));
  assert.equal(responseTo(bare, 200, "OK", { toTag: "new" }).toTag, "new");
});

test("a body is counted", () => {
  const response = responseTo(invite, 200, "OK", { fields: [["Content-Type", "text/plain"]], body: "abc" });
  assert(response.octets.endsWith("Content-Length: 3\r\n\r\nabc"));
});

test("of fields that occur twice in a bad request the first is copied", () => {
  const read = readMessage(inviteMessage(["To: <sip:other>", "CSeq: 9 INVITE"]));
  assert(!read.ok && read.fault.type === "rejected");
  const response = responseTo(read.fault.request, 400, read.fault.reason, { toTag: "t" });
  assert.deepEqual([response.headers("To"), response.headers("CSeq")], [["<sip:bob@example.test>;tag=t"], ["7 INVITE"]]);
});

test("ACK goes where the request went, with the response's To", () => {
  const ack = ackTo(invite, responseTo(invite, 486, "", { toTag: "t1" }));
  assert.equal(
    ack.octets,
    [
      "ACK sip:bob@example.test SIP/2.0",
      "Via: SIP/2.0/UDP 10.99.0.7:5060;rport;branch=z9hG4bKabc",
      "Max-Forwards: 70",
      "Route: <sip:p1;lr>, <sip:p2;lr>",
      "From: <sip:alice@example.test>;tag=a1",
      "To: <sip:bob@example.test>;tag=t1",
      "Call-ID: call-1",
      "CSeq: 7 ACK",
      "Content-Length: 0\r\n\r\n",
    ].join("\r\n"),
  );
});

test("CANCEL goes where the request went, with the request's To", () => {
  const cancel = cancelOf(invite);
  assert.deepEqual([cancel.method, cancel.uriText, cancel.toTag, cancel.cseq, cancel.vias?.length], ["CANCEL", invite.uriText, "", { number: 7, method: "CANCEL" }, 1]);
  assert(readMessage(cancel.octets).ok);
});

test("a request of our own parses", () => {
  const options = makeRequest("OPTIONS", "sip:b", [["Via", "SIP/2.0/UDP a;branch=z9hG4bKx"], ["From", "<sip:a>;tag=1"], ["To", "<sip:b>"], ["Call-ID", "c"], ["CSeq", "1 OPTIONS"]], "hi");
  const read = readMessage(options.octets);
  assert(read.ok && read.value.body === "hi");
});
