// Phones behind a router that do not know of it: no rport, no outbound, a Contact that means nothing where the box is.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TransportName } from "../../../../src/sip/ports.ts";
import { DOMAIN, type Phone, SipWorld } from "../../../support/sip-harness.ts";

const AOR = `alice@${DOMAIN}`;
const CONTACT = "<sip:alice@192.168.1.5:5060>";

function behindNat(transport: TransportName = "udp") {
  const world = new SipWorld();
  for (const user of ["alice", "bob"]) world.addUser(user);
  const boxes = [world.box("198.51.100.1"), world.box("198.51.100.2")] as const;
  world.introduceBoxes();
  const alice = innerPhone(world, "203.0.113.5", 61_000, boxes[0], transport);
  const bob = world.phone("bob", "198.51.100.77", boxes[1]);
  assert.equal(alice.register({ contact: CONTACT }).status, 200);
  return { world, boxes, alice, bob };
}

/** Its outer end is at `host` and `port`; it writes its own address, and no rport. */
function innerPhone(world: SipWorld, host: string, port: number, box: SipWorld["boxes"][number], transport: TransportName): Phone {
  const phone = world.phone("alice", host, box, transport, port);
  const send = phone.send.bind(phone);
  phone.send = (octets, to) => send(octets.replace(`${host}:${port}`, "192.168.1.5:5060").replace(";rport\r\n", "\r\n"), to);
  return phone;
}

const message = (from: Phone): number => from.ask("MESSAGE", `sip:${AOR}`, { to: `<sip:${AOR}>` }).status;

for (const transport of ["udp", "tcp"] as const) {
  test(`a request to a ${transport} phone goes to where its REGISTER came from, from its own box and from another`, () => {
    const { world, boxes, alice, bob } = behindNat(transport);
    assert.equal(message(bob), 200);
    assert.equal(alice.last("MESSAGE").uriText, "sip:alice@192.168.1.5:5060", "under the Contact that it knows itself by");
    const near = world.phone("bob", "198.51.100.78", boxes[0]);
    assert.equal(message(near), 200);
    assert.equal(alice.requests.length, 2);
  });
}

test("a BYE from the other side of its call comes in by the same way", () => {
  const { world, alice, bob } = behindNat();
  alice.describes = "v=0\r\n";
  const answered = bob.ask("INVITE", `sip:${AOR}`, { to: `<sip:${AOR}>` });
  assert.equal(answered.status, 200);
  bob.inDialog("BYE", bob.dialogOf(answered));
  world.run();
  assert.equal(alice.last("BYE").method, "BYE");
});

for (const transport of ["udp", "tcp"] as const) {
  test(`a ${transport} phone whose router has another address from now on is called there once it has registered again, and nowhere else`, () => {
    const { world, boxes, alice, bob } = behindNat(transport);
    const later = innerPhone(world, "203.0.113.99", 40_404, boxes[1], transport);
    assert.equal(later.register({ contact: CONTACT, callId: "later" }).status, 200);
    assert.deepEqual(world.bindings(AOR).map(({ received, edge }) => [received.host, edge]), [["203.0.113.99", boxes[1].nodeId]]);
    alice.requests.length = 0;
    assert.equal(message(bob), 200);
    assert.deepEqual([alice.requests.length, later.requests.length], [0, 1]);
  });
}

test("a phone that comes back with another address of its own takes the place of the former, if it names its instance", () => {
  const { world, boxes } = behindNat();
  const instance = '+sip.instance="<urn:uuid:0001>"';
  const carol = (host: string, port: number) => innerPhone(world, host, port, boxes[0], "udp");
  carol("203.0.113.6", 61_001).register({ contact: `<sip:alice@192.168.1.6>;${instance}`, callId: "one" });
  carol("203.0.113.7", 61_002).register({ contact: `<sip:alice@192.168.1.7>;${instance}`, callId: "two" });
  assert.deepEqual(world.bindings(AOR).map(({ contact }) => contact), ["sip:alice@192.168.1.5:5060", "sip:alice@192.168.1.7"]);
});

test("a UDP phone that registered at an address which its box has lost since is called from one that the box has", () => {
  const world = new SipWorld();
  for (const user of ["alice", "bob"]) world.addUser(user);
  const box = world.box("198.51.100.1", { localAddresses: ["198.51.100.1", "198.51.100.9"] });
  const alice = world.phone("alice", "198.51.100.70", box);
  const bob = world.phone("bob", "198.51.100.77", box);
  const send = alice.send.bind(alice);
  alice.send = (octets) => send(octets, { host: "198.51.100.9", port: 5060 });
  assert.equal(alice.register().status, 200);
  alice.send = send;
  const sources: string[] = [];
  world.loses = (from, to) => {
    if (to.host === alice.address.host) sources.push(from.host);
    return from.host === "198.51.100.9";
  };
  box.core.setLocalAddresses(["198.51.100.1"]);
  assert.equal(message(bob), 200);
  assert.deepEqual([...new Set(sources)], ["198.51.100.1"]);
});
