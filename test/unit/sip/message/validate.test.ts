import assert from "node:assert/strict";
import { test } from "node:test";
import { readMessage } from "../../../../src/sip/message/parse.ts";
import { judge } from "../../../support/sip-verdict.ts";
import { inviteMessage, message } from "../../../support/sip-messages.ts";

const reason = (octets: string): string => {
  const read = readMessage(octets);
  if (read.ok) return "valid";
  return read.fault.type === "rejected" ? `${read.fault.status} ${read.fault.reason}` : read.fault.event;
};

const LINES = ["Via: SIP/2.0/UDP 10.99.0.7:5060;rport;branch=z9hG4bKabc", "From: <sip:alice@example.test>;tag=a1", "To: <sip:bob@example.test>", "Call-ID: call-1", "CSeq: 7 INVITE"];

for (const line of LINES) {
  const name = line.slice(0, line.indexOf(":"));
  test(`a request without ${name}, or with a malformed one, is refused`, () => {
    assert.equal(reason(inviteMessage().replace(`${line}\r\n`, "")), name === "Via" ? "unanswerable" : `400 Missing ${name}`);
    assert.equal(reason(inviteMessage().replace(line, `${name}: <`)), name === "Call-ID" ? "valid" : `400 Malformed ${name}`);
  });
  if (name !== "Via") {
    test(`a request with two ${name} is answered 400`, () => {
      assert.equal(reason(inviteMessage([line])), `400 Multiple ${name}`);
    });
  }
}

test("a request without Max-Forwards is valid, with two or a wrong one it is not", () => {
  assert.equal(reason(inviteMessage().replace("Max-Forwards: 70\r\n", "")), "valid");
  assert.equal(reason(inviteMessage(["Max-Forwards: 70"])), "400 Multiple Max-Forwards");
  assert.equal(reason(inviteMessage().replace("Max-Forwards: 70", "Max-Forwards: many")), "400 Malformed Max-Forwards");
});

test("more Via values than hops are possible is answered 400", () => {
  const vias = (count: number): string => `Via: ${new Array(count).fill("SIP/2.0/UDP a").join(",")}`;
  assert.equal(reason(inviteMessage([vias(69)])), "valid");
  assert.equal(reason(inviteMessage([vias(70)])), "400 Too Many Vias");
});

test("a magic cookie with nothing behind it is no transaction identifier", () => {
  assert.equal(reason(inviteMessage().replace("z9hG4bKabc", "z9hG4bK")), "400 Missing Transaction Identifier");
});

test("a malformed Contact or Route is answered 400", () => {
  assert.equal(reason(inviteMessage(["Contact: <sip:a>;;"])), "400 Malformed Contact");
  assert.equal(reason(inviteMessage(["Contact: *"])), "400 Malformed Contact");
  assert.equal(reason(inviteMessage(["Route: <sip:a"])), "400 Malformed Route");
});

test("CSeq must have the request's method; an unknown method with another one is not implemented", () => {
  assert.equal(reason(inviteMessage().replace("7 INVITE", "7 BYE")), "400 CSeq Method Mismatch");
  assert.equal(reason(inviteMessage().replace("INVITE sip", "DANCE sip")), "501 Not Implemented");
  assert.equal(reason(inviteMessage().replaceAll("INVITE", "DANCE")), "valid");
});

const register = (...fields: string[]): string =>
  message(["REGISTER sip:example.test SIP/2.0", "Via: SIP/2.0/UDP a;branch=z9hG4bKx", "From: <sip:a@b>;tag=1", "To: <sip:a@b>", "Call-ID: c", "CSeq: 1 REGISTER", ...fields]);

for (const [fields, verdict] of [
  [["Contact: <sip:a@c>"], "pass"],
  [[], "pass"],
  [["Contact: *", "Expires: 0"], "pass"],
  [["Contact: *"], 400],
  [["Contact: *", "Expires: 1"], 400],
  [["Contact: *, <sip:a@c>", "Expires: 0"], 400],
  [["Contact: *", "Contact: <sip:a@c>", "Expires: 0"], 400],
  [["Contact: <tel:+1>"], 400],
] as const) {
  test(`REGISTER with ${fields.join(" and ") || "no Contact"}: ${verdict}`, () => {
    assert.equal(judge(register(...fields)), verdict);
  });
}

test("a response without one of its five fields is dropped", () => {
  const ringing = inviteMessage().replace("INVITE sip:bob@example.test SIP/2.0", "SIP/2.0 180 Ringing");
  assert.equal(reason(ringing), "valid");
  for (const line of LINES) assert.equal(reason(ringing.replace(`${line}\r\n`, "")), "bad-response");
});
