// Answers and requests that cross, repeat or contradict themselves, and calls of three phones.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { SipRequest } from "../../../../src/sip/message/message.ts";
import { type Phone, SipWorld } from "../../../support/sip-harness.ts";

const uri = (user: string): string => `sip:${user}@example.test`;
const BOB = uri("bob");

function phonesOf(...users: readonly string[]) {
  const world = new SipWorld();
  const box = world.box("10.0.0.1");
  const phones = users.map((user, index) => {
    world.addUser(user);
    const phone = world.phone(user, `10.0.1.${index + 1}`, box);
    assert.equal(phone.register().status, 200);
    return phone;
  });
  const eve = world.phone("eve", "192.0.2.66", box);
  return { world, box, eve, phones };
}

const first = (phones: readonly Phone[], index = 0): Phone => {
  const phone = phones[index];
  assert.ok(phone);
  return phone;
};
const finals = (phone: Phone, method: string): readonly number[] => phone.responses.filter(({ cseq, status }) => cseq?.method === method && status >= 200).map(({ status }) => status);
const cancelOf = (octets: string): string => octets.replace("INVITE sip:", "CANCEL sip:").replace(/(CSeq: \d+) INVITE/, "$1 CANCEL");

/** Eve's request to Bob, sent; Bob answers by hand. */
function asked(method: string, phones = ["bob"]) {
  const { world, eve, phones: made, box } = phonesOf(...phones);
  for (const phone of made) phone.answers = () => [];
  const octets = eve.request(method, BOB, { from: "<sip:eve@elsewhere.example>" });
  eve.send(octets);
  world.run();
  return { world, box, eve, octets, bob: first(made), phones: made };
}

/** What the phone would send, changed on its way out. */
function answersWith(world: SipWorld, phone: Phone, request: SipRequest, status: number, change: (octets: string) => string): void {
  const { datagram } = world;
  world.datagram = (from, to, octets) => datagram.call(world, from, to, octets.startsWith(`SIP/2.0 ${status}`) && from === phone.address ? change(octets) : octets);
  phone.reply(request, status);
  world.datagram = datagram;
  world.run();
}

suite("answers that are not as they should be", () => {
  for (const method of ["INVITE", "OPTIONS"]) {
    test(`${method}: an answer with a Via too many is no answer of ours below, and goes on without our own`, () => {
      const { world, bob, eve } = asked(method);
      answersWith(world, bob, bob.last(method), 200, (octets) => octets.replace("\r\nVia:", "\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKstrange\r\nVia:"));
      assert.deepEqual(finals(eve, method), []);
    });

    test(`${method}: a provisional answer that is malformed is dropped, and silence ends as silence does`, () => {
      const { world, bob, eve } = asked(method);
      answersWith(world, bob, bob.last(method), 180, (octets) => octets.replace(/CSeq: \d+/, "CSeq: many"));
      assert.deepEqual(eve.responses.filter(({ status }) => status === 180), []);
      world.run(40_000);
      assert.deepEqual([...new Set(finals(eve, method))], method === "INVITE" ? [408] : []);
    });
  }
});

suite("answers that cross a CANCEL", () => {
  for (const status of [486, 503]) {
    test(`a ${status} that crosses the CANCEL ends the call once, and the CANCEL is answered`, () => {
      const { world, bob, eve, octets } = asked("INVITE");
      bob.reply(bob.last("INVITE"), 180);
      world.run();
      bob.reply(bob.last("INVITE"), status);
      eve.send(cancelOf(octets));
      world.run();
      assert.deepEqual(finals(eve, "CANCEL"), [200]);
      const ends = new Set(finals(eve, "INVITE"));
      assert.deepEqual([...ends], [status === 503 ? 500 : status]);
    });

    test(`a ${status} in the place of 487 ends the cancelled call, once${status === 503 ? ", as cancelled" : ""}`, () => {
      const { world, bob, eve, octets } = asked("INVITE");
      bob.reply(bob.last("INVITE"), 180);
      world.run();
      eve.send(cancelOf(octets));
      world.run();
      assert.equal(bob.last("CANCEL").method, "CANCEL");
      bob.reply(bob.last("INVITE"), status);
      world.run();
      assert.deepEqual([...new Set(finals(eve, "INVITE"))], [status === 503 ? 487 : status]);
    });
  }
});

suite("requests that repeat or contradict themselves", () => {
  test("every ACK to a 200 goes on, however often it comes", () => {
    const { phones: [alice, bob], world } = phonesOf("alice", "bob");
    assert.ok(alice && bob);
    bob.answers = (request) => (request.method === "INVITE" ? [200] : []);
    const answer = alice.ask("INVITE", BOB, { to: `<${BOB}>` });
    for (let count = 0; count < 5; count += 1) alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "", branch: "z9hG4bK-same-ack" });
    world.run();
    assert.equal(bob.requests.filter(({ method }) => method === "ACK").length, 5);
  });

  for (const [method, cseqMethod] of [["INVITE", "CANCEL"], ["INVITE", "UNHEARDOF"], ["CANCEL", "INVITE"]] as const) {
    test(`${method} with ${cseqMethod} in CSeq is refused, and no phone hears it`, () => {
      const { phones, eve, world } = phonesOf("bob");
      const answer = eve.exchange(eve.request(method, BOB, { cseqMethod, from: "<sip:eve@elsewhere.example>" }));
      world.run(1_000);
      assert.equal(answer.status, 400);
      assert.deepEqual(first(phones).requests, []);
    });
  }

  test("a CANCEL goes round a spiral as its INVITE did", () => {
    const { world, box, eve, phones: [bob, carol] } = phonesOf("bob", "carol");
    assert.ok(bob && carol);
    for (const phone of [bob, carol]) phone.answers = () => [];
    const octets = eve.request("INVITE", BOB, { from: "<sip:eve@elsewhere.example>" });
    eve.send(octets);
    world.run();
    // Bob's end is a proxy that sends the call back to the box, for Carol.
    const via = "Via: SIP/2.0/UDP 10.0.1.1;branch=z9hG4bKspiral\r\n";
    const turned = bob.last("INVITE").octets.replace(/^INVITE \S+/, `INVITE ${uri("carol")}`).replace("Via:", `${via}Via:`);
    const turnBack = (): void => bob.send((bob.responses.at(-1)?.octets ?? "").replace(/Via: SIP\/2.0\/UDP 10\.0\.1\.1[^\r]*\r\n/, ""));
    bob.send(turned);
    world.run();
    carol.reply(carol.last("INVITE"), 180);
    world.run();
    turnBack();
    world.run();
    assert.equal(eve.responses.at(-1)?.status, 180);

    eve.send(cancelOf(octets));
    world.run();
    assert.deepEqual(finals(eve, "CANCEL"), [200]);
    bob.reply(bob.last("CANCEL"), 200);
    bob.send(cancelOf(turned).replace(/(Via:[^\r]*\r\n)(?:Via:[^\r]*\r\n)+/, "$1"));
    world.run();
    carol.reply(carol.last("CANCEL"), 200);
    carol.reply(carol.last("INVITE"), 487);
    world.run();
    bob.responses.splice(0, bob.responses.length, ...bob.responses.filter(({ cseq }) => cseq?.method === "INVITE"));
    turnBack();
    world.run();
    assert.deepEqual(finals(eve, "INVITE"), [487]);
    world.run(60_000);
    assert.equal(box.core.snapshot().serverTransactions, 0, "nothing of it is left");
  });
});

suite("calls of several phones", () => {
  test("two branches that meet at one phone: it refuses the second as merged, and the call is the first's", () => {
    const { world, eve, phones: [bob] } = phonesOf("bob");
    assert.ok(bob);
    assert.equal(bob.register({ contact: "<sip:line2@10.0.1.1>", callId: "second-line" }).status, 200);
    let heard = 0;
    bob.answers = (request) => {
      if (request.method !== "INVITE") return request.method === "ACK" ? [] : [200];
      heard += 1;
      return heard === 1 ? [180, 200] : [482];
    };
    const answer = eve.exchange(eve.request("INVITE", BOB, { from: "<sip:eve@elsewhere.example>" }));
    world.run(1_000);
    assert.equal(heard, 2);
    assert.equal(answer.status, 200);
    assert.deepEqual(finals(eve, "INVITE"), [200]);
  });

  test("an attended transfer: REFER with Replaces goes to the phone, whose INVITE with Replaces goes to the third, and the first is left", () => {
    const { alice, bob, carol, world, toBob, toCarol, answerOfCarol } = threeInCalls();
    const replaces = `${toCarol.callId};to-tag=${tagOf(toCarol.remote)};from-tag=${tagOf(toCarol.local)}`;
    alice.inDialog("REFER", toBob, { fields: [`Refer-To: <${uri("carol")}?Replaces=${encodeURIComponent(replaces)}>`, "Referred-By: <sip:alice@example.test>"] });
    world.run();
    assert.match(bob.last("REFER").header("refer-to") ?? "", /Replaces=/);
    bob.answers = alwaysYes;
    const answer = bob.ask("INVITE", uri("carol"), { fields: [`Replaces: ${replaces}`, "Require: replaces"] });
    assert.equal(answer.status, 200);
    assert.equal(carol.last("INVITE").header("replaces"), replaces);
    carol.inDialog("BYE", carol.dialogOf(carol.requests.find(({ method }) => method === "INVITE") ?? assert.fail("no INVITE"), answerOfCarol));
    world.run();
    assert.equal(alice.last("BYE").callId, toCarol.callId);
  });

  test("a blind transfer whose author hangs up at once: REFER and BYE both arrive, and the new call is made", () => {
    const { alice, bob, carol, world, toBob } = threeInCalls();
    alice.inDialog("REFER", toBob, { fields: [`Refer-To: <${uri("carol")}>`] });
    alice.inDialog("BYE", toBob);
    world.run();
    assert.deepEqual(bob.requests.map(({ method }) => method).filter((method) => method === "REFER" || method === "BYE"), ["REFER", "BYE"]);
    assert.equal(bob.ask("INVITE", uri("carol")).status, 200);
    assert.equal(carol.requests.filter(({ method }) => method === "INVITE").length, 2);
  });

  test("the one who holds a conference hangs up: a BYE goes to each of the others", () => {
    const { alice, bob, carol, world, toBob, toCarol } = threeInCalls();
    for (const dialog of [toBob, toCarol]) alice.inDialog("BYE", dialog);
    world.run();
    assert.deepEqual([bob.last("BYE").callId, carol.last("BYE").callId], [toBob.callId, toCarol.callId]);
    assert.deepEqual(finals(alice, "BYE"), [200, 200]);
  });
});

const alwaysYes = (request: SipRequest): readonly number[] => (request.method === "ACK" ? [] : [request.method === "REFER" ? 202 : 200]);
const tagOf = (party: string): string => party.slice(party.indexOf(";tag=") + 5);

/** Alice talks with Bob and with Carol. */
function threeInCalls() {
  const { world, phones: [alice, bob, carol] } = phonesOf("alice", "bob", "carol");
  assert.ok(alice && bob && carol);
  for (const phone of [alice, bob, carol]) phone.answers = alwaysYes;
  const call = (user: string) => {
    const answer = alice.ask("INVITE", uri(user));
    assert.equal(answer.status, 200);
    alice.inDialog("ACK", alice.dialogOf(answer), { cseq: answer.cseq?.number ?? 0, contact: "" });
    world.run();
    return answer;
  };
  const [answerOfBob, answerOfCarol] = [call("bob"), call("carol")];
  return { world, alice, bob, carol, answerOfCarol, toBob: alice.dialogOf(answerOfBob), toCarol: alice.dialogOf(answerOfCarol) };
}
