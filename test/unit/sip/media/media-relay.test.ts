import assert from "node:assert/strict";
import { test } from "node:test";
import type { MediaQuestion, TransportName } from "../../../../src/sip/ports.ts";
import { type Phone, type RequestOptions, SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const PLAIN = "v=0\r\nc=IN IP4 192.168.1.2\r\nm=audio 4000 RTP/AVP 0\r\n";
const BROWSERS = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:abcd\r\na=fingerprint:sha-256 00\r\n";
const BEHIND = { alice: "<sip:alice@192.168.1.2:5060>", bob: "<sip:bob@192.168.7.7:5060>" };

interface Story {
  readonly world: SipWorld;
  readonly alice: Phone;
  readonly bob: Phone;
}

/** Alice and Bob at two boxes with a relay that says `relayed for SIDE`. */
function story(aliceBy: TransportName, bobBy: TransportName, bobs: RequestOptions = {}): Story {
  const world = new SipWorld();
  world.relays = ({ verb, towards }) => `${verb} relayed for ${towards}`;
  for (const user of ["alice", "bob"]) world.addUser(user);
  const [first, second] = [world.box("10.0.0.1"), world.box("10.0.0.2")];
  for (const box of [first, second]) box.core.setMediaRelay(true);
  const alice = world.phone("alice", "10.0.1.1", first, aliceBy);
  const bob = world.phone("bob", "10.0.1.2", second, bobBy);
  assert.equal(alice.register().status, 200);
  assert.equal(bob.register(bobs).status, 200);
  bob.describes = bobBy === "wss" ? BROWSERS : PLAIN;
  bob.answers = ({ method }) => (method === "INVITE" ? [180, 200] : method === "ACK" ? [] : [200]);
  return { world, alice, bob };
}

const call = ({ alice }: Story, body: string, options: RequestOptions = {}) =>
  alice.ask("INVITE", BOB, { to: `<${BOB}>`, body, ...options, fields: ["Content-Type: application/sdp"] });

const verbs = ({ mediaQuestions }: SipWorld): readonly string[] => mediaQuestions.map(({ verb }) => verb);

test("a browser that calls a telephone is relayed: each side has a description for its kind", () => {
  const told = story("wss", "udp");
  const answer = call(told, BROWSERS);
  assert.equal(told.bob.last("INVITE").body, "offer relayed for plain");
  assert.equal(told.bob.last("INVITE").header("content-length"), "23");
  assert.equal(answer.status, 200);
  assert.equal(answer.body, "answer relayed for webrtc");
});

test("a telephone that calls a browser is relayed", () => {
  const told = story("udp", "wss");
  assert.equal(call(told, PLAIN).body, "answer relayed for plain");
  assert.equal(told.bob.last("INVITE").body, "offer relayed for webrtc");
});

for (const [way, aliceBy, bobBy, body] of [["two browsers", "wss", "wss", BROWSERS], ["two telephones on one LAN", "udp", "udp", PLAIN]] as const) {
  test(`${way} send each other sound by themselves`, () => {
    const told = story(aliceBy, bobBy);
    assert.equal(call(told, body).body, told.bob.describes);
    assert.deepEqual(told.world.mediaQuestions, []);
  });
}

test("two telephones behind different NATs are relayed, with no other change than the addresses", () => {
  const told = story("udp", "udp", { contact: BEHIND.bob });
  assert.equal(call(told, PLAIN, { contact: BEHIND.alice }).body, "answer relayed for plain");
  assert.deepEqual(told.world.mediaQuestions.map((question) => (question as MediaQuestion).changes), [false, false, false]);
});

test("two telephones that both do ICE find their way through their NATs", () => {
  const told = story("udp", "udp", { contact: `${BEHIND.bob};+sip.ice` });
  call(told, `${PLAIN}a=ice-ufrag:abcd\r\n`, { contact: BEHIND.alice });
  assert.deepEqual(told.world.mediaQuestions, []);
});

test("a relay that does not answer lets the call go on as it is", () => {
  const told = story("wss", "udp");
  told.world.relays = () => undefined;
  const answer = call(told, BROWSERS);
  assert.equal(told.bob.last("INVITE").body, BROWSERS);
  assert.equal(answer.body, PLAIN);
});

test("a box without a relay asks none", () => {
  const told = story("wss", "udp");
  for (const box of told.world.boxes) box.core.setMediaRelay(false);
  assert.equal(call(told, BROWSERS).body, PLAIN);
  assert.deepEqual(told.world.mediaQuestions, []);
});

test("a new offer of the called phone goes through the relay too, and the BYE ends it there", () => {
  const told = story("wss", "udp");
  const { world, alice, bob } = told;
  const answer = call(told, BROWSERS);
  alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
  alice.describes = BROWSERS;
  alice.answers = ({ method }) => (method === "ACK" ? [] : [200]);
  const dialog = bob.dialogOf(bob.last("INVITE"), answer);
  bob.inDialog("INVITE", dialog, { body: PLAIN, fields: ["Content-Type: application/sdp"] });
  world.run();
  assert.equal(alice.last("INVITE").body, "offer relayed for webrtc");
  assert.equal(bob.responses.at(-1)?.body, "answer relayed for plain");
  alice.inDialog("BYE", alice.dialogOf(answer));
  world.run();
  assert.deepEqual(verbs(world).slice(-3), ["offer", "answer", "delete"]);
});

test("a call that nobody takes is ended at the relay", () => {
  const told = story("wss", "udp");
  told.bob.answers = ({ method }) => (method === "INVITE" ? [486] : []);
  assert.equal(call(told, BROWSERS).status, 486);
  assert.deepEqual(verbs(told.world), ["offer", "delete"]);
});

test("a caller who gives up while the relay is asked is answered, and the phone does not ring", () => {
  const told = story("wss", "udp");
  const { world, alice, bob } = told;
  world.relayDelay = 20;
  const branch = "z9hG4bK-gives-up";
  const challenge = alice.exchange(alice.request("INVITE", BOB, { to: `<${BOB}>`, callId: "up", body: BROWSERS, fields: ["Content-Type: application/sdp"] }));
  alice.send(alice.request("INVITE", BOB, { to: `<${BOB}>`, callId: "up", cseq: 50, branch, body: BROWSERS, fields: ["Content-Type: application/sdp", alice.credentials(challenge, "INVITE", BOB)] }));
  world.run(4);
  assert.deepEqual(verbs(world), ["offer"]);
  alice.send(alice.request("CANCEL", BOB, { to: `<${BOB}>`, callId: "up", cseq: 50, branch, contact: "" }));
  world.run(100);
  assert(alice.responses.some(({ status, cseq }) => status === 487 && cseq?.method === "INVITE"));
  assert(!bob.requests.some(({ method }) => method === "INVITE"));
});

// A box that relays a call dies, and another takes its address

/** Alice, behind a NAT, at the first box by its service address; Bob, behind another, at the second; a third that takes the first one's address. */
function outlived() {
  const world = new SipWorld();
  const service = "10.0.0.201";
  world.relays = ({ verb, towards }) => `${verb} relayed for ${towards}`;
  for (const user of ["alice", "bob"]) world.addUser(user);
  const hosts = [[service, "10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"]] as const;
  const boxes = hosts.map((localAddresses, index) => world.box(`10.0.0.${index + 1}`, { localAddresses: [...localAddresses] }));
  const [first, second, third] = boxes;
  assert(first !== undefined && second !== undefined && third !== undefined);
  for (const box of boxes) {
    box.core.setServiceEnds({ here: box === first ? [service] : [], known: [service] });
    box.core.setMediaRelay(true);
  }
  const alice = world.phone("alice", "10.0.1.1", first, "udp");
  const bob = world.phone("bob", "10.0.1.2", second, "wss");
  for (const phone of [alice, bob]) assert.equal(phone.register().status, 200);
  bob.describes = BROWSERS;
  bob.answers = ({ method }) => (method === "INVITE" ? [180, 200] : method === "ACK" ? [] : [200]);
  const answer = call({ world, alice, bob }, PLAIN);
  alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
  world.run();
  const taker = world.box("10.0.0.9", { localAddresses: [service, "10.0.0.9"] });
  taker.core.setServiceEnds({ here: [service], known: [service] });
  taker.core.setMediaRelay(true);
  first.isAlive = false;
  world.boxes.splice(world.boxes.indexOf(first), 1);
  alice.describes = PLAIN;
  alice.answers = ({ method }) => (method === "ACK" ? [] : [200]);
  return { world, alice, bob, answer, taker };
}

test("a new offer of either side goes through the relay also when the box that began it is dead", () => {
  const { world, alice, bob, answer } = outlived();
  const ofBob = bob.dialogOf(bob.last("INVITE"), answer);
  bob.inDialog("INVITE", ofBob, { body: BROWSERS, fields: ["Content-Type: application/sdp"] });
  world.run();
  assert.equal(alice.last("INVITE").body, "offer relayed for plain");
  assert.equal(bob.responses.at(-1)?.body, "answer relayed for webrtc");
  alice.inDialog("INVITE", alice.dialogOf(answer), { body: PLAIN, fields: ["Content-Type: application/sdp"] });
  world.run();
  assert.equal(bob.last("INVITE").body, "offer relayed for webrtc");
  alice.inDialog("BYE", alice.dialogOf(answer));
  world.run();
  assert.equal(verbs(world).at(-1), "delete");
});

test("a Route that says of a call what no box has said of it changes nothing", () => {
  const { world, alice, bob, answer } = outlived();
  const dialog = alice.dialogOf(answer);
  const [forged] = dialog.routes.flatMap((route) => /;media=(\w+)/.exec(route)?.[1] ?? []);
  assert.ok(forged !== undefined);
  const before = world.mediaQuestions.length;
  for (const mark of [`wp${forged.slice(2)}`, "pp", "", `${forged}0`]) {
    const routes = dialog.routes.map((route) => route.replace(/;media=\w+/, `;media=${mark}`));
    alice.inDialog("INVITE", { ...dialog, routes }, { body: PLAIN, fields: ["Content-Type: application/sdp"] });
    world.run();
    assert.equal(bob.last("INVITE").body, PLAIN);
  }
  assert.equal(world.mediaQuestions.length, before);
});

test("what is not relayed has no mark", () => {
  const told = story("udp", "udp");
  call(told, PLAIN);
  assert.ok(!told.bob.last("INVITE").octets.includes(";media="));
});
