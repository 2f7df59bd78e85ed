import assert from "node:assert/strict";
import { test } from "node:test";
import { hours } from "../../../../src/base/time.ts";
import { natOf } from "../../../../src/sip/media/relay-need.ts";
import type { TransportName } from "../../../../src/sip/ports.ts";
import { DOMAIN, type Phone, SipWorld } from "../../../support/sip-harness.ts";

const AOR = `alice@${DOMAIN}`;
const INSIDE = "192.168.1.5:5060";
const OUTSIDE = "203.0.113.5:61000";
const SDP = "v=0\r\no=- 1 1 IN IP4 192.168.1.5\r\ns=-\r\nc=IN IP4 192.168.1.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const LENGTHENED = SDP.replace("192.168.1.5", "203.0.113.5").replaceAll("192.168.1.5", "203.0.113.55");

interface Place {
  readonly transport?: TransportName;
  readonly contact?: string;
  /** What the router makes of what the phone writes, which names its own address. */
  readonly router?: (octets: string) => string;
}

/** A phone at 192.168.1.5 behind a router, at a box that sees 203.0.113.5. */
function behindRouter({ transport = "udp", contact = `<sip:alice@${INSIDE}>`, router = (octets) => octets }: Place) {
  const world = new SipWorld();
  world.addUser("alice");
  const box = world.box("198.51.100.1");
  const phone = world.phone("alice", "203.0.113.5", box, transport, 61_000);
  passThrough(phone, (octets) => router(octets.replace(OUTSIDE, INSIDE)));
  const nat = (): string => {
    assert.equal(phone.register({ contact }).status, 200);
    const [binding] = world.bindings(AOR);
    assert.ok(binding !== undefined);
    return natOf(binding);
  };
  return { world, box, phone, nat };
}

function passThrough(phone: Phone, change: (octets: string) => string): void {
  const send = phone.send.bind(phone);
  phone.send = (octets, to) => send(change(octets), to);
}

const translated = (octets: string): string => octets.replace(INSIDE, OUTSIDE);

test("a phone behind a NAT that leaves its SIP alone is behind a NAT, and no more is said", () => {
  assert.equal(behindRouter({}).nat(), "translated");
});

test("a phone that has learned its outer address and writes it in Via and Contact is as good as behind none", () => {
  assert.equal(behindRouter({ router: translated, contact: `<sip:alice@${OUTSIDE}>` }).nat(), "none");
});

test("a Contact with a name tells nothing of a NAT", () => {
  assert.equal(behindRouter({ contact: "<sip:alice@df7jal23ls0d.invalid>" }).nat(), "not-known");
});

test("a Via that names the router and a Contact that names the phone were not written by one hand", () => {
  assert.equal(behindRouter({ router: translated }).nat(), "rewritten");
});

test("a Via with the router's address and another port than it sends from is a phone's own mistake", () => {
  assert.equal(behindRouter({ router: (octets) => octets.replace(INSIDE, "203.0.113.5:5060") }).nat(), "translated");
});

for (const stamp of ["received=192.168.1.5", "rport=5060"]) {
  test(`a Via that comes with ${stamp} was stamped by something between`, () => {
    assert.equal(behindRouter({ router: (octets) => octets.replace(";rport\r\n", `;${stamp}\r\n`) }).nat(), "rewritten");
  });
}

test("what a proxy between the two wrote is a proxy's right", () => {
  const { world, box, phone } = behindRouter({ router: translated });
  phone.register({ contact: `<sip:alice@${INSIDE}>`, fields: ["Via: SIP/2.0/UDP 192.168.1.5;branch=z9hG4bKown"] });
  assert.deepEqual(world.bindings(AOR).map((binding) => natOf(binding)), ["translated"], box.address.host);
});

for (const body of [LENGTHENED, SDP.replaceAll("192.168.1.5", "10.1.1.1")]) {
  test(`a description that was made ${body.length > SDP.length ? "longer" : "shorter"} than its Content-Length shows with the next REGISTER, for an hour`, () => {
    const { world, phone, nat } = behindRouter({ router: (octets) => octets.replace(SDP, body) });
    assert.equal(nat(), "translated");
    phone.exchange(phone.request("INVITE", `sip:bob@${DOMAIN}`, { body: SDP, fields: ["Content-Type: application/sdp"] }));
    assert.equal(nat(), "rewritten");
    world.run(hours(1));
    assert.equal(nat(), "translated");
  });
}

test("a body with a line end behind it that does not count is no sign", () => {
  const { phone, nat } = behindRouter({ router: (octets) => `${octets}\r\n` });
  phone.exchange(phone.request("INVITE", `sip:bob@${DOMAIN}`, { body: SDP, fields: ["Content-Type: application/sdp"] }));
  assert.equal(nat(), "translated");
});

test("once the router leaves SIP alone, the next REGISTER is without the mark", () => {
  let isOn = true;
  const { nat } = behindRouter({ router: (octets) => (isOn ? translated(octets) : octets) });
  assert.equal(nat(), "rewritten");
  isOn = false;
  assert.equal(nat(), "translated");
});

test("a phone whose SIP is changed is called where it registered from, like every other", () => {
  const { world, box, phone, nat } = behindRouter({ router: translated });
  world.addUser("bob");
  assert.equal(nat(), "rewritten");
  const bob = world.phone("bob", "203.0.113.77", box);
  assert.equal(bob.ask("MESSAGE", `sip:${AOR}`, { to: `<sip:${AOR}>` }).status, 200);
  assert.equal(phone.last("MESSAGE").uriText, `sip:alice@${INSIDE}`);
});
