// Which message belongs to which transaction (RFC 3261 17.1.3, 17.2.3), seen from outside.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SipWorld } from "../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const FROM = "<sip:eve@elsewhere.example>";

function ringing() {
  const world = new SipWorld();
  world.addUser("bob");
  const box = world.box("10.0.0.1");
  const bob = world.phone("bob", "10.0.1.2", box);
  bob.register();
  bob.answers = () => [];
  const eve = world.phone("eve", "192.0.2.66", box);
  const heard = () => bob.requests.filter(({ method }) => method !== "ACK").length;
  return { world, box, bob, eve, heard };
}

test("the branch is compared without case, and with the sent-by", () => {
  const { world, eve, heard } = ringing();
  const octets = eve.request("INVITE", BOB, { from: FROM, branch: "z9hG4bKabc" });
  eve.send(octets);
  world.run();
  eve.send(octets.replace("z9hG4bKabc", "Z9HG4BKABC"));
  world.run();
  assert.equal(heard(), 1);
  eve.send(octets.replace("192.0.2.66:5060;branch", "192.0.2.66:5061;branch"));
  world.run();
  assert.equal(heard(), 2);
});

test("the same branch with another method is another transaction", () => {
  const { world, eve, heard } = ringing();
  eve.send(eve.request("INVITE", BOB, { from: FROM, branch: "z9hG4bKabc" }));
  eve.send(eve.request("MESSAGE", BOB, { from: FROM, branch: "z9hG4bKabc" }));
  world.run();
  assert.equal(heard(), 2);
});

test("without the cookie a repeated INVITE, its CANCEL and its ACK are matched as RFC 2543 did", () => {
  const { world, eve, bob, heard } = ringing();
  const octets = eve.request("INVITE", BOB, { from: FROM, branch: "1" });
  eve.send(octets);
  eve.send(octets);
  world.run();
  assert.equal(heard(), 1);
  bob.reply(bob.last("INVITE"), 180);
  world.run();
  eve.send(octets.replace("INVITE sip:", "CANCEL sip:").replace(/(CSeq: \d+) INVITE/, "$1 CANCEL"));
  world.run();
  assert.equal(eve.responses.some(({ cseq, status }) => cseq?.method === "CANCEL" && status === 200), true);
  bob.reply(bob.last("INVITE"), 487);
  world.run();
  const count = eve.responses.filter(({ status }) => status === 487).length;
  eve.send(octets.replace("INVITE sip:", "ACK sip:").replace(/(CSeq: \d+) INVITE/, "$1 ACK"));
  world.run(20_000);
  assert.equal(eve.responses.filter(({ status }) => status === 487).length, count);
});

test("a response with a wrong method in CSeq or a wrong branch is a stray", () => {
  const { world, box, eve, bob } = ringing();
  eve.send(eve.request("INVITE", BOB, { from: FROM }));
  world.run();
  const before = eve.responses.length;
  const good = "SIP/2.0 486 Busy Here\r\n";
  const copied = bob.last("INVITE").octets.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq)/.test(line)).join("\r\n");
  bob.send(`${good}${copied.replace(/CSeq: (\d+) INVITE/, "CSeq: $1 BYE")}\r\nContent-Length: 0\r\n\r\n`);
  bob.send(`${good}${copied.replace(/branch=z9hG4bK/, "branch=z9hG4bKx")}\r\nContent-Length: 0\r\n\r\n`);
  world.run();
  assert.equal(eve.responses.length, before);
  assert.equal(box.counted.filter((event) => event === "stray-response").length, 2);
  bob.send(`${good}${copied}\r\nContent-Length: 0\r\n\r\n`);
  world.run();
  assert.equal(eve.responses.at(-1)?.status, 486);
});

test("an ACK to a failure matches its INVITE, is not sent on and not answered", () => {
  const { world, eve, bob } = ringing();
  const octets = eve.request("INVITE", "sip:bob@example.test", { from: FROM });
  eve.send(octets);
  world.run();
  bob.reply(bob.last("INVITE"), 404);
  world.run();
  const before = bob.requests.length;
  eve.send(octets.replace("INVITE sip:", "ACK sip:").replace(/(CSeq: \d+) INVITE/, "$1 ACK"));
  world.run();
  assert.equal(bob.requests.length, before);
});

test("a request lost on the way out is sent again until it is answered", () => {
  const { world, bob, eve } = ringing();
  let lost = 2;
  world.loses = (_, to) => to.host === "10.0.1.2" && lost-- > 0;
  bob.answers = () => [200];
  eve.send(eve.request("MESSAGE", BOB, { from: FROM }));
  world.run(1_400);
  assert.equal(bob.requests.length, 0);
  world.run(200);
  assert.equal(bob.requests.length, 1);
  assert.equal(eve.responses.at(-1)?.status, 200);
});

test("a closed connection ends the transactions on it", () => {
  const world = new SipWorld();
  world.addUser("bob");
  const box = world.box("10.0.0.1");
  const bob = world.phone("bob", "10.0.1.2", box, "tcp");
  bob.register();
  bob.answers = () => [];
  const eve = world.phone("eve", "192.0.2.66", box);
  eve.send(eve.request("INVITE", BOB, { from: FROM }));
  world.run();
  bob.hangUpConnection();
  world.run();
  assert.equal(eve.responses.at(-1)?.status, 480);
  assert.equal(box.core.snapshot().clientTransactions, 0);
});
