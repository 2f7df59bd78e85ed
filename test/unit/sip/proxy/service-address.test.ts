import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../../../src/base/address.ts";
import { responseTo } from "../../../../src/sip/message/build.ts";
import type { SipResponse } from "../../../../src/sip/message/message.ts";
import type { TransportName } from "../../../../src/sip/ports.ts";
import { type Box, type Phone, SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const ALICE = "sip:alice@example.test";
const SERVICE = ["10.0.0.201", "10.0.0.202", "10.0.0.203"] as const;

interface Link {
  readonly world: SipWorld;
  readonly boxes: readonly Box[];
  /** Addresses of each box, the one it is reached by first. */
  readonly hosts: readonly string[][];
  readonly alice: Phone;
  readonly bob: Phone;
}

/** Three boxes with a service address each; Alice at the second, Bob at the first, by their service addresses. */
function link(bobBy: TransportName = "udp"): Link {
  const world = new SipWorld();
  world.addUser("alice");
  world.addUser("bob");
  const hosts = SERVICE.map((service, index) => [service, `10.0.0.${index + 1}`]);
  const boxes = hosts.map((localAddresses, index) => world.box(`10.0.0.${index + 1}`, { localAddresses }));
  for (const [index, box] of boxes.entries()) box.core.setServiceEnds({ here: [SERVICE[index] ?? ""], known: SERVICE });
  const [first, second] = boxes;
  assert(first !== undefined && second !== undefined);
  const alice = world.phone("alice", "10.0.1.1", second);
  const bob = world.phone("bob", "10.0.1.2", first, bobBy);
  assert.equal(alice.register().status, 200);
  assert.equal(bob.register().status, 200);
  bob.answers = (request) => (request.method === "INVITE" ? [180, 200] : request.method === "ACK" ? [] : [200]);
  return { world, boxes, hosts, alice, bob };
}

/** The first box is dead, and box number `index` has its service address. */
function taken({ boxes, hosts, bob }: Link, index: number): Box {
  const [dead] = boxes;
  const taker = boxes[index];
  assert(dead !== undefined && taker !== undefined);
  dead.isAlive = false;
  hosts[0]?.shift();
  hosts[index]?.unshift(SERVICE[0]);
  taker.core.setLocalAddresses(hosts[index] ?? []);
  taker.core.setServiceEnds({ here: [SERVICE[index] ?? "", SERVICE[0]], known: SERVICE });
  bob.box = taker;
  return taker;
}

function establish({ world, alice }: Link): SipResponse {
  const answer = alice.ask("INVITE", BOB, { to: `<${BOB}>` });
  assert.equal(answer.status, 200);
  alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
  world.run();
  return answer;
}

test("Record-Route of a box with a service address carries nothing else", () => {
  const here = link();
  establish(here);
  const hosts = here.bob.last("INVITE").headers("record-route").map((value) => /@([0-9.]+):/.exec(value)?.[1]);
  assert.deepEqual(hosts, [SERVICE[0], SERVICE[0], SERVICE[1], SERVICE[1]]);
});

for (const index of [1, 2]) {
  const who = index === 1 ? "the caller's box" : "a third box";
  test(`a call goes on when the callee's box is dead and ${who} has its address: hold, and hang-up from either side`, () => {
    for (const end of ["caller", "callee"] as const) {
      const here = link();
      const answer = establish(here);
      const { world, alice, bob } = here;
      taken(here, index);
      alice.inDialog("INVITE", alice.dialogOf(answer));
      world.run();
      assert.equal(bob.requests.filter(({ method }) => method === "INVITE").length, 2);
      const [phone, other] = end === "caller" ? [alice, bob] : [bob, alice];
      phone.inDialog("BYE", end === "caller" ? alice.dialogOf(answer) : bob.dialogOf(bob.last("INVITE"), answer));
      world.run();
      assert.equal(other.last("BYE").method, "BYE");
      assert.equal(phone.responses.at(-1)?.status, 200);
    }
  });
}

test("a UDP phone of a dead box is called from the address that it knows", () => {
  const here = link();
  taken(here, 1);
  const sources: Address[] = [];
  here.world.loses = (from, to) => {
    if (to.host === "10.0.1.2") sources.push(from);
    return false;
  };
  assert.equal(here.alice.ask("INVITE", BOB).status, 200);
  assert.deepEqual([...new Set(sources.map(({ host }) => host))], [SERVICE[0]]);
});

test("behind a NAT it is reached through whoever has that address, within three seconds", () => {
  const here = link();
  taken(here, 2);
  here.world.loses = (from, to) => to.host === "10.0.1.2" && from.host !== SERVICE[0];
  here.alice.ask("INVITE", BOB);
  here.world.run(3_000);
  assert.equal(here.alice.responses.at(-1)?.status, 200);
});

test("a connection is dead with its box: 480 until the phone has registered over another one, then the dialog goes on there", () => {
  const here = link("tls");
  const { alice, bob, world } = here;
  const dialog = alice.dialogOf(establish(here));
  taken(here, 1);
  alice.inDialog("INVITE", dialog);
  world.run();
  assert.equal(alice.responses.at(-1)?.status, 480);
  bob.hangUpConnection();
  bob.register();
  alice.inDialog("BYE", dialog);
  world.run();
  assert.equal(bob.last("BYE").method, "BYE");
  assert.equal(alice.responses.at(-1)?.status, 200);
});

for (const [where, index] of [["the caller's box", 1], ["a third box", 2]] as const) {
  test(`a call that rings when the callee's box dies is answered through its address, which ${where} has taken`, () => {
    const here = link();
    const { alice, bob, world } = here;
    bob.answers = (request) => (request.method === "INVITE" ? [180] : request.method === "ACK" ? [] : [200]);
    assert.equal(alice.ask("INVITE", BOB, { to: `<${BOB}>` }).status, 180);
    taken(here, index);
    bob.reply(bob.last("INVITE"), 200);
    world.run();
    const answer = alice.responses.at(-1);
    assert.equal(answer?.status, 200);
    alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
    world.run();
    assert.equal(bob.last("ACK").method, "ACK");
  });
}

for (const transport of ["tcp", "tls", "wss"] as const) {
  for (const [where, index] of [["the caller's box", 1], ["a third box", 2]] as const) {
    for (const registers of [true, false]) {
      const when = registers ? "with which it has registered anew" : "that it opens for the answer alone";
      test(`a call that rings at a ${transport} phone when its box dies is answered over a connection to ${where} ${when}`, () => {
        const here = link(transport);
        const { alice, bob, world, boxes } = here;
        for (const box of boxes) box.core.setStreamPorts({ tls: 5060, ws: undefined, wss: 5060 });
        bob.answers = (request) => (request.method === "INVITE" ? [180] : request.method === "ACK" ? [] : [200]);
        assert.equal(alice.ask("INVITE", BOB, { to: `<${BOB}>` }).status, 180);
        taken(here, index);
        bob.hangUpConnection();
        bob.address = { host: bob.address.host, port: 5099 }; // nobody listens where its Contact says
        if (registers) assert.equal(bob.register().status, 200);
        // RFC 3261 section 18.2.2: where the connection of the request is closed, the response goes over another one.
        const invite = bob.last("INVITE");
        const routes = invite.headers("record-route").map((value) => ["Record-Route", value] as const);
        const contact = `<sip:bob@10.0.1.2;transport=${transport}>`;
        bob.send(responseTo(invite, 200, "", { toTag: "again", fields: [...routes, ["Contact", contact]] }).octets);
        world.run();
        const answer = alice.responses.at(-1);
        assert.equal(answer?.status, 200);
        alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
        world.run();
        assert.equal(bob.last("ACK").method, "ACK");
        alice.inDialog("BYE", alice.dialogOf(answer));
        world.run();
        assert.equal(bob.last("BYE").method, "BYE");
      });
    }
  }
}

/** Carol at the first box over a connection, and Alice of the second, who rings for her. */
function callerOnConnection(transport: TransportName = "tcp", body = ""): Link & { readonly carol: Phone } {
  const here = link();
  const [first] = here.boxes;
  assert(first !== undefined);
  here.world.addUser("carol");
  const carol = here.world.phone("carol", "10.0.1.3", first, transport);
  assert.equal(carol.register().status, 200);
  here.alice.answers = (request) => (request.method === "INVITE" ? [180] : request.method === "ACK" ? [] : [200]);
  assert.equal(carol.ask("INVITE", ALICE, { to: `<${ALICE}>`, body }).status, 180);
  return { ...here, carol };
}

/** Her box is dead, and so is her connection; she finds the next box at the same address. */
function herBoxDies(here: ReturnType<typeof callerOnConnection>, index: number): Box {
  const taker = taken(here, index);
  here.carol.box = taker;
  here.carol.hangUpConnection();
  return taker;
}

for (const [where, index] of [["the callee's box", 1], ["a third box", 2]] as const) {
  test(`a caller on TCP whose box dies while it rings is answered by ${where}, over a connection to where she listens`, () => {
    const here = callerOnConnection();
    const { carol, alice, world } = here;
    herBoxDies(here, index);
    alice.reply(alice.last("INVITE"), 200);
    world.run();
    const answer = carol.responses.at(-1);
    assert.equal(answer?.status, 200);
    carol.inDialog("ACK", carol.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
    world.run();
    assert.equal(alice.last("ACK").method, "ACK");
    carol.inDialog("BYE", carol.dialogOf(answer));
    world.run();
    assert.equal(alice.last("BYE").method, "BYE");
  });

  test(`a caller on TCP whose box dies gives up over her next connection, at ${where}: the phone stops ringing`, () => {
    const here = callerOnConnection();
    const { carol, alice, world } = here;
    const invite = alice.last("INVITE");
    herBoxDies(here, index);
    cancel(carol, ALICE);
    world.run();
    assert.equal(alice.last("CANCEL").topVia?.branch, invite.topVia?.branch);
    alice.reply(invite, 487);
    world.run();
    assert.equal(carol.responses.at(-1)?.status, 487);
  });
}

for (const [where, index] of [["the callee's box", 1], ["a third box", 2]] as const) {
  test(`a box that lost its power says nothing on its connections: after the ring's verdict the answer goes to its address, which ${where} has`, () => {
    for (const verdict of [false, true]) {
      const here = callerOnConnection("tcp", "x".repeat(1_400)); // too long for a datagram: the boxes use a connection
      const { carol, alice, boxes, world } = here;
      taken(here, index);
      if (verdict) boxes[1]?.core.boxGone(SERVICE[0]);
      alice.reply(alice.last("INVITE"), 200);
      world.run();
      assert.equal(carol.responses.at(-1)?.status, verdict ? 200 : 180);
    }
  });
}

test("a call that rings at a phone of the same box is answered when that box is dead", () => {
  const here = link();
  const { bob, world, boxes } = here;
  const [first] = boxes;
  assert(first !== undefined);
  world.addUser("carol");
  const carol = world.phone("carol", "10.0.1.3", first);
  carol.register();
  bob.answers = (request) => (request.method === "INVITE" ? [180] : []);
  assert.equal(carol.ask("INVITE", BOB, { to: `<${BOB}>` }).status, 180);
  taken(here, 2);
  bob.reply(bob.last("INVITE"), 200);
  world.run();
  assert.equal(carol.responses.at(-1)?.status, 200);
});

test("a response with a branch that no box of the fleet made goes nowhere", () => {
  const here = link();
  const { alice, bob, world } = here;
  bob.answers = (request) => (request.method === "INVITE" ? [180] : []);
  alice.ask("INVITE", BOB, { to: `<${BOB}>` });
  const taker = taken(here, 2);
  const heard = alice.responses.length;
  const via = bob.last("INVITE").topVia?.branch ?? "";
  const answer = (branch: string): void => {
    const octets = bob.heard.findLast((text) => text.startsWith("INVITE"))?.replaceAll(via, branch) ?? "";
    const lines = octets.split("\r\n").filter((line) => /^(Via|From|To|Call-ID|CSeq|v|f|t|i):/i.test(line));
    world.datagram(bob.address, { host: SERVICE[0], port: 5060 }, `SIP/2.0 200 OK\r\n${lines.join("\r\n")}\r\nContent-Length: 0\r\n\r\n`);
    world.run();
  };
  const at = via.indexOf(".") + 1;
  answer(`${via.slice(0, at)}${via.charAt(at) === "0" ? "1" : "0"}${via.slice(at + 1)}`);
  assert.equal(alice.responses.length, heard);
  assert.equal(taker.counted.includes("response-of-dead-box"), false);
  answer(via);
  assert.equal(alice.responses.length, heard + 1);
});

for (const [how, index] of [["at the caller's box", 1], ["at a third box", 2]] as const) {
  test(`a caller gives up while it rings through a dead box whose address is ${how}: the phone stops ringing, the caller hears 487`, () => {
    const here = link();
    const { world, alice, bob } = here;
    bob.answers = (request) => (request.method === "INVITE" ? [180] : request.method === "CANCEL" ? [200] : []);
    assert.equal(alice.ask("INVITE", BOB, { to: `<${BOB}>` }).status, 180);
    const invite = bob.last("INVITE");
    taken(here, index);
    cancel(alice);
    world.run();
    assert.equal(bob.last("CANCEL").topVia?.branch, invite.topVia?.branch);
    assert.equal(bob.last("CANCEL").topVia?.host, invite.topVia?.host);
    bob.reply(invite, 487);
    world.run();
    assert.equal(alice.responses.at(-1)?.status, 487);
    assert.equal(alice.responses.at(-1)?.cseq?.method, "INVITE");
  });
}

test("phones of one dead box: CANCEL, 487 and its ACK pass under the branch of the INVITE", () => {
  const here = link();
  const { world, bob, boxes } = here;
  const [first] = boxes;
  assert(first !== undefined);
  world.addUser("carol");
  const carol = world.phone("carol", "10.0.1.3", first);
  carol.register();
  bob.answers = (request) => (request.method === "INVITE" ? [180] : request.method === "CANCEL" ? [200] : []);
  carol.ask("INVITE", BOB, { to: `<${BOB}>` });
  const invite = bob.last("INVITE");
  carol.box = taken(here, 2);
  cancel(carol);
  world.run();
  bob.reply(invite, 487);
  world.run();
  const refused = carol.responses.at(-1);
  assert.equal(refused?.status, 487);
  carol.send(carol.ackTo(refused, BOB));
  world.run();
  assert.equal(bob.last("ACK").topVia?.branch, invite.topVia?.branch);
});

/** What its phone would send to take its last INVITE back. */
function cancel(phone: Phone, called = BOB): void {
  const ringing = phone.responses.at(-1);
  assert(ringing !== undefined);
  const branch = ringing.topVia?.branch ?? "";
  const from = ringing.header("from") ?? "";
  const [, tag = ""] = from.split(";tag=");
  phone.send(phone.request("CANCEL", called, { branch, callId: ringing.callId ?? "", cseq: ringing.cseq?.number ?? 0, fromTag: tag, to: `<${called}>`, contact: "" }));
}
