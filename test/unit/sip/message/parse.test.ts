import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../../../../src/sip/message/limits.ts";
import type { SipRequest, SipResponse } from "../../../../src/sip/message/message.ts";
import { parseMessage, readMessage } from "../../../../src/sip/message/parse.ts";
import { inviteMessage, message, registerMessage } from "../../../support/sip-messages.ts";

function request(octets: string): SipRequest {
  const parsed = parseMessage(octets);
  assert(parsed.ok && parsed.value.type === "request", JSON.stringify(parsed));
  return parsed.value;
}

function response(octets: string): SipResponse {
  const parsed = parseMessage(octets);
  assert(parsed.ok && parsed.value.type === "response", JSON.stringify(parsed));
  return parsed.value;
}

/** "400 Reason" or what it was counted as. */
function fault(octets: string): string {
  const parsed = readMessage(octets);
  assert(!parsed.ok, "there is a fault");
  return parsed.fault.type === "rejected" ? `${parsed.fault.status} ${parsed.fault.reason}` : parsed.fault.event;
}

test("a request has method, Request-URI, fields and body", () => {
  const parsed = request(inviteMessage(["Content-Length: 4"], "v=0\n"));
  assert.deepEqual([parsed.method, parsed.uriText, parsed.fields.length, parsed.body], ["INVITE", "sip:bob@example.test", 7, "v=0\n"]);
});

test("a response has status, reason, fields and body", () => {
  const parsed = response(message(["SIP/2.0 180 Ringing far away", "CSeq: 1 INVITE"], "x"));
  assert.deepEqual([parsed.status, parsed.reason, parsed.fields.length, parsed.body], [180, "Ringing far away", 1, "x"]);
});

test("an empty reason phrase is one", () => {
  assert.equal(response("SIP/2.0 100 \r\n\r\n").reason, "");
  assert.equal(response("SIP/2.0 100\r\n\r\n").status, 100);
});

test("what nobody touched is written as it came", () => {
  for (const octets of [registerMessage(), inviteMessage(["x-Odd :  a\r\n  b ", "m: <sip:c>"], "body")]) {
    assert.equal(request(octets).octets, octets);
  }
});

test("lines may end in LF alone", () => {
  const octets = inviteMessage().replaceAll("\r\n", "\n");
  assert.equal(request(octets).callId, "call-1");
});

test("line ends before the start line are ignored", () => {
  assert.equal(request(`\r\n\r\n${inviteMessage()}`).octets, inviteMessage());
});

test("a datagram without Content-Length has the rest as body", () => {
  assert.equal(request(inviteMessage([], "abc")).body, "abc");
});

test("a datagram whose last header line is whole is taken without the empty line", () => {
  assert.equal(request(inviteMessage().slice(0, -2)).callId, "call-1");
});

test("a datagram cut within a header line is answered 400", () => {
  assert.equal(fault(inviteMessage().slice(0, -5)), "400 Incomplete Message");
});

test("octets behind Content-Length are left out", () => {
  assert.equal(request(inviteMessage(["l: 2"], "abc")).body, "ab");
});

test("keep-alives are no garbage", () => {
  for (const octets of ["", "\r\n", "\r\n\r\n", "\0", "\0\0\0\0"]) assert.equal(fault(octets), "keep-alive");
});

test("a STUN request is seen by its magic cookie", () => {
  assert.equal(fault(`\x00\x01\x00\x00\x21\x12\xa4\x42${"x".repeat(12)}`), "stun");
});

for (const octets of ["x", "hello world\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02", " INVITE sip:a SIP/2.0\r\n\r\n", "INVITE\r\n\r\n", "INVITE SIP/2.0\r\n\r\n", "IN(VITE sip:a SIP/2.0\r\n\r\n"]) {
  test(`${JSON.stringify(octets)} is garbage`, () => {
    assert.equal(fault(octets), "garbage");
  });
}

for (const line of ["SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0 20 OK", "SIP/2.0 2000 OK", "SIP/2.0 -200 OK", "SIP/3.0 200 OK", "SIP/2.0  200 OK", "SIP/2.0", "SIP/2.0 200OK"]) {
  test(`a response that begins ${JSON.stringify(line)} is dropped`, () => {
    assert.equal(fault(inviteMessage().replace("INVITE sip:bob@example.test SIP/2.0", line)), "bad-response");
  });
}

const withStartLine = (line: string): string => inviteMessage().replace("INVITE sip:bob@example.test SIP/2.0", line);

test("the version is read in any case", () => {
  assert.equal(request(withStartLine("INVITE sip:a@b sip/2.0")).uriText, "sip:a@b");
});

for (const [line, wanted] of [
  ["INVITE sip:a@b SIP/3.0", "505 Version Not Supported"],
  ["INVITE sip:a@b SIP/2.00", "505 Version Not Supported"],
  ["INVITE sip:a@b SIP/2", "400 Malformed Request-Line"],
  ["INVITE sip:a@b SIP/2.0 ", "400 Malformed Request-Line"],
  ["INVITE  sip:a@b SIP/2.0", "400 Malformed Request-URI"],
  ["INVITE sip:a@b  SIP/2.0", "400 Malformed Request-URI"],
  ["INVITE sip:a@b?x=y SIP/2.0", "400 Headers in Request-URI"],
  ["INVITE mailto:a@b SIP/2.0", "416 Unsupported URI Scheme"],
] as const) {
  test(`${JSON.stringify(line)} is answered ${wanted}`, () => {
    assert.equal(fault(withStartLine(line)), wanted);
  });
}

for (const [field, wanted] of [
  ["no colon", "400 Malformed Header Field"],
  [": no name", "400 Malformed Header Field"],
  ["bad(name: x", "400 Malformed Header Field"],
  ["Subject: a\rVia: b", "400 Malformed Header Field"],
  ["Content-Length: ", "400 Malformed Content-Length"],
  ["Content-Length: +1", "400 Malformed Content-Length"],
  ["Content-Length: 1 1", "400 Malformed Content-Length"],
  ["Content-Length: 99999999999999999999", "400 Malformed Content-Length"],
  ["Content-Length: 1", "400 Incomplete Body"],
  [`Content-Length: ${LIMITS.body + 1}`, "513 Message Too Large"],
  ["Content-Length: 0\r\nl: 0", "400 Multiple Content-Length"],
] as const) {
  test(`${JSON.stringify(field)} is answered ${wanted}`, () => {
    assert.equal(fault(inviteMessage([field])), wanted);
  });
}

test("a faulty field leaves the others for the answer", () => {
  const parsed = readMessage(inviteMessage(["no colon", "Subject: later"]));
  assert(!parsed.ok && parsed.fault.type === "rejected");
  assert.equal(parsed.fault.request.header("Subject"), "later");
});

test("an ACK is never answered", () => {
  assert.equal(fault(inviteMessage(["no colon"]).replaceAll("INVITE", "ACK")), "bad-ack");
  assert.equal(fault(inviteMessage().replaceAll("INVITE", "ACK").replace("Call-ID", "X")), "bad-ack");
});

test("more header fields than allowed are answered 513", () => {
  const many = (count: number, name: (i: number) => string): string[] => Array.from({ length: count }, (_, i) => `${name(i)}: x`);
  request(inviteMessage(many(LIMITS.fields - 6, (i) => `X-${i}`)));
  assert.equal(fault(inviteMessage(many(LIMITS.fields - 5, (i) => `X-${i}`))), "513 Too Many Header Fields");
  request(inviteMessage(many(LIMITS.fieldsOfOneName, () => "Accept")));
  assert.equal(fault(inviteMessage(many(LIMITS.fieldsOfOneName + 1, () => "Accept"))), "513 Too Many Header Fields");
});

test("a header section longer than allowed is answered 513", () => {
  request(inviteMessage([`Subject: ${"x".repeat(LIMITS.headerSection - 500)}`]));
  assert.equal(fault(inviteMessage([`Subject: ${"x".repeat(LIMITS.headerSection)}`])), "513 Message Too Large");
});

test("a body longer than allowed is answered 513, and a message beyond all limits dropped", () => {
  assert.equal(fault(inviteMessage([], "x".repeat(LIMITS.body + 1))), "513 Message Too Large");
  assert.equal(fault(inviteMessage([], "x".repeat(LIMITS.body + LIMITS.headerSection))), "too-large");
});
