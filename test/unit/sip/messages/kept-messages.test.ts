// MESSAGEs (RFC 3428) to users who are away: kept once, delivered once, in order, by whichever box they come back to.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SipResponse } from "../../../../src/sip/message/message.ts";
import { type Box, type Phone, type RequestOptions, SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const DAY_MS = 24 * 3_600_000;

interface Pair {
  readonly world: SipWorld;
  readonly boxes: readonly [Box, Box];
  readonly alice: Phone;
  readonly bob: Phone;
}

/** Alice is there, at the first box; Bob will be, at the second. */
function away(): Pair {
  const world = new SipWorld();
  for (const name of ["alice", "bob"]) world.addUser(name);
  const boxes = [world.box("10.0.0.1"), world.box("10.0.0.2")] as const;
  world.introduceBoxes();
  const alice = world.phone("alice", "10.0.1.1", boxes[0]);
  const bob = world.phone("bob", "10.0.1.2", boxes[1]);
  assert.equal(alice.register().status, 200);
  return { world, boxes, alice, bob };
}

const say = (phone: Phone, body: string, options: RequestOptions = {}): SipResponse =>
  phone.ask("MESSAGE", BOB, { contact: "", body, fields: ["Content-Type: text/plain"], ...options });
/** With credentials, and patience. */
function proved(phone: Phone, body: string, ms: number): SipResponse {
  const options = { callId: `to-${body}`, body };
  const challenged = phone.exchange(phone.request("MESSAGE", BOB, options));
  return phone.exchange(phone.request("MESSAGE", BOB, { ...options, fields: [phone.credentials(challenged, "MESSAGE", BOB)] }), ms);
}
const told = ({ requests }: Phone): readonly string[] => requests.filter(({ method }) => method === "MESSAGE").map(({ body }) => body);

test("a message to a user who is away is accepted with 202, and comes after his next REGISTER, with the sender's From", () => {
  const { world, alice, bob } = away();
  assert.equal(say(alice, "hello").status, 202);
  assert.equal(bob.register().status, 200);
  world.run(2_000);
  assert.deepEqual(told(bob), ["hello"]);
  const message = bob.last("MESSAGE");
  assert.equal(message.header("from"), "<sip:alice@example.test>;tag=tag-alice");
  assert.equal(message.header("content-type"), "text/plain");
  assert.ok(message.header("date"));
});

test("several come in the order in which they were taken, each once, however often the phone registers", () => {
  const { world, alice, bob } = away();
  for (const body of ["one", "two", "three"]) {
    assert.equal(say(alice, body).status, 202);
    world.run(1_000);
  }
  bob.register();
  world.run(100);
  bob.register();
  world.run(5_000);
  bob.register();
  world.run(5_000);
  assert.deepEqual(told(bob), ["one", "two", "three"]);
});

test("when the box that took it is dead, another one delivers it", () => {
  const { world, alice, bob, boxes } = away();
  assert.equal(say(alice, "hello").status, 202);
  boxes[0].isAlive = false;
  bob.register();
  world.run(2_000);
  assert.deepEqual(told(bob), ["hello"]);
});

test("a sender that repeats the same message has sent it once", () => {
  const { world, alice, bob } = away();
  const options = { callId: "same", cseq: 7 };
  assert.equal(say(alice, "hello", options).status, 202);
  assert.equal(say(alice, "hello", options).status, 202);
  bob.register();
  world.run(2_000);
  assert.equal(say(alice, "hello", { ...options, branch: "z9hG4bK-again" }).status, 200);
  assert.equal(told(bob).filter((body) => body === "hello").length, 2, "the last one went to the phone that is there");
  bob.register({ expires: 0 });
  world.run(1_000);
  assert.equal(say(alice, "hello", { ...options, branch: "z9hG4bK-and-again" }).status, 202);
  bob.register();
  world.run(2_000);
  assert.equal(told(bob).length, 2);
});

test("a phone that is registered and silent: the message is kept within eight seconds, and taken back when it answers late", () => {
  const { world, alice, bob } = away();
  bob.answers = ({ method }) => (method === "MESSAGE" ? [] : [200]);
  bob.register();
  assert.equal(proved(alice, "slow", 9_000).status, 202);
  assert.equal([...world.messagesOf("bob@example.test").values()][0]?.state, "waiting");
  bob.reply(bob.last("MESSAGE"), 200);
  world.run(1_000);
  assert.equal([...world.messagesOf("bob@example.test").values()][0]?.state, "delivered");
});

test("a phone that is there gets its message at once, and nothing is kept", () => {
  const { world, alice, bob } = away();
  bob.register();
  assert.equal(say(alice, "now").status, 200);
  world.run(20_000);
  assert.deepEqual(told(bob), ["now"]);
  assert.equal(world.messagesOf("bob@example.test").size, 0);
});

test("a body too large to be kept is 413, a message that must arrive now 480, an unknown user 404, a stranger's 480", () => {
  const { world, alice, boxes } = away();
  assert.equal(say(alice, "x".repeat(2_049)).status, 413);
  assert.equal(say(alice, "now", { fields: ["Content-Type: text/plain", "Expires: 0"] }).status, 480);
  assert.equal(alice.ask("MESSAGE", "sip:nobody@example.test", { body: "?" }).status, 404);
  const stranger = world.phone("eve", "192.0.2.66", boxes[0]);
  assert.equal(stranger.ask("MESSAGE", BOB, { from: "<sip:eve@elsewhere.example>", body: "spam" }).status, 480);
  assert.equal(world.messagesOf("bob@example.test").size, 0);
});

test("beyond fifty messages the sender is told that nobody is there", () => {
  const { alice } = away();
  for (let i = 0; i < 50; i++) assert.equal(say(alice, `message ${i}`).status, 202);
  assert.equal(say(alice, "one too many").status, 480);
});

test("a ring that cannot keep it says so: no 202", () => {
  const { world, alice } = away();
  const challenged = alice.exchange(alice.request("MESSAGE", BOB, { callId: "c", body: "lost?" }));
  alice.send(alice.request("MESSAGE", BOB, { callId: "c", body: "lost?", fields: [alice.credentials(challenged, "MESSAGE", BOB)] }));
  world.run(4);
  world.isStoreAvailable = false;
  world.run(100);
  assert.equal(alice.responses.at(-1)?.status, 503);
});

test("after a week it is gone", () => {
  const { world, alice, bob } = away();
  assert.equal(say(alice, "old").status, 202);
  world.run(7 * DAY_MS + 1);
  bob.register();
  world.run(2_000);
  assert.deepEqual(told(bob), []);
});

test("a phone that comes back and goes again without a word gets it after the REGISTER after that", () => {
  const { world, alice, bob } = away();
  assert.equal(say(alice, "hello").status, 202);
  bob.answers = ({ method }) => (method === "MESSAGE" ? [] : [200]);
  bob.register();
  world.run(40_000);
  bob.answers = () => [200];
  bob.register();
  world.run(2_000);
  assert.equal(told(bob).at(-1), "hello");
  assert.equal([...world.messagesOf("bob@example.test").values()][0]?.state, "delivered");
});

test("phones that come back at two boxes at once get it at one of them", () => {
  const { world, alice, bob, boxes } = away();
  const other = world.phone("bob", "10.0.1.7", boxes[0]);
  assert.equal(say(alice, "once").status, 202);
  const registers = [bob, other].map((phone) => {
    const request = { to: `<${phone.aor}>`, callId: `reg-${phone.address.host}` };
    const challenged = phone.exchange(phone.request("REGISTER", "sip:example.test", request));
    return () => phone.send(phone.request("REGISTER", "sip:example.test", { ...request, fields: [phone.credentials(challenged, "REGISTER", "sip:example.test")] }));
  });
  for (const register of registers) register();
  world.run(5_000);
  assert.deepEqual([...told(bob), ...told(other)], ["once"]);
});

test("a phone that wants no messages is not asked again", () => {
  const { world, alice, bob } = away();
  assert.equal(say(alice, "hello").status, 202);
  bob.answers = ({ method }) => (method === "MESSAGE" ? [405] : [200]);
  bob.register();
  world.run(2_000);
  bob.register();
  world.run(2_000);
  assert.deepEqual(told(bob), ["hello"]);
});
