import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_STREAM_PORTS, type TransportName } from "../../../../src/sip/ports.ts";
import { DOMAIN, SipWorld } from "../../../support/sip-harness.ts";

const AOR = `alice@${DOMAIN}`;
const INSTANCE = '+sip.instance="<urn:uuid:0001>"';
const OUTBOUND = { fields: ["Supported: outbound, path, gruu"] };

function worldOfAlice(transport: TransportName = "tcp") {
  const world = new SipWorld();
  world.addUser("alice");
  world.addUser("bob");
  const boxes = [world.box("10.0.0.1"), world.box("10.0.0.2")] as const;
  const phone = world.phone("alice", "10.0.1.1", boxes[0], transport);
  const bob = world.phone("bob", "10.0.1.2", boxes[1]);
  bob.register();
  return { world, boxes, phone, bob };
}

test("a phone that keeps flows is told that they are kept, and how long it may stay silent", () => {
  const { phone } = worldOfAlice();
  const answer = phone.register({ contact: `<sip:alice@10.0.1.1;ob>;reg-id=1;${INSTANCE}`, ...OUTBOUND });
  assert.equal(answer.header("require"), "outbound");
  assert.equal(answer.header("flow-timer"), "120");
  const plain = worldOfAlice("udp").phone.register({ contact: `<sip:alice@10.0.1.1>;reg-id=1;${INSTANCE}` });
  assert.ok(!plain.has("require"), "only if it said that it understands");
});

test("behind a proxy that keeps no flows a flow cannot be registered: 439", () => {
  const { phone } = worldOfAlice("udp");
  const behind = (path: string) => phone.register({
    contact: `<sip:alice@10.0.1.1>;reg-id=1;${INSTANCE}`, callId: `call-${path.length}`,
    fields: ["Supported: outbound, path", `Path: ${path}`, "Via: SIP/2.0/UDP 10.0.9.9;branch=z9hG4bKfar"],
  });
  const refused = behind("<sip:far.example;lr;ob>, <sip:near.example;lr>");
  assert.deepEqual([refused.status, refused.reason], [439, "First Hop Lacks Outbound Support"]);
  assert.equal(behind("<sip:far.example;lr>, <sip:near.example;lr;ob>").status, 200);
});

for (const transport of ["tcp", "tls", "wss"] as const) {
  test(`a ${transport} connection that closes takes its bindings along, at once`, () => {
    const { world, boxes, phone } = worldOfAlice(transport);
    phone.register({ contact: `<sip:alice@10.0.1.1>, <sip:second@10.0.1.1>` });
    assert.equal(world.bindings(AOR).length, 2);
    phone.hangUpConnection();
    world.run();
    assert.deepEqual(world.bindings(AOR), []);
    assert.equal(boxes[0].core.snapshot().registering, 0);
  });
}

test("a binding that the phone renewed over another connection stays when the first one closes", () => {
  const { world, phone } = worldOfAlice();
  const contact = `<sip:alice@10.0.1.1>;reg-id=1;${INSTANCE}`;
  phone.register({ contact, ...OUTBOUND });
  const later = world.phone("alice", "10.0.1.1", phone.box, "tcp", 5070);
  later.register({ contact, callId: "later", ...OUTBOUND });
  phone.hangUpConnection();
  world.run();
  assert.equal(world.bindings(AOR).length, 1);
});

test("two flows of one instance to two boxes are both kept with the same Contact, and tried in turn", () => {
  const { world, boxes, phone, bob } = worldOfAlice("tls");
  const contact = "<sip:alice@10.0.1.1;ob>";
  const other = world.phone("alice", "10.0.1.1", boxes[1], "tls", 5071);
  phone.register({ contact: `${contact};reg-id=1;${INSTANCE}`, ...OUTBOUND });
  other.register({ contact: `${contact};reg-id=2;${INSTANCE}`, callId: "second", ...OUTBOUND });
  assert.deepEqual(world.bindings(AOR).map(({ regId }) => regId), [1, 2]);
  assert.equal(bob.ask("MESSAGE", `sip:${AOR}`, { to: `<sip:${AOR}>` }).status, 200);
  const heard = () => [phone, other].map(({ requests }) => requests.filter(({ method }) => method === "MESSAGE").length);
  assert.equal(heard().reduce((a, b) => a + b), 1, "never two flows of one instance");
  const [first, second] = heard()[0] === 1 ? [phone, other] : [other, phone];
  first.hangUpConnection();
  world.run();
  assert.equal(bob.ask("MESSAGE", `sip:${AOR}`, { to: `<sip:${AOR}>` }).status, 200);
  assert.equal(second.requests.filter(({ method }) => method === "MESSAGE").length, 1);
});

test("the 200 names the box as Service-Route, as the phone knows it", () => {
  const { boxes, phone } = worldOfAlice("udp");
  assert.equal(phone.register().header("service-route"), `<sip:${DOMAIN};lr>`);
  const routed = phone.register({ routes: ["<sip:10.0.0.1:5060;lr>"] });
  assert.equal(routed.header("service-route"), "<sip:10.0.0.1:5060;lr>");
  boxes[0].core.setStreamPorts({ ...NO_STREAM_PORTS, tls: 5061 });
  const overTls = worldOfAlice("tls");
  overTls.boxes[0].core.setStreamPorts({ ...NO_STREAM_PORTS, tls: 5061 });
  assert.equal(overTls.phone.register({ routes: ["<sip:10.0.0.1:5061;transport=tls;lr>"] }).header("service-route"), "<sip:10.0.0.1:5061;transport=tls;lr>");
});

test("what a phone needs to be woken by push is stored and passed as it was (RFC 8599)", () => {
  const { phone, bob } = worldOfAlice();
  const contact = "sip:alice@10.0.1.1;transport=tcp;pn-provider=acme;pn-param=team.app;pn-prid=abcd%2F12";
  assert.match(phone.register({ contact: `<${contact}>` }).header("contact") ?? "", new RegExp(contact.replaceAll(".", "\\.")));
  bob.ask("MESSAGE", `sip:${AOR}`, { to: `<sip:${AOR}>` });
  assert.equal(phone.last("MESSAGE").uriText, contact);
});

test("sips: goes to phones over TLS alone, over TLS between boxes, and never comes in without", () => {
  const { world, boxes, phone, bob } = worldOfAlice("tls");
  const plain = world.phone("alice", "10.0.1.3", boxes[0]);
  phone.register();
  plain.register();
  const uri = `sips:${AOR}`;
  assert.equal(bob.ask("MESSAGE", uri, { to: `<${uri}>` }).status, 416);
  const secure = world.phone("bob", "10.0.1.4", boxes[0], "tls");
  assert.equal(secure.ask("MESSAGE", uri, { to: `<${uri}>` }).status, 200);
  assert.equal(phone.requests.length, 1);
  assert.equal(plain.requests.length, 0);
});

test("sips: reaches a phone on secure WebSocket at another box over TLS, and the whole dialog goes so", () => {
  const { world, boxes, phone } = worldOfAlice("wss");
  for (const box of boxes) box.core.setStreamPorts({ tls: 5061, ws: 5066, wss: 5067 });
  assert.equal(phone.register().status, 200);
  const bob = world.phone("bob", "10.0.1.4", boxes[1], "tls");
  phone.answers = ({ method }) => (method === "INVITE" ? [180, 200] : method === "ACK" ? [] : [200]);
  const uri = `sips:${AOR}`;
  const answer = bob.ask("INVITE", uri, { to: `<${uri}>` });
  assert.equal(answer.status, 200);
  const invite = phone.last("INVITE");
  assert.deepEqual(invite.vias?.map(({ transport }) => transport), ["WSS", "TLS", "TLS"]);
  const routes = invite.list("record-route");
  assert.equal(routes.length, 4);
  assert.ok(routes.every((route) => route.startsWith("<sips:")), routes.join());
  bob.inDialog("ACK", bob.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
  bob.inDialog("BYE", bob.dialogOf(answer));
  world.run();
  assert.equal(phone.last("ACK").method, "ACK");
  assert.deepEqual(phone.last("BYE").vias?.map(({ transport }) => transport), ["WSS", "TLS", "TLS"]);
});

test("a phone on secure WebSocket at a box without TLS is not reached by sips: from another", () => {
  const { world, boxes, phone } = worldOfAlice("wss");
  boxes[1].core.setStreamPorts({ ...NO_STREAM_PORTS, tls: 5061 });
  phone.register();
  const bob = world.phone("bob", "10.0.1.4", boxes[1], "tls");
  assert.equal(bob.ask("INVITE", `sips:${AOR}`, { to: `<sips:${AOR}>` }).status, 480);
  assert.equal(bob.ask("MESSAGE", `sips:${AOR}`, { to: `<sips:${AOR}>` }).status, 480, "nor is it kept for one that may come without TLS");
  assert.equal(world.messagesOf(AOR).size, 0);
});
