import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { instant, wallTime } from "../../../../src/base/time.ts";
import type { Flow } from "../../../../src/sip/ports.ts";
import { CallRecorder, type RecordedCall, RECORDER_LIMITS } from "../../../../src/sip/recorder/call-recorder.ts";
import { hashCrypto } from "../../../support/hash-crypto.ts";
import { type Box, type Phone, SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const FLOW: Flow = { transport: "udp", local: { host: "10.0.0.1", port: 5060 }, remote: { host: "10.0.1.1", port: 5060 }, connection: 0 };

interface Scene {
  readonly world: SipWorld;
  readonly boxes: readonly [Box, Box];
  readonly alice: Phone;
  readonly bob: Phone;
}

function scene(): Scene {
  const world = new SipWorld();
  for (const user of ["alice", "bob"]) world.addUser(user);
  const boxes = [world.box("10.0.0.1"), world.box("10.0.0.2")] as const;
  const [alice, bob] = [world.phone("alice", "10.0.1.1", boxes[0]), world.phone("bob", "10.0.1.2", boxes[1])];
  assert.equal(alice.register().status, 200);
  assert.equal(bob.register().status, 200);
  return { world, boxes, alice, bob };
}

const callsAt = (box: Box): readonly RecordedCall[] => box.core.recorder.calls(0).filter(({ kind }) => kind === "call");
const onlyCall = (box: Box): RecordedCall => {
  const [call, ...others] = callsAt(box);
  assert(call !== undefined && others.length === 0);
  return call;
};
const ladder = (box: Box): string[] => (box.core.recorder.call(onlyCall(box).id)?.messages ?? []).map(({ direction, remote, startLine }) => `${direction} ${remote.host} ${startLine.split(" ").slice(0, startLine.startsWith("SIP") ? 2 : 1).join(" ")}`);

test("a call through two boxes is remembered at both, with its messages in both directions, and how it ended", () => {
  const { world, boxes, alice, bob } = scene();
  bob.answers = ({ method }) => (method === "INVITE" ? [180, 200] : method === "ACK" ? [] : [200]);
  const answer = alice.ask("INVITE", BOB, { to: `<${BOB}>` });
  alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
  world.run();
  const talking = onlyCall(boxes[0]);
  assert(talking.answeredAt !== null && talking.ringingAt !== null && talking.endedAt === null);
  bob.inDialog("BYE", bob.dialogOf(bob.last("INVITE"), answer), { fromTag: answer.toTag });
  world.run();
  const over = onlyCall(boxes[0]);
  assert.deepEqual([over.from, over.to, over.status, over.endedBy], ["alice@example.test", "bob@example.test", 200, "callee"]);
  assert(over.endedAt !== null && over.revision > talking.revision);
  assert.deepEqual(ladder(boxes[0]), [
    "in 10.0.1.1 INVITE", "out 10.0.1.1 SIP/2.0 407", "in 10.0.1.1 ACK", "in 10.0.1.1 INVITE", "out 10.0.1.1 SIP/2.0 100", "out 10.0.0.2 INVITE",
    "in 10.0.0.2 SIP/2.0 100", "in 10.0.0.2 SIP/2.0 180", "out 10.0.1.1 SIP/2.0 180", "in 10.0.0.2 SIP/2.0 200", "out 10.0.1.1 SIP/2.0 200",
    "in 10.0.1.1 ACK", "out 10.0.0.2 ACK", "in 10.0.0.2 BYE", "out 10.0.1.1 BYE", "in 10.0.1.1 SIP/2.0 200", "out 10.0.0.2 SIP/2.0 200",
  ]);
  assert.equal(onlyCall(boxes[1]).id, over.id, "named the same at both boxes");
  const messages = boxes[0].core.recorder.call(over.callId)?.messages ?? [];
  const text = messages.map((message) => message.text).join("\n");
  assert.ok(/Proxy-Authorization: Digest username="alice"/.test(text) && !/response="[0-9a-f]/.test(text) && !/nonce="/.test(text));
});

test("a call that is given up, and one that is refused, say so", () => {
  const { world, boxes, alice, bob } = scene();
  bob.answers = ({ method }) => (method === "INVITE" ? [180] : method === "ACK" ? [] : [200]);
  const invite = alice.request("INVITE", BOB, { to: `<${BOB}>`, callId: "given-up", branch: "z9hG4bKup", cseq: 7, fields: [] });
  const challenged = alice.exchange(invite);
  const credentials = alice.credentials(challenged, "INVITE", BOB);
  alice.exchange(alice.request("INVITE", BOB, { to: `<${BOB}>`, callId: "given-up", branch: "z9hG4bKup2", cseq: 8, fields: [credentials] }));
  alice.send(alice.request("CANCEL", BOB, { to: `<${BOB}>`, callId: "given-up", branch: "z9hG4bKup2", cseq: 8 }));
  world.run(5);
  bob.reply(bob.last("INVITE"), 487);
  world.run();
  const given = callsAt(boxes[0]).find(({ callId }) => callId === "given-up");
  assert.deepEqual([given?.status, given?.endedBy], [487, "caller"]);
  assert(given !== undefined && given.ringingAt !== null && given.answeredAt === null && given.endedAt !== null);
  bob.answers = ({ method }) => (method === "INVITE" ? [486] : method === "ACK" ? [] : [200]);
  assert.equal(alice.ask("INVITE", BOB, { to: `<${BOB}>`, callId: "busy" }).status, 486);
  const busy = callsAt(boxes[0]).find(({ callId }) => callId === "busy");
  assert.deepEqual([busy?.status, busy?.endedBy, busy?.endedAt !== null], [486, null, true]);
});

test("of a phone's registrations the last exchange is remembered, also one that fails", () => {
  const { boxes, alice } = scene();
  alice.register();
  assert.equal(alice.ask("REGISTER", "sip:example.test", { to: `<${alice.aor}>`, callId: "wrong" }, "not-it").status, 401);
  const [last, failed] = boxes[0].core.recorder.calls(0).filter(({ kind }) => kind === "registration");
  assert.deepEqual([last?.from, last?.status], ["alice@example.test", 200]);
  assert.equal(boxes[0].core.recorder.call(last?.id ?? "")?.messages.filter(({ startLine }) => startLine.startsWith("REGISTER")).length, 2, "not those of the time before");
  assert.deepEqual([failed?.status, failed?.endedAt !== null], [401, true]);
});

const message = (start: string, callId: string, more = ""): string =>
  `${start}\r\nVia: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bK${callId}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: ${callId}\r\nCSeq: 1 ${start.split(" ")[0]}\r\n${more}Content-Length: 0\r\n\r\n`;
const recorder = (): CallRecorder => new CallRecorder(hashCrypto, () => wallTime(1), "");

test("calls of the health agent are not remembered, nor what belongs to no call; who only borrows their Call-ID is", () => {
  const { world, boxes, alice } = scene();
  alice.exchange(alice.request("OPTIONS", "sip:example.test"));
  alice.exchange(alice.request("MESSAGE", BOB, { to: `<${BOB}>` }));
  world.run();
  assert.deepEqual(callsAt(boxes[0]), []);
  const book = recorder();
  const trial = message("INVITE sip:x@y SIP/2.0", "ringbox-proof-1");
  book.received(instant(0), FLOW, trial.replace("<sip:a@b>", "<sip:ringbox-proof-1-udp@b>"));
  assert.equal(book.calls(0).length, 0);
  book.received(instant(0), FLOW, trial);
  assert.equal(book.calls(0).length, 1);
});

test("calls, octets and messages have their bounds: the oldest call goes, and the end of a long one is still seen", () => {
  const book = recorder();
  for (let i = 0; i <= RECORDER_LIMITS.calls; i++) book.received(instant(i * 1_000), FLOW, message("INVITE sip:x@y SIP/2.0", `c${i}`));
  assert.equal(book.calls(0).length, RECORDER_LIMITS.calls);
  assert.equal(book.call("c0"), undefined);
  for (let i = 0; i < 100; i++) book.received(instant(2e9), FLOW, message("INFO sip:x@y SIP/2.0", "c5"));
  book.received(instant(2e9), FLOW, message("BYE sip:x@y SIP/2.0", "c5"));
  const long = book.call("c5");
  assert.deepEqual([long?.messages.length, long?.call.leftOut, long?.messages.at(-1)?.startLine], [RECORDER_LIMITS.messages + 1, 53, "BYE sip:x@y SIP/2.0"]);
  assert.equal(long?.call.endedBy, "caller");

  const large = recorder();
  for (let i = 0; i < 700; i++) large.received(instant(i * 1_000), FLOW, message("INVITE sip:x@y SIP/2.0", `l${i}`, `Accept: ${"x".repeat(30_000)}\r\n`));
  const octets = large.calls(0).reduce((sum, { id }) => sum + (large.call(id)?.messages[0]?.text.length ?? 0), 0);
  assert.ok(octets <= RECORDER_LIMITS.octets && octets > RECORDER_LIMITS.octets / 2, String(octets));
});

test("under a flood of new calls some are remembered and the others cost no reading", () => {
  const book = recorder();
  for (let i = 0; i < 5_000; i++) book.received(instant(i), FLOW, message("INVITE sip:x@y SIP/2.0", `f${i}`));
  const kept = book.calls(0).length;
  assert.ok(kept >= 250 && kept <= 460, String(kept));
});

test("who asks for what is newer gets that alone", () => {
  const book = recorder();
  book.received(instant(0), FLOW, message("INVITE sip:x@y SIP/2.0", "one"));
  const { revision } = book;
  book.received(instant(0), FLOW, message("INVITE sip:x@y SIP/2.0", "two"));
  assert.deepEqual(book.calls(revision).map(({ callId }) => callId), ["two"]);
});

test("what was removed is not kept in memory by what was cut out of the same message", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const book = recorder();
  const used = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let i = 0; i < 300; i++) {
    // As it comes from a socket: octets of its own.
    const octets = Buffer.from(message("INVITE sip:x@y SIP/2.0", `call-of-some-length-${i}`, `X-Secret: ${"s".repeat(60_000)}\r\n`), "latin1").toString("latin1");
    book.received(instant(i * 1_000), FLOW, octets);
  }
  const grown = used() - before;
  assert.equal(book.calls(0).length, 300);
  assert.ok(grown < 4_000_000, `${Math.round(grown / 1_000)} kB for messages of 18 MB`);
});
