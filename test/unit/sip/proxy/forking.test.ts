import assert from "node:assert/strict";
import { test } from "node:test";
import { type Phone, SipWorld } from "../../../support/sip-harness.ts";

const BOB = "sip:bob@example.test";
const FROM = "<sip:eve@elsewhere.example>";

/** Eve, a stranger, and Bob with phones of these q values (and instances). */
function forked(...contacts: readonly (string | undefined)[]) {
  const world = new SipWorld();
  world.addUser("bob");
  const box = world.box("10.0.0.1");
  const phones = contacts.map((parameters, i) => {
    const phone = world.phone("bob", `10.0.1.${i + 1}`, box);
    phone.answers = () => [];
    const contact = `${phone.contact}${parameters ?? ""}`;
    assert.equal(phone.register({ contact, expires: 600 + i }).status, 200);
    return phone;
  });
  const eve = world.phone("eve", "192.0.2.66", box);
  const invite = () => {
    const octets = eve.request("INVITE", BOB, { from: FROM });
    eve.send(octets);
    world.run();
    return octets;
  };
  const cancel = (octets: string) => {
    eve.send(octets.replace("INVITE sip:", "CANCEL sip:").replace(/(CSeq: \d+) INVITE/, "$1 CANCEL"));
    world.run();
  };
  return { world, box, eve, phones, invite, cancel };
}

const phoneAt = (phones: readonly Phone[], index: number): Phone => {
  const phone = phones[index];
  assert.ok(phone);
  return phone;
};

const statuses = (phone: Phone, method = "INVITE"): readonly number[] =>
  phone.responses.filter(({ cseq }) => cseq?.method === method).map(({ status }) => status);

const methods = (phone: Phone): readonly string[] => phone.requests.map(({ method }) => method);

/** Answers the first INVITE, and lets what follows from it happen. */
function answer(world: SipWorld, phone: Phone, ...codes: readonly number[]): void {
  for (const code of codes) phone.reply(phone.last("INVITE"), code);
  world.run();
}

test("all phones of a user ring, the first to answer has the call, the others are cancelled", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined, undefined);
  invite();
  for (const phone of phones) answer(world, phone, 180);
  answer(world, phoneAt(phones, 1), 200);
  assert.deepEqual(statuses(eve), [100, 180, 180, 180, 200]);
  assert.deepEqual(phones.map(methods), [["INVITE", "CANCEL"], ["INVITE"], ["INVITE", "CANCEL"]]);
});

test("199 Early Dialog Terminated passes as it came, and the call goes on (RFC 6228)", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  const [first, second] = [phoneAt(phones, 0), phoneAt(phones, 1)];
  answer(world, second, 180);
  first.reply(first.last("INVITE"), 199, [["Require", "100rel"], ["RSeq", "7"], ["Reason", "SIP;cause=486"]]);
  world.run();
  const told = eve.responses.at(-1);
  assert.deepEqual([told?.status, told?.header("require"), told?.header("rseq"), told?.header("reason")], [199, "100rel", "7", "SIP;cause=486"]);
  answer(world, second, 200);
  assert.deepEqual(statuses(eve), [100, 180, 199, 200]);
  assert.deepEqual(phones.map(methods), [["INVITE", "CANCEL"], ["INVITE"]]);
});

test("a second 2xx is sent on as well", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  for (const phone of phones) answer(world, phone, 200);
  assert.deepEqual(statuses(eve), [100, 200, 200]);
});

test("a 2xx that is repeated is sent on each time, for the Accepted state's 32 seconds", () => {
  const { world, eve, phones, invite } = forked(undefined);
  invite();
  answer(world, phoneAt(phones, 0), 200);
  world.run(10_000);
  answer(world, phoneAt(phones, 0), 200);
  assert.deepEqual(statuses(eve), [100, 200, 200]);
  world.run(33_000);
  answer(world, phoneAt(phones, 0), 200);
  assert.deepEqual(statuses(eve), [100, 200, 200]);
});

test("a busy phone does not end the call for the others", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  answer(world, phoneAt(phones, 0), 486);
  assert.deepEqual(methods(phoneAt(phones, 0)), ["INVITE", "ACK"]);
  answer(world, phoneAt(phones, 1), 180, 200);
  assert.deepEqual(statuses(eve), [100, 180, 200]);
});

test("when all are busy the caller hears it once", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  for (const phone of phones) answer(world, phone, 486);
  assert.deepEqual(statuses(eve).slice(0, 2), [100, 486]);
});

test("a phone that is switched off does not spoil busy for the caller", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  answer(world, phoneAt(phones, 0), 486);
  world.run(33_000);
  assert.equal(statuses(eve).at(-1), 486);
});

test("nobody at home at all is 408 after 32 seconds", () => {
  const { world, eve, invite } = forked(undefined);
  invite();
  world.run(33_000);
  assert.equal(statuses(eve)[1], 408);
});

test("5xx and 503 of a branch are worse than any 4xx, and 503 goes out as 500", () => {
  const one = forked(undefined, undefined);
  one.invite();
  answer(one.world, phoneAt(one.phones, 0), 503);
  answer(one.world, phoneAt(one.phones, 1), 404);
  assert.equal(statuses(one.eve)[1], 404);
  const two = forked(undefined);
  two.invite();
  answer(two.world, phoneAt(two.phones, 0), 503);
  assert.equal(statuses(two.eve)[1], 500);
});

test("6xx cancels the others and is the answer", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  answer(world, phoneAt(phones, 1), 180);
  answer(world, phoneAt(phones, 0), 603);
  assert.deepEqual(methods(phoneAt(phones, 1)), ["INVITE", "CANCEL"]);
  answer(world, phoneAt(phones, 1), 487);
  assert.equal(statuses(eve).at(-1), 603);
});

test("a 2xx that races with a 6xx wins", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  answer(world, phoneAt(phones, 1), 180);
  answer(world, phoneAt(phones, 0), 603);
  answer(world, phoneAt(phones, 1), 200);
  assert.equal(statuses(eve).at(-1), 200);
});

test("challenges of several branches are put together", () => {
  const { world, eve, phones, invite } = forked(undefined, undefined);
  invite();
  const challenge = (realm: string) => ["Proxy-Authenticate", `Digest realm="${realm}", nonce="1"`] as const;
  phoneAt(phones, 0).reply(phoneAt(phones, 0).last("INVITE"), 407, [challenge("one")]);
  phoneAt(phones, 1).reply(phoneAt(phones, 1).last("INVITE"), 407, [challenge("two")]);
  world.run();
  const last = eve.responses.find(({ status }) => status === 407);
  assert.equal(last?.headers("proxy-authenticate").length, 2);
});

test("higher q first, the lower only when the higher has failed", () => {
  const { world, eve, phones, invite } = forked(";q=0.2", ";q=0.9", ";q=0.9");
  invite();
  assert.deepEqual(phones.map(methods), [[], ["INVITE"], ["INVITE"]]);
  answer(world, phoneAt(phones, 1), 486);
  assert.deepEqual(methods(phoneAt(phones, 0)), []);
  answer(world, phoneAt(phones, 2), 480);
  assert.deepEqual(methods(phoneAt(phones, 0)), ["INVITE"]);
  answer(world, phoneAt(phones, 0), 200);
  assert.deepEqual(statuses(eve), [100, 200]);
});

const INSTANCE = (flow: number) => `;reg-id=${flow};+sip.instance="<urn:uuid:1>"`;

test("two flows of one instance are tried in turn, the newest first", () => {
  const { world, eve, phones, invite } = forked(INSTANCE(1), INSTANCE(2));
  invite();
  assert.deepEqual(phones.map(methods), [[], ["INVITE"]]);
  answer(world, phoneAt(phones, 1), 430);
  assert.deepEqual(methods(phoneAt(phones, 0)), ["INVITE"]);
  answer(world, phoneAt(phones, 0), 200);
  assert.deepEqual(statuses(eve), [100, 200]);
});

test("what an instance answered itself is final for all its flows", () => {
  const { world, eve, phones, invite } = forked(INSTANCE(1), INSTANCE(2));
  invite();
  answer(world, phoneAt(phones, 1), 486);
  assert.deepEqual(methods(phoneAt(phones, 0)), []);
  assert.equal(statuses(eve)[1], 486);
});

test("CANCEL is answered, sent to all that rang, and ends in 487", () => {
  const { world, eve, phones, invite, cancel } = forked(undefined, undefined);
  const octets = invite();
  for (const phone of phones) answer(world, phone, 180);
  cancel(octets);
  assert.deepEqual(statuses(eve, "CANCEL"), [200]);
  for (const phone of phones) {
    phone.reply(phone.last("CANCEL"), 200);
    answer(world, phone, 487);
  }
  assert.equal(statuses(eve).at(-1), 487);
  assert.deepEqual(phones.map(methods), [["INVITE", "CANCEL", "ACK"], ["INVITE", "CANCEL", "ACK"]]);
});

test("a branch that has said nothing yet is cancelled when it does", () => {
  const { world, phones, invite, cancel } = forked(undefined);
  const octets = invite();
  cancel(octets);
  assert.deepEqual(methods(phoneAt(phones, 0)), ["INVITE"]);
  answer(world, phoneAt(phones, 0), 180);
  assert.deepEqual(methods(phoneAt(phones, 0)), ["INVITE", "CANCEL"]);
});

test("a 200 that crosses the CANCEL wins", () => {
  const { world, eve, phones, invite, cancel } = forked(undefined);
  const octets = invite();
  answer(world, phoneAt(phones, 0), 180);
  cancel(octets);
  answer(world, phoneAt(phones, 0), 200);
  assert.equal(statuses(eve).at(-1), 200);
});

test("a cancelled branch that never answers ends in 487 after 32 seconds", () => {
  const { world, box, eve, phones, invite, cancel } = forked(undefined);
  const octets = invite();
  answer(world, phoneAt(phones, 0), 180);
  cancel(octets);
  world.run(33_000);
  assert.equal(statuses(eve).includes(487), true);
  world.run(40_000);
  assert.equal(box.core.snapshot().clientTransactions, 0);
});

test("CANCEL while the callee is being looked up ends in 487 and no phone rings", () => {
  const { world, eve, phones } = forked(undefined);
  const octets = eve.request("INVITE", BOB, { from: FROM });
  eve.send(octets);
  eve.send(octets.replace("INVITE sip:", "CANCEL sip:").replace(/(CSeq: \d+) INVITE/, "$1 CANCEL"));
  world.run();
  assert.deepEqual(statuses(eve).slice(0, 2), [100, 487]);
  assert.deepEqual(methods(phoneAt(phones, 0)), []);
});

test("CANCEL for nothing is 481", () => {
  const { eve } = forked(undefined);
  const octets = eve.request("CANCEL", BOB, { from: FROM, cseq: 4 });
  assert.equal(eve.exchange(octets).status, 481);
});

test("timer C ends a branch that rings for ever; each ringing starts it anew", () => {
  const { world, eve, phones, invite } = forked(undefined);
  invite();
  answer(world, phoneAt(phones, 0), 180);
  world.run(120_000);
  answer(world, phoneAt(phones, 0), 180);
  world.run(120_000);
  assert.deepEqual(methods(phoneAt(phones, 0)), ["INVITE"]);
  world.run(70_000);
  assert.equal(methods(phoneAt(phones, 0))[1], "CANCEL");
  answer(world, phoneAt(phones, 0), 487);
  assert.equal(statuses(eve).at(-1), 487);
});

test("an INVITE that comes again is absorbed and answered from memory", () => {
  const { world, eve, phones, invite } = forked(undefined);
  const octets = invite();
  answer(world, phoneAt(phones, 0), 180);
  eve.send(octets);
  world.run();
  assert.deepEqual(statuses(eve), [100, 180, 180]);
  assert.deepEqual(methods(phoneAt(phones, 0)), ["INVITE"]);
});

test("a final answer is repeated until the ACK, and ends quietly without one", () => {
  const { world, box, eve, phones, invite } = forked(undefined);
  const octets = invite();
  answer(world, phoneAt(phones, 0), 486);
  world.run(4_000);
  const heard = statuses(eve).filter((status) => status === 486).length;
  assert.equal(heard, 4);
  const response = eve.responses.at(-1);
  assert.ok(response);
  eve.send(octets.replace("INVITE sip:", "ACK sip:").replace(/(CSeq: \d+) INVITE/, "$1 ACK").replace(/To: .*\r\n/, `To: ${response.header("to")}\r\n`));
  world.run(40_000);
  assert.equal(statuses(eve).filter((status) => status === 486).length, heard);
  assert.equal(box.core.snapshot().serverTransactions, 0);
});

test("a non-INVITE that nobody answers gets a 100 at 3.5 seconds, and never a 408", () => {
  const { world, box, eve } = forked(undefined);
  eve.send(eve.request("MESSAGE", BOB, { from: FROM }));
  world.run(3_400);
  assert.deepEqual(statuses(eve, "MESSAGE"), []);
  world.run(200);
  assert.deepEqual(statuses(eve, "MESSAGE"), [100]);
  world.run(60_000);
  assert.deepEqual(statuses(eve, "MESSAGE"), [100]);
  assert.equal(box.core.snapshot().serverTransactions, 0);
  assert.equal(box.core.snapshot().responseContexts, 0);
});

test("a 408 to a non-INVITE is not sent on, nor a 180", () => {
  const { world, eve, phones } = forked(undefined);
  eve.send(eve.request("MESSAGE", BOB, { from: FROM }));
  world.run();
  const phone = phoneAt(phones, 0);
  phone.reply(phone.last("MESSAGE"), 180);
  phone.reply(phone.last("MESSAGE"), 408);
  world.run();
  assert.deepEqual(statuses(eve, "MESSAGE"), []);
});

test("a late answer to a non-INVITE is dropped", () => {
  const { world, eve, phones } = forked(undefined);
  eve.send(eve.request("MESSAGE", BOB, { from: FROM }));
  world.run(40_000);
  const phone = phoneAt(phones, 0);
  phone.reply(phone.last("MESSAGE"), 200);
  world.run();
  assert.deepEqual(statuses(eve, "MESSAGE"), [100]);
});

test("a response that belongs to no transaction goes nowhere", () => {
  const { world, eve, box, phones } = forked(undefined);
  const phone = phoneAt(phones, 0);
  phone.send("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKy\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n");
  world.run();
  assert.equal(eve.heard.length, 0);
  assert.deepEqual(box.counted.at(-1), "stray-response");
});
