import assert from "node:assert/strict";
import { test } from "node:test";
import { instant } from "../../../src/base/time.ts";
import { looksLikeEmergency } from "../../../src/sip/emergency.ts";
import { SourceBudgets } from "../../../src/sip/transport/source-budgets.ts";
import { DOMAIN, type Phone, SipWorld } from "../../support/sip-harness.ts";

const BOB = `sip:bob@${DOMAIN}`;
const BOB_ADDRESS = `<${BOB}>`;
const FROM = "<sip:eve@elsewhere.example>";

function worldOfBob() {
  const world = new SipWorld();
  for (const user of ["alice", "bob", "carol"]) world.addUser(user);
  const box = world.box("10.0.0.1");
  const [alice, bob] = [world.phone("alice", "10.0.1.1", box), world.phone("bob", "10.0.1.2", box)];
  alice.register();
  bob.register();
  const eve = world.phone("eve", "192.0.2.66", box);
  return { world, box, alice, bob, eve };
}

test("a source may send a burst, then so much a second, and more when it proves itself", () => {
  const budgets = new SourceBudgets((host) => host === "10.0.0.2");
  const taken = (ms: number, host: string): number => {
    let count = 0;
    while (count < 10_000 && budgets.take(instant(ms), host)) count++;
    return count;
  };
  assert.equal(taken(0, "192.0.2.1"), 4_000);
  assert.equal(taken(1_000, "192.0.2.1"), 400);
  budgets.proved("192.0.2.1");
  budgets.wanted("192.0.2.1");
  assert.equal(taken(1_000, "192.0.2.1"), 51);
  assert.equal(taken(0, "192.0.2.2"), 4_000, "another source");
  for (const host of ["127.0.0.1", "10.0.0.2"]) assert.equal(taken(0, host), 10_000, "a program of this machine, a box of the fleet");
});

test("a flood is not even parsed when its source has no budget left; other sources and calls for help are", () => {
  const { world, box, bob, eve } = worldOfBob();
  for (let i = 0; i < 4_100; i++) box.datagram(eve.address, box.address, "rubbish");
  assert.ok(box.counted.filter((event) => event === "source-over-budget").length >= 50);
  eve.send(eve.request("OPTIONS", `sip:${DOMAIN}`, { from: FROM }));
  world.run(1);
  assert.equal(eve.responses.length, 0);
  assert.equal(bob.exchange(bob.request("OPTIONS", `sip:${DOMAIN}`, { from: FROM })).status, 200);
  eve.send(eve.request("INVITE", `sip:112@${DOMAIN}`, { from: FROM }));
  world.run(20);
  assert.ok(eve.responses.length > 0);
});

test("who tries passwords has two hundred tries at a box, then twenty a second", () => {
  const { world, box, eve } = worldOfBob();
  const challenge = eve.exchange(eve.request("REGISTER", `sip:${DOMAIN}`, { to: BOB_ADDRESS, from: BOB_ADDRESS }));
  let tries = 0;
  const guess = (count: number): void => {
    for (let i = 0; i < count; i++) {
      tries += 1;
      const nc = tries.toString(16).padStart(8, "0");
      const credentials = eve.credentials(challenge, "REGISTER", `sip:${DOMAIN}`, `guess-${tries}`, "MD5", nc).replace('username="eve"', 'username="bob"');
      eve.send(eve.request("REGISTER", `sip:${DOMAIN}`, { to: BOB_ADDRESS, from: BOB_ADDRESS, fields: [credentials] }));
      world.run(10);
    }
  };
  const wrong = (): number => box.counted.filter((event) => event === "register-wrong-credentials").length;
  guess(100);
  assert.equal(wrong(), 100);
  for (let i = 0; i < 2_000; i++) box.datagram(eve.address, box.address, "rubbish");
  const before = wrong();
  guess(500);
  assert.ok(wrong() - before < 200, `${wrong() - before} in five seconds, with what was left of the burst`);
});

test("five hundred phones behind a proxy are one source: its budget holds them all at once, and one of them who tries passwords spends it for all", () => {
  const { world, box, eve } = worldOfBob();
  const names = Array.from({ length: 500 }, (_, index) => `user${index}`);
  const phones = names.map((name, index) => {
    world.addUser(name);
    return world.phone(name, "192.0.2.50", box, "udp", 6_000 + index);
  });
  const registerAll = (fieldsOf: (phone: Phone) => readonly string[]): readonly (number | undefined)[] => {
    for (const phone of phones) phone.send(phone.request("REGISTER", `sip:${DOMAIN}`, { to: `<${phone.aor}>`, fields: fieldsOf(phone) }));
    world.run(10);
    return [...new Set(phones.map(({ responses }) => responses.at(-1)?.status))];
  };
  assert.deepEqual(registerAll(() => []), [401]);
  assert.deepEqual(registerAll((phone) => [phone.credentials(phone.responses.at(-1) ?? assert.fail(), "REGISTER", `sip:${DOMAIN}`)]), [200]);
  assert.ok(!box.counted.includes("source-over-budget"));

  const guesser = world.phone("user0", "192.0.2.50", box, "udp", 7_000);
  for (let tries = 0; tries < 250; tries++) {
    const challenge = guesser.responses.findLast(({ status }) => status === 401) ?? guesser.exchange(guesser.request("REGISTER", `sip:${DOMAIN}`));
    guesser.send(guesser.request("REGISTER", `sip:${DOMAIN}`, { to: `<${guesser.aor}>`, fields: [guesser.credentials(challenge, "REGISTER", `sip:${DOMAIN}`, `guess-${tries}`)] }));
    world.run(4);
  }
  const [first] = phones;
  assert(first !== undefined);
  first.send(first.request("OPTIONS", BOB));
  world.run(4);
  assert.equal(box.counted.at(-1), "source-over-budget");
  assert.equal(eve.exchange(eve.request("OPTIONS", BOB, { from: FROM })).status, 200, "nobody else");
  world.run(1_000);
  assert.equal(first.register().status, 200, "and not for long");
});

test("when strangers have taken all room for transactions, known phones still have some, and calls for help beyond that", () => {
  const { world, box, alice, bob, eve } = worldOfBob();
  // Nothing but the box is of interest: what goes to Bob and to the strangers is lost.
  world.loses = (_, to) => to.host === bob.address.host || strangers.some(({ address }) => address.host === to.host);
  const strangers = Array.from({ length: 9 }, (_, index) => world.phone("eve", `192.0.2.${100 + index}`, box));
  for (let sent = 0; !box.counted.includes("transactions-at-limit"); sent++) {
    const stranger = strangers[sent % strangers.length] ?? eve;
    world.datagram(stranger.address, box.address, stranger.request("INVITE", BOB, { from: FROM }));
    if (sent % 1_000 === 999) world.run(1);
    assert.ok(sent < 36_000, "the bound was not reached");
  }
  const turnedAway = eve.exchange(eve.request("MESSAGE", BOB, { from: FROM }), 4);
  assert.deepEqual([turnedAway.status, Number(turnedAway.header("retry-after")) >= 5], [503, true]);
  for (const fields of [["X-First: yes"], ["X-Second: yes"], ["X-Third: yes"]]) assert.equal(alice.register({ fields }).status, 200);
  const forHelp = eve.exchange(eve.request("INVITE", `sip:112@${DOMAIN}`, { from: FROM }), 4);
  assert.notEqual(forHelp.status, 503);
});

test("calls for help are known by their first octets", () => {
  for (const uri of ["sip:112@x", "sips:911@x", "tel:999", "urn:service:sos", "URN:service:sos.fire", "sip:110;phone-context=x@y"]) {
    assert.ok(looksLikeEmergency(`INVITE ${uri} SIP/2.0\r\n`), uri);
  }
  for (const start of ["INVITE sip:1120@x", "INVITE sip:x112@x", "OPTIONS sip:112@x", "INVITE", ""]) assert.ok(!looksLikeEmergency(start), start);
});

test("to a stranger, users who do not exist are like users who are not there", () => {
  const { eve, box } = worldOfBob();
  const answers = ["nobody", "carol"].flatMap((user) => ["INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "REGISTER"].map((method) => {
    const uri = method === "REGISTER" ? `sip:${DOMAIN}` : `sip:${user}@${DOMAIN}`;
    const from = method === "REGISTER" ? `<sip:${user}@${DOMAIN}>` : FROM;
    const answer = eve.exchange(eve.request(method, uri, { from, to: `<sip:${user}@${DOMAIN}>` }));
    return `${method} ${answer.status} ${answer.reason} ${answer.fields.map(({ name }) => name).join()}`;
  }));
  assert.deepEqual(answers.slice(0, 5), answers.slice(5));
  assert.equal(box.core.snapshot().questions, 0);
});

test("nobody is relayed to link-local addresses or to the overlay's port", () => {
  const { world, alice } = worldOfBob();
  for (const uri of ["sip:x@169.254.169.254:80", "sip:x@[fe80::1]"]) assert.equal(alice.ask("MESSAGE", uri).status, 403, uri);
  world.names.set("trap.example", [{ transport: "tcp", address: { host: "169.254.1.1", port: 80 } }]);
  assert.equal(alice.ask("MESSAGE", "sip:x@trap.example").status, 403);
  const guarded = world.box("10.0.0.9", { overlayPort: 6084 });
  const carol = world.phone("carol", "10.0.1.3", guarded);
  assert.equal(carol.ask("MESSAGE", "sip:x@10.0.0.9:6084").status, 403);
});

for (const written of [
  "P-Asserted-Identity: <sip:boss@example.test>", "p-asserted-identity : <sip:boss@example.test>", "P-ASSERTED-IDENTITY:\r\n <sip:boss@example.test>",
  "Remote-Party-ID: <sip:boss@example.test>;party=calling", "P-Preferred-Identity:\t<sip:boss@example.test>", "P-Served-User: <sip:boss@example.test>",
]) {
  test(`a claim of identity is taken off: ${JSON.stringify(written)}`, () => {
    const { bob, eve } = worldOfBob();
    assert.equal(eve.exchange(eve.request("MESSAGE", BOB, { from: FROM, fields: [written, written, "X-Kept: 1"] })).status, 200);
    assert.ok(!/boss/i.test(bob.last("MESSAGE").octets));
    assert.ok(bob.last("MESSAGE").has("x-kept"));
  });
}

test("Max-Breadth is shared among the branches, and what has none left is 440 (RFC 5393)", () => {
  const { world, box, eve } = worldOfBob();
  const phones = [3, 4, 5].map((i) => world.phone("bob", `10.0.1.${i}`, box));
  for (const [i, phone] of phones.entries()) phone.register({ callId: `r${i}` });
  const heard = (value: string | undefined) => {
    for (const phone of phones) phone.requests.length = 0;
    const fields = value === undefined ? [] : [`Max-Breadth: ${value}`];
    const { status } = eve.exchange(eve.request("OPTIONS", BOB, { from: FROM, fields }));
    return [status, ...phones.flatMap(({ requests }) => requests.map((request) => request.headers("max-breadth").join("|")))];
  };
  assert.deepEqual(heard(undefined), [200, "15", "15", "15"]);
  assert.deepEqual(heard("9"), [200, "2", "2", "2"]);
  assert.deepEqual(heard("10000"), [200, "15", "15", "15"]);
  assert.equal(heard("0")[0], 440);
});

test("with less Max-Breadth than phones some wait their turn", () => {
  const { world, box, bob, eve } = worldOfBob();
  const other = world.phone("bob", "10.0.1.3", box);
  other.register({ callId: "r" });
  bob.answers = other.answers = (request) => (request.method === "ACK" ? [] : [486]);
  const order: string[] = [];
  for (const phone of [bob, other]) {
    phone.answers = (request) => {
      if (request.method === "OPTIONS") order.push(phone.address.host);
      return request.method === "ACK" ? [] : [480];
    };
  }
  assert.equal(eve.exchange(eve.request("OPTIONS", BOB, { from: FROM, fields: ["Max-Breadth: 1"] })).status, 480);
  assert.equal(order.length, 2);
});

test("the fork bomb of RFC 5393 section 3, two users who are each other's Contacts at two boxes, goes out by itself", () => {
  const world = new SipWorld();
  const names = ["a", "b"];
  for (const user of names) world.addUser(user);
  const boxes = [world.box("10.0.0.1"), world.box("10.0.0.2")];
  for (const box of boxes) box.core.setFleetAddresses(boxes.map(({ address }) => address));
  for (const user of names) {
    // Behind a proxy without Path it is called by its Contacts, which lead to the other box and so back here.
    const phone = world.phone(user, `10.0.1.${1 + names.indexOf(user)}`, boxes[0] ?? assert.fail());
    const contact = boxes.flatMap(({ address }) => names.map((name) => `<sip:${name}@${address.host}:5060;from=${user}>`)).join(", ");
    const behind = { contact, fields: ["Via: SIP/2.0/UDP 10.0.9.9;branch=z9hG4bKfar"] };
    assert.equal(phone.register(behind).status, 200);
  }
  assert.equal(world.bindings(`a@${DOMAIN}`).filter(({ flowToken }) => flowToken === "").length, 4);
  const eve = world.phone("eve", "192.0.2.66", boxes[0] ?? assert.fail());
  let invites = 0;
  world.loses = (_, to, octets) => {
    if (octets.startsWith("INVITE ") && boxes.some(({ address }) => address.host === to.host)) invites += 1;
    return false;
  };
  eve.send(eve.request("INVITE", `sip:a@${DOMAIN}`, { from: FROM }));
  world.run(200_000);
  const loops = boxes.flatMap(({ counted }) => counted.filter((event) => event === "loop")).length;
  assert.ok(loops > 20, "it did go off");
  // Four pairs of user and box that all lead to each other: where each path ends at its first return there are so many.
  assert.ok(invites <= 4 + 4 * 3 + 4 * 3 * 2 + 4 * 3 * 2, `${invites} INVITEs`);
  for (const { core } of boxes) assert.equal(core.snapshot().responseContexts, 0);
});
