// Whatever comes, in whatever order: nothing throws, and all comes to an end.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TransportName } from "../../../src/sip/ports.ts";
import { type Box, DOMAIN, type Phone, SipWorld } from "../../support/sip-harness.ts";

/** 64*T1 for a client, then as long for what it left behind, T4, and the pieces between. */
const TIME_TO_REST = 2 * 32_000 + 10_000;
const TIMER_C_MS = 185_000;

const METHODS = ["INVITE", "ACK", "CANCEL", "BYE", "MESSAGE", "REGISTER", "OPTIONS", "SUBSCRIBE", "NOTIFY", "DANCE"];
const STATUSES = [100, 180, 183, 199, 200, 202, 302, 400, 401, 407, 408, 430, 480, 486, 487, 503, 603];
const URIS = [`sip:bob@${DOMAIN}`, `sip:alice@${DOMAIN}`, `sip:nobody@${DOMAIN}`, `sip:${DOMAIN}`, "sip:10.0.0.2", "sip:bob@10.0.1.2", "sip:x@far.example", "sips:x@y", "tel:1"];

type Act =
  | { readonly type: "request"; readonly who: number; readonly method: string; readonly uri: string; readonly branch: number; readonly ours: boolean; readonly cseq: number }
  | { readonly type: "reply"; readonly who: number; readonly nth: number; readonly status: number }
  | { readonly type: "repeat"; readonly who: number; readonly nth: number }
  | { readonly type: "in-dialog"; readonly who: number; readonly nth: number; readonly method: string }
  | { readonly type: "hang-up"; readonly who: number }
  | { readonly type: "noise"; readonly who: number; readonly octets: string }
  | { readonly type: "wait"; readonly ms: number }
  | { readonly type: "store"; readonly available: boolean };

const who = fc.nat(3);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("request" as const), who, method: fc.constantFrom(...METHODS), uri: fc.constantFrom(...URIS), branch: fc.nat(4), ours: fc.boolean(), cseq: fc.nat(3) }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("reply" as const), who, nth: fc.nat(5), status: fc.constantFrom(...STATUSES) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("repeat" as const), who, nth: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("in-dialog" as const), who, nth: fc.nat(5), method: fc.constantFrom("ACK", "BYE", "INVITE", "INFO") }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("hang-up" as const), who }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("noise" as const), who, octets: fc.string({ unit: "binary", maxLength: 60 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("wait" as const), ms: fc.constantFrom(0, 1, 5, 40, 600, 5_000, 40_000) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("store" as const), available: fc.boolean() }) },
);

function stage(): { readonly world: SipWorld; readonly phones: readonly Phone[] } {
  const world = new SipWorld();
  for (const user of ["alice", "bob"]) world.addUser(user);
  const boxes: readonly Box[] = [world.box("10.0.0.1"), world.box("10.0.0.2")];
  world.names.set("far.example", [{ transport: "tcp", address: { host: "10.9.9.9", port: 5060 } }, { transport: "udp", address: { host: "10.0.1.3", port: 5060 } }]);
  const phone = (user: string, host: string, box: number, transport: TransportName): Phone => {
    const end = boxes[box];
    assert.ok(end);
    const made = world.phone(user, host, end, transport);
    if (user !== "eve") assert.equal(made.register().status, 200);
    made.answers = () => [];
    return made;
  };
  const phones = [phone("alice", "10.0.1.1", 0, "udp"), phone("bob", "10.0.1.2", 1, "tcp"), phone("bob", "10.0.1.4", 0, "udp"), phone("eve", "10.0.1.3", 1, "udp")];
  return { world, phones };
}

function play(world: SipWorld, phones: readonly Phone[], doing: Act): void {
  const phone = phones["who" in doing ? doing.who : 0];
  assert.ok(phone);
  switch (doing.type) {
    case "wait":
      return world.run(doing.ms);
    case "store":
      world.isStoreAvailable = doing.available;
      return;
    case "request": {
      const from = doing.ours ? `<${phone.aor}>` : "<sip:x@elsewhere.example>";
      const branch = doing.branch === 4 ? "old" : `z9hG4bK-${doing.branch}`;
      return phone.send(phone.request(doing.method, doing.uri, { from, branch, callId: `c${doing.branch}`, cseq: doing.cseq }));
    }
    case "reply": {
      const request = phone.requests.at(-1 - doing.nth);
      if (request !== undefined) phone.reply(request, doing.status);
      return;
    }
    case "repeat": {
      const octets = phone.heard.at(-1 - doing.nth);
      if (octets !== undefined) phone.send(octets);
      return;
    }
    case "in-dialog": {
      const message = phone.responses.at(-1 - doing.nth) ?? phone.requests.at(-1 - doing.nth);
      const contacts = message?.contacts;
      if (message !== undefined && contacts !== undefined && contacts !== "*" && contacts.length > 0 && message.list("record-route").length > 0) {
        phone.inDialog(doing.method, phone.dialogOf(message));
      }
      return;
    }
    case "hang-up":
      return phone.hangUpConnection();
    case "noise":
      return phone.send(doing.octets);
  }
}

test("random orders of messages never throw, and leave nothing behind", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const { world, phones } = stage();
      for (const doing of acts) play(world, phones, doing);
      // What a phone has left ringing is ended by timer C.
      world.run(TIME_TO_REST + TIMER_C_MS);
      for (const { core } of world.boxes) {
        const { serverTransactions, clientTransactions, responseContexts, questions, registering } = core.snapshot();
        assert.deepEqual({ serverTransactions, clientTransactions, responseContexts, questions, registering }, {
          serverTransactions: 0, clientTransactions: 0, responseContexts: 0, questions: 0, registering: 0,
        });
        assert.equal(core.nextDeadline(), undefined);
      }
    }),
    { numRuns: 300 },
  );
});

test("without an INVITE that rings all ends within 64*T1 twice over", () => {
  const quiet = act.filter((doing) => doing.type !== "request" || doing.method !== "INVITE").filter((doing) => doing.type !== "in-dialog");
  fc.assert(
    fc.property(fc.array(quiet, { maxLength: 40 }), (acts) => {
      const { world, phones } = stage();
      for (const doing of acts) play(world, phones, doing);
      world.run(TIME_TO_REST);
      for (const { core } of world.boxes) {
        assert.equal(core.snapshot().serverTransactions + core.snapshot().clientTransactions, 0);
      }
    }),
    { numRuns: 100 },
  );
});

test("the same inputs give the same effects", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const heard = () => {
        const { world, phones } = stage();
        for (const doing of acts) play(world, phones, doing);
        world.run(1_000);
        return phones.map((phone) => phone.heard);
      };
      assert.deepEqual(heard(), heard());
    }),
    { numRuns: 30 },
  );
});
