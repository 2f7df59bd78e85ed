import assert from "node:assert/strict";
import { test } from "node:test";
import { natOf } from "../../../../src/sip/media/relay-need.ts";
import type { TransportName } from "../../../../src/sip/ports.ts";
import { responseTo } from "../../../../src/sip/message/build.ts";
import type { SipResponse } from "../../../../src/sip/message/message.ts";
import { type Box, type Phone, SipWorld } from "../../../support/sip-harness.ts";

interface Call {
  readonly world: SipWorld;
  readonly alice: Phone;
  readonly bob: Phone;
}

const BOB = "sip:bob@example.test";

/** Alice at one box, Bob at another or the same, both registered. */
function registered(aliceBy: TransportName, bobBy: TransportName, boxes: 1 | 2): Call & { readonly boxes: readonly Box[] } {
  const world = new SipWorld();
  world.addUser("alice");
  world.addUser("bob");
  const first = world.box("10.0.0.1");
  const second = boxes === 2 ? world.box("10.0.0.2") : first;
  const alice = world.phone("alice", "10.0.1.1", first, aliceBy);
  const bob = world.phone("bob", "10.0.1.2", second, bobBy);
  assert.equal(alice.register().status, 200);
  assert.equal(bob.register().status, 200);
  return { world, alice, bob, boxes: [first, second] };
}

/** Alice calls Bob; his 200. */
function establish({ world, alice, bob }: Call): SipResponse {
  bob.answers = (request) => (request.method === "INVITE" ? [180, 200] : request.method === "ACK" ? [] : [200]);
  const answer = alice.ask("INVITE", BOB, { to: `<${BOB}>` });
  assert.equal(answer.status, 200);
  alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
  world.run();
  return answer;
}

for (const boxes of [1, 2] as const) {
  for (const aliceBy of ["udp", "tcp", "tls", "wss"] as const) {
    for (const bobBy of ["udp", "tcp", "tls", "ws"] as const) {
      const way = `${aliceBy} phone to ${bobBy} phone over ${boxes === 1 ? "one box" : "two boxes"}`;

      test(`${way}: the call is set up, the ACK arrives, the caller hangs up`, () => {
        const call = registered(aliceBy, bobBy, boxes);
        const answer = establish(call);
        assert.equal(call.bob.requests.filter(({ method }) => method === "ACK").length, 1);
        call.alice.inDialog("BYE", call.alice.dialogOf(answer));
        call.world.run();
        assert.equal(call.bob.last("BYE").method, "BYE");
        assert.equal(call.alice.responses.at(-1)?.cseq?.method, "BYE");
        assert.equal(call.alice.responses.at(-1)?.status, 200);
      });

      test(`${way}: the callee hangs up, and a re-INVITE finds its way`, () => {
        const call = registered(aliceBy, bobBy, boxes);
        const answer = establish(call);
        const { bob, alice, world } = call;
        const dialog = bob.dialogOf(bob.last("INVITE"), answer);
        bob.inDialog("INVITE", dialog);
        world.run();
        assert.equal(alice.last("INVITE").header("from")?.includes("sip:bob@"), true);
        bob.inDialog("BYE", dialog);
        world.run();
        assert.equal(alice.last("BYE").callId, dialog.callId);
        assert.equal(bob.responses.at(-1)?.status, 200);
      });
    }
  }
}

for (const [aliceAt, bobAt] of [["2001:db8::11", "2001:db8::12"], ["10.0.1.1", "2001:db8::12"], ["2001:db8::11", "10.0.1.2"]] as const) {
  for (const bobBy of ["udp", "tcp"] as const) {
    test(`a call from ${aliceAt} to ${bobAt} by ${bobBy}, hung up from either side`, () => {
      const world = new SipWorld();
      for (const name of ["alice", "bob"]) world.addUser(name);
      const box = world.box("10.0.0.1", { localAddresses: ["10.0.0.1", "2001:db8::1"] });
      const alice = world.phone("alice", aliceAt, box);
      const bob = world.phone("bob", bobAt, box, bobBy);
      for (const phone of [alice, bob]) assert.equal(phone.register().status, 200);
      const answer = establish({ world, alice, bob });
      assert.equal(bob.requests.filter(({ method }) => method === "ACK").length, 1);
      alice.inDialog("INFO", alice.dialogOf(answer));
      bob.inDialog("BYE", bob.dialogOf(bob.last("INVITE"), answer));
      world.run();
      assert.equal(bob.last("INFO").method, "INFO");
      assert.equal(alice.last("BYE").method, "BYE");
      assert.equal(bob.responses.at(-1)?.status, 200);
    });
  }
}

test("a phone behind an outside proxy is reached through its Path", () => {
  const { world, alice, bob } = registered("udp", "udp", 1);
  const edge = world.phone("edge", "192.0.2.50", alice.box);
  bob.register({ callId: "by-path", contact: "<sip:bob@172.16.0.9>", fields: ["Supported: path", "Path: <sip:192.0.2.50;lr>"] });
  alice.ask("MESSAGE", BOB);
  const heard = [...bob.requests, ...edge.requests].find(({ uriText }) => uriText === "sip:bob@172.16.0.9");
  assert.equal(heard?.header("route"), "<sip:192.0.2.50;lr>");
});

test("a phone behind a proxy that comes over TCP is called by its Path when that connection has closed, and its address is no NAT's", () => {
  const { world, alice, bob } = registered("udp", "udp", 1);
  const edge = world.phone("bob", "192.0.2.50", alice.box, "tcp");
  world.names.set("edge.example", [{ transport: "udp", address: edge.address }]);
  const fields = ["Via: SIP/2.0/UDP 172.16.0.9;branch=z9hG4bKbehind", "Supported: path", "Path: <sip:edge.example;lr>"];
  assert.equal(edge.register({ callId: "by-path", contact: "<sip:bob@172.16.0.9>", fields }).status, 200);
  bob.register({ contact: `${bob.contact};expires=0` });
  const behind = world.bindings("bob@example.test").find(({ path }) => path.length > 0);
  assert(behind !== undefined);
  assert.equal(natOf(behind), "not-known");
  edge.hangUpConnection();
  world.run();
  alice.ask("MESSAGE", BOB, { to: `<${BOB}>` });
  assert.equal(edge.last("MESSAGE").uriText, "sip:bob@172.16.0.9");
  assert.equal(edge.last("MESSAGE").header("route"), "<sip:edge.example;lr>");
});

test("an ACK and a BYE of a caller that ignores Record-Route arrive all the same", () => {
  const { world, bob, boxes } = registered("udp", "udp", 2);
  const [box] = boxes;
  assert.ok(box);
  const stranger = world.phone("eve", "192.0.2.66", box);
  const dialog = { from: "<sip:eve@elsewhere.example>", callId: "careless" };
  bob.answers = (request) => (request.method === "ACK" ? [] : [200]);
  const answer = stranger.exchange(stranger.request("INVITE", BOB, { ...dialog, cseq: 1 }));
  const to = answer.header("to") ?? "";
  stranger.send(stranger.request("ACK", BOB, { ...dialog, to, cseq: 1 }));
  world.run();
  assert.equal(bob.requests.filter(({ method }) => method === "ACK").length, 1);
  assert.equal(stranger.exchange(stranger.request("BYE", BOB, { ...dialog, to, cseq: 2 })).status, 200);
});

test("credentials for our realm and claimed identities stay at the first box", () => {
  const call = registered("udp", "udp", 2);
  call.bob.answers = () => [200];
  const asked = call.alice.ask("MESSAGE", BOB, {
    fields: ["P-Asserted-Identity: <sip:boss@example.test>", 'Proxy-Authorization: Digest username="x", realm="other", nonce="1", uri="sip:x", response="1"', "X-Odd:  kept   as it is"],
    body: "\0\xff",
  });
  assert.equal(asked.status, 200);
  const heard = call.bob.last("MESSAGE");
  assert.equal(heard.has("p-asserted-identity"), false);
  assert.deepEqual(heard.headers("proxy-authorization").map((value) => value.includes('"other"')), [true]);
  assert.match(heard.octets, /X-Odd: {2}kept {3}as it is\r\n/);
  assert.equal(heard.body, "\0\xff");
});

test("a call to an unknown user is 404, to one without a phone 480", () => {
  const { alice, world } = registered("udp", "udp", 1);
  world.addUser("carol");
  assert.equal(alice.ask("INVITE", "sip:nobody@example.test").status, 404);
  assert.equal(alice.ask("INVITE", "sip:carol@example.test").status, 480);
});

test("a caller from our domain is challenged, with any method", () => {
  const { alice } = registered("udp", "udp", 1);
  for (const method of ["INVITE", "MESSAGE", "REFER", "OPTIONS", "INFO"]) {
    assert.equal(alice.exchange(alice.request(method, BOB)).status, 407, method);
  }
});

test("a To tag that anybody can write spares nobody of our domain the challenge", () => {
  const { world, bob, boxes } = registered("udp", "udp", 1);
  const [box] = boxes;
  assert.ok(box);
  const stranger = world.phone("eve", "192.0.2.66", box);
  const forged = { from: "<sip:alice@example.test>", to: `<${BOB}>;tag=made-up` };
  for (const method of ["INVITE", "MESSAGE", "NOTIFY"]) {
    assert.equal(stranger.exchange(stranger.request(method, BOB, forged)).status, 407, method);
  }
  assert.deepEqual(bob.requests.filter(({ method }) => method !== "REGISTER"), []);
});

test("a caller who says he is somebody else is forbidden", () => {
  const { alice } = registered("udp", "udp", 1);
  assert.equal(alice.ask("INVITE", BOB, { from: `<${BOB}>` }).status, 403);
});

test("a foreign caller reaches our users without credentials", () => {
  const { world, bob, boxes } = registered("udp", "udp", 1);
  const [box] = boxes;
  assert.ok(box);
  const stranger = world.phone("eve", "192.0.2.66", box);
  const response = stranger.exchange(stranger.request("MESSAGE", BOB, { from: "<sip:eve@elsewhere.example>" }));
  assert.equal(response.status, 200);
  assert.equal(bob.last("MESSAGE").method, "MESSAGE");
});

test("nobody from outside is relayed to the outside, nor with a To tag or a forged Route", () => {
  const { world, boxes } = registered("udp", "udp", 1);
  const [box] = boxes;
  assert.ok(box);
  const victim = world.phone("victim", "192.0.2.67", box);
  const stranger = world.phone("eve", "192.0.2.66", box);
  const from = "<sip:eve@elsewhere.example>";
  const uri = "sip:victim@192.0.2.67";
  assert.equal(stranger.exchange(stranger.request("INVITE", uri, { from })).status, 403);
  assert.equal(stranger.exchange(stranger.request("INVITE", uri, { from, to: `<${uri}>;tag=1` })).status, 403);
  const routes = ["<sip:10.0.0.1;lr>"];
  assert.equal(stranger.exchange(stranger.request("INVITE", uri, { from, to: `<${uri}>;tag=1`, routes })).status, 403);
  const forged = ["<sip:AbCdEfGhIjKlMnOpQrStUvWxYz0123456789@10.0.0.1;lr>"];
  assert.equal(stranger.exchange(stranger.request("INVITE", uri, { from, to: `<${uri}>;tag=1`, routes: forged })).status, 403);
  assert.equal(victim.requests.length, 0);
});

test("the token of one's own flow, learnt from a call, relays no new call to the outside", () => {
  const { world, bob, boxes } = registered("udp", "udp", 1);
  const [box] = boxes;
  assert.ok(box);
  const victim = world.phone("victim", "192.0.2.67", box);
  const stranger = world.phone("eve", "192.0.2.66", box);
  const from = "<sip:eve@elsewhere.example>";
  bob.answers = (request) => (request.method === "INVITE" ? [200] : []);
  const answer = stranger.exchange(stranger.request("INVITE", BOB, { from, callId: "learn" }));
  const [own] = answer.list("record-route").toReversed();
  assert.ok(own);
  for (const callId of ["learn", "other"]) {
    const octets = stranger.request("INVITE", "sip:victim@192.0.2.67", { from, callId, routes: [own] });
    assert.equal(stranger.exchange(octets).status, 403);
  }
  assert.equal(victim.requests.length, 0);
});

test("a Record-Route token of one dialog opens nothing for another Call-ID", () => {
  const call = registered("udp", "udp", 2);
  const answer = establish(call);
  const routes = answer.list("record-route").toReversed();
  const { alice, world } = call;
  const from = "<sip:eve@elsewhere.example>";
  const stranger = world.phone("eve", "192.0.2.66", alice.box);
  const onward = routes.slice(1, 2);
  const octets = stranger.request("MESSAGE", "sip:x@192.0.2.67", { from, to: "<sip:x@192.0.2.67>;tag=1", routes: onward });
  assert.equal(stranger.exchange(octets).status, 403);
});

test("a phone's preloaded Route to its box is popped", () => {
  const { alice, bob } = registered("udp", "udp", 1);
  assert.equal(alice.ask("MESSAGE", BOB, { routes: ["<sip:10.0.0.1;lr>"] }).status, 200);
  assert.equal(bob.last("MESSAGE").has("route"), false);
});

test("when the callee's TCP connection is gone the call fails at once, and the binding goes", () => {
  for (const boxes of [1, 2] as const) {
    const { world, alice, bob } = registered("udp", "tcp", boxes);
    bob.hangUpConnection();
    world.run();
    const started = world.time;
    assert.equal(alice.ask("INVITE", BOB).status, 480);
    assert.ok(world.time - started < 1_000);
    assert.equal(world.bindings("bob@example.test").length, 0);
  }
});

test("a UDP phone whose box died is reached directly from another box", () => {
  const { world, alice, bob, boxes } = registered("udp", "udp", 2);
  const owner = boxes[1];
  assert.ok(owner);
  owner.isAlive = false;
  assert.equal(alice.ask("MESSAGE", BOB).status, 200);
  assert.equal(bob.last("MESSAGE").method, "MESSAGE");
  assert.equal(world.bindings("bob@example.test").length, 1);
});

test("a call whose way leads through a box that died a moment ago rings within three seconds", () => {
  const { world, alice, bob, boxes } = registered("udp", "udp", 2);
  const owner = boxes[1];
  assert.ok(owner);
  owner.isAlive = false;
  world.knowsDead = false;
  bob.answers = (request) => (request.method === "INVITE" ? [180, 200] : []);
  alice.ask("INVITE", BOB);
  world.run(3_000);
  assert.equal(alice.responses.at(-1)?.status, 200);
  assert.equal(bob.requests.filter(({ method }) => method === "INVITE").length, 1);
});

test("a box that answers is not gone around", () => {
  const { world, alice, bob } = registered("udp", "udp", 2);
  bob.answers = () => [];
  alice.ask("INVITE", BOB);
  world.run(3_000);
  assert.equal(bob.requests.every(({ vias }) => vias?.length === 3), true);
});

test("a TCP phone whose box died is called where it listens", () => {
  const { alice, bob, boxes } = registered("udp", "tcp", 2);
  const owner = boxes[1];
  assert.ok(owner);
  owner.isAlive = false;
  assert.equal(alice.ask("MESSAGE", BOB).status, 200);
  assert.equal(bob.last("MESSAGE").method, "MESSAGE");
});

test("a large request goes between boxes by TCP, and to the registered phone by UDP", () => {
  const { alice, bob, boxes } = registered("udp", "udp", 2);
  assert.equal(alice.ask("MESSAGE", BOB, { body: "x".repeat(2_000) }).status, 200);
  const [hop] = bob.last("MESSAGE").vias ?? [];
  assert.equal(hop?.transport, "UDP");
  assert.equal(bob.last("MESSAGE").vias?.[1]?.transport, "TCP");
  assert.equal(boxes[1]?.core.snapshot().connections, 1);
});

test("where TCP is refused a large request goes by UDP after all", () => {
  const { world, alice } = registered("udp", "udp", 1);
  const far = world.phone("far", "192.0.2.80", alice.box);
  world.names.set("far.example", [{ transport: "udp", address: far.address }]);
  const refused: string[] = [];
  world.connect = (_, to) => void refused.push(to.host);
  assert.equal(alice.ask("MESSAGE", "sip:far@far.example", { body: "x".repeat(2_000) }).status, 200);
  assert.deepEqual(refused, [far.address.host]);
  assert.equal(far.last("MESSAGE").topVia?.transport, "UDP");
});

const WITHOUT_LENGTH = /\r\nContent-Length: \d+/;

test("a request that came by UDP without Content-Length goes on by TCP with it", () => {
  const { world, bob, boxes } = registered("udp", "tcp", 1);
  const [box] = boxes;
  assert.ok(box);
  const stranger = world.phone("eve", "192.0.2.66", box);
  const octets = stranger.request("MESSAGE", BOB, { from: "<sip:eve@elsewhere.example>", body: "hello" });
  assert.equal(stranger.exchange(octets.replace(WITHOUT_LENGTH, "")).status, 200);
  assert.equal(bob.last("MESSAGE").header("content-length"), "5");
});

test("a response that came by UDP without Content-Length goes on by TCP with it", () => {
  const { world, alice, bob } = registered("tcp", "udp", 1);
  bob.answers = () => [];
  alice.ask("INVITE", BOB);
  const answer = responseTo(bob.last("INVITE"), 200, "", { toTag: "bob" });
  world.datagram(bob.address, bob.box.address, answer.octets.replace(WITHOUT_LENGTH, ""));
  world.run();
  assert.equal(alice.responses.at(-1)?.status, 200);
});

test("a phone behind a NAT is reached where its REGISTER came from", () => {
  const world = new SipWorld();
  world.addUser("bob");
  const box = world.box("10.0.0.1");
  const bob = world.phone("bob", "203.0.113.5", box, "udp", 61_234);
  bob.register({ contact: "<sip:bob@192.168.1.7:5060>" });
  const caller = world.phone("eve", "192.0.2.66", box);
  const from = "<sip:eve@elsewhere.example>";
  assert.equal(caller.exchange(caller.request("MESSAGE", BOB, { from })).status, 200);
  assert.equal(bob.last("MESSAGE").uriText, "sip:bob@192.168.1.7:5060");
});

test("an outside domain is resolved, and the next target is tried after 503 and refused connections", () => {
  const { world, alice, boxes } = registered("udp", "udp", 1);
  const [box] = boxes;
  assert.ok(box);
  const busy = world.phone("x", "192.0.2.1", box);
  busy.answers = () => [503];
  const good = world.phone("x", "192.0.2.3", box);
  const target = (host: string) => ({ transport: "udp", address: { host, port: 5060 } }) as const;
  world.names.set("far.example", [target("192.0.2.1"), target("192.0.2.2"), target("192.0.2.3")]);
  const response = alice.ask("MESSAGE", "sip:x@far.example");
  assert.equal(response.status, 200);
  assert.equal(busy.requests.length, 1);
  assert.equal(good.requests.length, 1);
  assert.equal(good.last("MESSAGE").has("proxy-authorization"), false);
});

test("what follows an INVITE goes to the server of the name that took it, not to the one that is first again", () => {
  const { world, alice } = registered("udp", "udp", 1);
  const [busy, good] = ["192.0.2.1", "192.0.2.3"].map((host) => world.phone("x", host, alice.box));
  assert(busy !== undefined && good !== undefined);
  busy.answers = ({ method }) => (method === "INVITE" ? [503] : []);
  good.answers = ({ method }) => (method === "INVITE" ? [180] : method === "CANCEL" ? [200] : []);
  world.names.set("far.example", [busy, good].map(({ address }) => ({ transport: "udp", address }) as const));
  const [uri, callId] = ["sip:x@far.example", "sticky"];
  const challenge = alice.exchange(alice.request("INVITE", uri, { callId }));
  const invite = alice.request("INVITE", uri, { callId, fields: [alice.credentials(challenge, "INVITE", uri)] });
  alice.send(invite);
  // Longer than a server that failed is left for last.
  world.run(40_000);
  alice.send(invite.replace("INVITE sip:", "CANCEL sip:").replace(/(CSeq: \d+) INVITE/, "$1 CANCEL"));
  world.run(100);
  good.reply(good.last("INVITE"), 487);
  world.run(100);
  assert.deepEqual([busy, good].map(({ requests }) => requests.map(({ method }) => method)), [["INVITE", "ACK"], ["INVITE", "CANCEL", "ACK"]]);
  assert.equal(alice.responses.at(-1)?.status, 487);
});

test("a server of a name that failed is left for last while it may still be down, and is the first again after that", () => {
  const { world, alice, boxes } = registered("udp", "udp", 1);
  const [box] = boxes;
  assert.ok(box);
  const busy = world.phone("x", "192.0.2.1", box);
  busy.answers = () => [503];
  const good = world.phone("x", "192.0.2.3", box);
  const target = (host: string) => ({ transport: "udp", address: { host, port: 5060 } }) as const;
  world.names.set("far.example", [target("192.0.2.1"), target("192.0.2.3")]);
  const asked = (): readonly number[] => [busy.requests.length, good.requests.length];
  for (let i = 0; i < 3; i++) assert.equal(alice.ask("MESSAGE", "sip:x@far.example").status, 200);
  assert.deepEqual(asked(), [1, 3]);
  good.answers = () => [503];
  busy.answers = () => [200];
  assert.equal(alice.ask("MESSAGE", "sip:x@far.example").status, 200);
  assert.deepEqual(asked(), [2, 4], "nobody else was left");
  world.run(33_000);
  busy.answers = () => [503];
  good.answers = () => [200];
  assert.equal(alice.ask("MESSAGE", "sip:x@far.example").status, 200);
  assert.deepEqual(asked(), [3, 5], "in the order of the name");
});

test("a domain that resolves to nothing is 480, to loopback or multicast 403", () => {
  const { world, alice } = registered("udp", "udp", 1);
  assert.equal(alice.ask("MESSAGE", "sip:x@nowhere.example").status, 480);
  const at = (host: string) => [{ transport: "udp", address: { host, port: 5060 } }] as const;
  world.names.set("trap.example", at("127.0.0.1"));
  assert.equal(alice.ask("MESSAGE", "sip:x@trap.example").status, 403);
  assert.equal(alice.ask("MESSAGE", "sip:x@224.0.1.75").status, 403);
  assert.equal(alice.ask("MESSAGE", "sip:x@[::1]").status, 403);
});

test("a foreign strict router gets its own URI as Request-URI and the true one as last Route", () => {
  const { world, alice, boxes } = registered("udp", "udp", 1);
  const [box] = boxes;
  assert.ok(box);
  const strict = world.phone("p", "192.0.2.9", box);
  assert.equal(alice.ask("MESSAGE", "sip:x@far.example", { routes: ["<sip:10.0.0.1;lr>", "<sip:192.0.2.9>"] }).status, 200);
  assert.equal(strict.last("MESSAGE").uriText, "sip:192.0.2.9");
  assert.equal(strict.last("MESSAGE").header("route"), "<sip:x@far.example>");
});

test("a strict router's request, with our Record-Route as Request-URI, is mended", () => {
  const call = registered("udp", "udp", 1);
  const answer = establish(call);
  const { alice, bob, world } = call;
  const dialog = alice.dialogOf(answer);
  const [first, ...rest] = dialog.routes;
  assert.ok(first);
  const target = first.slice(1, -1);
  alice.inDialog("BYE", { ...dialog, target, routes: [...rest, `<${dialog.target}>`] });
  world.run();
  assert.equal(bob.last("BYE").uriText, dialog.target);
  assert.equal(bob.last("BYE").has("route"), false);
});

test("an established call survives the caller's NAT changing its port", () => {
  const call = registered("udp", "udp", 2);
  const answer = establish(call);
  const { alice, bob, world } = call;
  alice.address = { ...alice.address, port: 6_666 };
  alice.inDialog("BYE", alice.dialogOf(answer));
  world.run();
  assert.equal(bob.last("BYE").method, "BYE");
  assert.equal(alice.responses.at(-1)?.status, 200);
});

test("a tampered flow token is 403, one of a dead connection 430", () => {
  const { world, alice, bob } = registered("udp", "tcp", 1);
  const token = world.bindings("bob@example.test")[0]?.flowToken ?? "";
  const through = (user: string) => alice.exchange(alice.request("MESSAGE", BOB, { routes: [`<sip:${user}@10.0.0.1;lr>`] }));
  assert.equal(through(token).status, 200);
  assert.equal(through(`B${token.slice(1)}`).status, 403);
  bob.hangUpConnection();
  world.run();
  assert.equal(through(token).status, 430);
});

test("two users behind one TCP connection, as the handsets of a base station, hang up on each other", () => {
  const { world, bob } = registered("udp", "tcp", 1);
  // Behind a NAT: nobody can connect to it, the connection that is there is the only way.
  Object.defineProperty(bob, "contact", { value: "<sip:bob@192.168.7.7:4711;transport=tcp>" });
  assert.equal(bob.register().status, 200);
  const answer = establish({ world, alice: bob, bob });
  assert.equal(bob.requests.filter(({ method }) => method === "ACK").length, 1);
  bob.inDialog("BYE", bob.dialogOf(answer));
  world.run();
  assert.equal(bob.last("BYE").method, "BYE");
  assert.equal(bob.responses.at(-1)?.status, 200);
});
