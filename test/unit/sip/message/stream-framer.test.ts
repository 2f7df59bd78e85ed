import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LIMITS } from "../../../../src/sip/message/limits.ts";
import { type Framed, StreamFramer } from "../../../../src/sip/message/stream-framer.ts";
import { inviteMessage } from "../../../support/sip-messages.ts";

const withBody = (body: string): string => inviteMessage([`Content-Length: ${body.length}`], body);
const ONE = withBody("first body\r\n\r\nof it");
const TWO = inviteMessage(["l:\r\n 0"]).replaceAll("\r\n", "\n");
const THREE = withBody("");

const names = (framed: readonly Framed[]): string[] =>
  framed.map((one) => (one.type === "broken" ? `${one.event} ${one.rejection?.status ?? "-"} ${one.rejection?.reason ?? ""}`.trim() : one.type));

const messages = (framed: readonly Framed[]): string[] => framed.flatMap((one) => (one.type === "message" ? [one.octets] : []));

test("messages are cut by their Content-Length", () => {
  assert.deepEqual(new StreamFramer().push(ONE + TWO + THREE), [ONE, TWO, THREE].map((octets) => ({ type: "message", octets })));
});

test("any division into chunks gives the same messages", () => {
  const stream = `\r\n${ONE}\r\n\r\n${TWO}${THREE}\r\n`;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: stream.length - 1 }), { maxLength: 60 }), (cuts) => {
      const framer = new StreamFramer();
      const framed: Framed[] = [];
      let at = 0;
      for (const cut of [...new Set(cuts), stream.length].sort((a, b) => a - b)) {
        framed.push(...framer.push(stream.slice(at, cut)));
        at = cut;
      }
      assert.deepEqual(messages(framed), [ONE, TWO, THREE]);
      assert.equal(framed.filter((one) => one.type === "ping").length, 1);
      assert.equal(framer.pending, 0);
    }),
    { numRuns: 500 },
  );
});

test("one octet at a time gives the same messages", () => {
  const framer = new StreamFramer();
  assert.deepEqual(messages([...(ONE + TWO + THREE)].flatMap((octet) => framer.push(octet))), [ONE, TWO, THREE]);
});

test("a double CRLF is a ping, also in two pieces; a single one is nothing", () => {
  const framer = new StreamFramer();
  assert.deepEqual(names(framer.push("\r\n")), []);
  assert.deepEqual(names(framer.push("\r\n")), ["ping"]);
  assert.deepEqual(names(framer.push(`\r\n\r\n\r\n\r\n${THREE}`)), ["ping", "message"]);
});

test("a message in the middle waits, and what it holds is counted", () => {
  const framer = new StreamFramer();
  assert.deepEqual(framer.push(ONE.slice(0, -3)), []);
  assert.equal(framer.pending, ONE.length - 3);
  assert.deepEqual(names(framer.push(ONE.slice(-3))), ["message"]);
  assert.equal(framer.pending, 0);
});

for (const [octets, wanted] of [
  [inviteMessage(), "no-content-length 400 Missing Content-Length"],
  [inviteMessage(["Content-Length: -1"]), "bad-content-length 400 Malformed Content-Length"],
  [inviteMessage(["Content-Length: 1", "l: 1"]), "bad-content-length 400 Multiple Content-Length"],
  [inviteMessage([`Content-Length: ${LIMITS.body + 1}`]), "too-large 513 Message Too Large"],
  [inviteMessage(["Content-Length: 1"]).replaceAll("INVITE", "ACK").replace("Content-Length: 1", "X: 1"), "no-content-length -"],
  ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "no-content-length -"],
  ["\x16\x03\x01\x02\x00\x01", "garbage -"],
  [inviteMessage([`Subject: ${"x".repeat(LIMITS.headerSection)}`]), "too-large 513 Message Too Large"],
  ["x".repeat(LIMITS.headerSection + 1), "too-large -"],
] as const) {
  test(`${JSON.stringify(octets.slice(0, 24))}… of ${octets.length} octets breaks the stream: ${wanted}`, () => {
    const framer = new StreamFramer();
    assert.deepEqual(names(framer.push(octets)), [wanted]);
    assert.deepEqual(framer.push(THREE), [], "nothing follows");
    assert.equal(framer.pending, 0);
  });
}

test("messages before the fault are given out", () => {
  assert.deepEqual(names(new StreamFramer().push(ONE + inviteMessage())), ["message", "no-content-length 400 Missing Content-Length"]);
});

test("a header section that never ends breaks the stream in whatever pieces it comes", () => {
  const framer = new StreamFramer();
  let framed: readonly Framed[] = [];
  for (let i = 0; i < LIMITS.headerSection && framed.length === 0; i++) {
    framed = framer.push("Subject: x\r\n");
    assert(framer.pending <= LIMITS.headerSection);
  }
  assert.deepEqual(names(framed), ["too-large -"]);
});

test("the largest body passes", () => {
  const large = withBody("x".repeat(LIMITS.body));
  const framer = new StreamFramer();
  const framed: Framed[] = [];
  for (let at = 0; at < large.length; at += 1_400) framed.push(...framer.push(large.slice(at, at + 1_400)));
  assert.equal(messages(framed)[0], large);
});
