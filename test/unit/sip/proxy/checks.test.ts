import assert from "node:assert/strict";
import { test } from "node:test";
import { SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const FROM = "<sip:eve@elsewhere.example>";

function world() {
  const all = new SipWorld();
  all.addUser("bob");
  const box = all.box("10.0.0.1");
  const bob = all.phone("bob", "10.0.1.2", box);
  bob.register();
  const eve = all.phone("eve", "192.0.2.66", box);
  const ask = (method: string, uri: string, options: Parameters<typeof eve.request>[2] = {}) =>
    eve.exchange(eve.request(method, uri, { from: FROM, ...options }));
  return { all, box, bob, eve, ask };
}

test("Max-Forwards 0 is 483, and OPTIONS is answered instead", () => {
  const { ask, bob } = world();
  assert.equal(ask("MESSAGE", BOB, { maxForwards: 0 }).status, 483);
  assert.equal(ask("OPTIONS", BOB, { maxForwards: 0 }).status, 200);
  assert.equal(bob.requests.length, 0);
});

test("Max-Forwards goes down by one", () => {
  const { ask, bob } = world();
  ask("MESSAGE", BOB, { maxForwards: 7 });
  assert.equal(bob.last("MESSAGE").maxForwards, 6);
});

test("Proxy-Require with anything is 420", () => {
  const { ask } = world();
  const response = ask("MESSAGE", BOB, { fields: ["Proxy-Require: teleport, gin"] });
  assert.equal(response.status, 420);
  assert.equal(response.header("unsupported"), "teleport, gin");
});

test("sips and foreign schemes are 416", () => {
  const { ask } = world();
  assert.equal(ask("OPTIONS", "sips:bob@example.test").status, 416);
  assert.equal(ask("OPTIONS", "tel:+358").status, 416);
});

test("OPTIONS to the box says what it takes, and whether it serves", () => {
  const { ask, box } = world();
  const well = ask("OPTIONS", "sip:10.0.0.1");
  assert.equal(well.status, 200);
  for (const name of ["allow", "accept", "supported"]) assert.ok(well.has(name), name);
  assert.equal(ask("OPTIONS", "sip:example.test").status, 200);
  box.core.setServing(false);
  assert.equal(ask("OPTIONS", "sip:example.test").status, 503);
});

test("PUBLISH and SUBSCRIBE for what we do not serve are 489", () => {
  const { ask } = world();
  assert.equal(ask("PUBLISH", BOB, { fields: ["Event: dialog"] }).status, 489);
  assert.equal(ask("SUBSCRIBE", BOB, { fields: ["Event: conference"] }).status, 489);
});

test("what the box itself cannot do is refused with the method's own status", () => {
  const { ask } = world();
  assert.equal(ask("DANCE", "sip:example.test").status, 501);
  assert.equal(ask("MESSAGE", "sip:example.test").status, 405);
  assert.equal(ask("INVITE", "sip:example.test").status, 404);
  assert.equal(ask("BYE", "sip:example.test", { to: "<sip:example.test>;tag=1" }).status, 481);
});

test("an unknown method to a user passes", () => {
  const { ask, bob } = world();
  assert.equal(ask("DANCE", BOB).status, 200);
  assert.equal(bob.last("DANCE").method, "DANCE");
});

/** Each as a phone or a service outside writes it: none of them is the proxy's to read. */
const NOT_OURS: readonly (readonly [rfc: string, method: string, field: string])[] = [
  ["3262", "PRACK", "RAck: 776656 1 INVITE"],
  ["3311", "UPDATE", "Session-Expires: 1800;refresher=uac"],
  ["4028", "INVITE", "Session-Expires: 1800;refresher=uas"],
  ["4028", "INVITE", "Min-SE: 90"],
  ["3515", "REFER", "Refer-To: <sip:carol@example.test?Replaces=1%40x%3Bto-tag%3Da%3Bfrom-tag%3Db>"],
  ["3892", "REFER", 'Referred-By: <sip:eve@elsewhere.example>;cid="1@elsewhere.example"'],
  ["3891", "INVITE", "Replaces: 98732@elsewhere.example;from-tag=r33th4x0r;to-tag=ff87ff;early-only"],
  ["3323", "INVITE", "Privacy: id;critical"],
  ["8224", "INVITE", "Identity: eyJhbGciOiJFUzI1NiJ9.eyJvcmlnIjp7InRuIjoiMSJ9fQ.sig;info=<https://cert.example.org/c.pem>;alg=ES256;ppt=shaken"],
];
for (const [rfc, method, field] of NOT_OURS) {
  test(`${field.slice(0, field.indexOf(":"))} in ${method} passes byte for byte (RFC ${rfc})`, () => {
    const { ask, bob } = world();
    assert.equal(ask(method, BOB, { from: FROM, fields: [field] }).status, 200);
    assert.ok(bob.last(method).octets.includes(`\r\n${field}\r\n`), bob.last(method).octets);
  });
}

test("a request that comes back unchanged is a loop", () => {
  const { all, eve, bob } = world();
  bob.answers = () => [];
  eve.send(eve.request("INVITE", BOB, { from: FROM }));
  all.run();
  const looped = bob.last("INVITE").octets.replace(/^INVITE \S+/, `INVITE ${BOB}`);
  const response = bob.exchange(`${looped.replace(/Via:/, "Via: SIP/2.0/UDP 10.0.1.2;branch=z9hG4bKloop\r\nVia:")}`);
  assert.equal(response.status, 482);
});

test("a spiral, back with another Request-URI, is none", () => {
  const { all, eve, bob } = world();
  all.addUser("carol");
  const carol = all.phone("carol", "10.0.1.3", bob.box);
  carol.register();
  bob.answers = () => [];
  eve.send(eve.request("MESSAGE", BOB, { from: FROM }));
  all.run();
  const spiral = bob.last("MESSAGE").octets.replace(/^MESSAGE \S+/, "MESSAGE sip:carol@example.test");
  bob.send(spiral.replace(/Via:/, "Via: SIP/2.0/UDP 10.0.1.2;branch=z9hG4bKspiral\r\nVia:"));
  all.run();
  assert.equal(carol.last("MESSAGE").vias?.length, 4);
});

test("a malformed request is answered where there is somebody to answer", () => {
  const { eve, box } = world();
  const before = box.core.snapshot().serverTransactions;
  const octets = eve.request("INVITE", BOB, { from: FROM, cseqMethod: "BYE" });
  assert.equal(eve.exchange(octets).status, 400);
  assert.equal(box.core.snapshot().serverTransactions, before);
});

test("rport is filled in, and a datagram without it from behind a NAT is answered at its source all the same", () => {
  const { eve } = world();
  const plain = eve.request("OPTIONS", "sip:example.test", { from: FROM });
  assert.equal(eve.exchange(plain).topVia?.rport, 5060);
  const behind = plain.replace("192.0.2.66:5060", "192.168.0.9:9999").replace(";rport", "");
  const response = eve.exchange(behind);
  assert.equal(response.topVia?.received, "192.0.2.66");
});

test("over TCP a double CRLF is answered with one, and two messages in one segment are two", () => {
  const { all, box } = world();
  const tom = all.phone("tom", "192.0.2.70", box, "tcp");
  tom.send("\r\n\r\n");
  all.run();
  assert.deepEqual(tom.heard, ["\r\n"]);
  const one = tom.request("OPTIONS", "sip:example.test", { from: FROM });
  const two = tom.request("OPTIONS", "sip:example.test", { from: FROM });
  tom.send(one.slice(0, 40));
  tom.send(one.slice(40) + two);
  all.run();
  assert.deepEqual(tom.responses.map(({ status }) => status), [200, 200]);
});

test("a stream that cannot be framed is closed", () => {
  const { all, box } = world();
  const tom = all.phone("tom", "192.0.2.70", box, "tcp");
  tom.send(tom.request("OPTIONS", "sip:example.test", { from: FROM }).replace("Content-Length: 0", "Content-Length: -1"));
  all.run();
  assert.equal(box.core.snapshot().connections, 0);
});

test("a message that is begun over TCP and never finished costs its connection", () => {
  const { all, box } = world();
  const tom = all.phone("tom", "192.0.2.70", box, "tcp");
  tom.send(tom.request("OPTIONS", "sip:example.test", { from: FROM }).replace("Content-Length: 0", "Content-Length: 9999"));
  all.run(30_000);
  tom.send("a little more");
  assert.equal(box.core.snapshot().connections, 1);
  all.run(3_000);
  assert.equal(box.core.snapshot().connections, 0);
  assert.equal(box.core.nextDeadline(), undefined);
});

test("a header section that comes one octet at a time costs its connection after ten seconds, whatever comes meanwhile", () => {
  const { all, box } = world();
  const tom = all.phone("tom", "192.0.2.70", box, "tcp");
  const octets = tom.request("OPTIONS", "sip:example.test", { from: FROM });
  for (let at = 0; at < 9; at++) {
    tom.send(octets.charAt(at));
    all.run(1_000);
  }
  assert.equal(box.core.snapshot().connections, 1);
  tom.send(octets.charAt(9));
  all.run(2_000);
  assert.equal(box.core.snapshot().connections, 0);
});

test("a body has its 32 seconds from the end of its header section on, however long that took", () => {
  const { all, box } = world();
  const tom = all.phone("tom", "192.0.2.70", box, "tcp");
  const octets = tom.request("OPTIONS", "sip:example.test", { from: FROM }).replace("Content-Length: 0", "Content-Length: 6");
  tom.send(octets.slice(0, 20));
  all.run(8_000);
  tom.send(octets.slice(20));
  all.run(25_000);
  tom.send("a body");
  all.run(1_000);
  assert.match(tom.heard.join(""), /SIP\/2\.0 /);
  all.run(40_000);
  assert.equal(box.core.snapshot().connections, 1);
});

test("when the location service does not answer at all, 503 after its time", () => {
  const { all, box, eve } = world();
  all.isStoreAvailable = false;
  assert.equal(eve.exchange(eve.request("MESSAGE", BOB, { from: FROM })).status, 503);
  assert.equal(box.core.snapshot().responseContexts, 0);
});
