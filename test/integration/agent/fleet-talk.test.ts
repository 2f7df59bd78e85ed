// What one agent says to another: who may say it, to whom, and once.

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { before, suite, test } from "node:test";
import { milliseconds } from "../../../src/base/time.ts";
import { seal, unseal } from "../../../src/io/agent/envelope.ts";
import { FleetTalk } from "../../../src/io/agent/fleet-talk.ts";
import type { Card, Receipt } from "../../../src/io/agent/fleet-words.ts";
import type { OwnIdentity } from "../../../src/io/agent/own-identity.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { fleetSecret } from "../../../src/io/pki.ts";
import { parseJson } from "../../../src/io/control-frames.ts";
import { makeBox, makeFleet, type TestFleet } from "../../support/test-fleet.ts";

async function identityIn(fleet: TestFleet): Promise<OwnIdentity> {
  const { enrolled, privateKeyPem, trust } = await makeBox(fleet);
  const { fleetName, overlayName, domain, rootCertificate } = fleet.ticket;
  return {
    membership: { fleetName, overlayName, domain, zone: "", rootCertificate, enrolled },
    nodeId: enrolled.nodeId, fleetSecret: fleetSecret(enrolled.issuing.privateKeyPem), privateKeyPem, crypto: new NodeCrypto(privateKeyPem), trust,
  };
}

const card = (at: number): Card => ({
  kind: "card", at, verdict: "works", provedAgo: 5, firstLine: "Phones work.", page: "", listens: [], phones: { registered: 0, proved: 0 }, answers: [], events: [],
});
const RECEIPT: Receipt = { transport: "UDP", succeeded: true, tookMs: 4, detail: "registered, rang, answered, hung up" };

/** An agent's end of the conversation, and what it heard. */
class Listener {
  readonly receipts: string[] = [];
  readonly cards: string[] = [];
  readonly identity: OwnIdentity;
  readonly talk: FleetTalk;
  readonly said: string[] = [];
  whole = true;
  lends = true;
  members: (nodeId: string) => boolean = () => true;

  constructor(identity: OwnIdentity) {
    this.identity = identity;
    this.talk = new FleetTalk({
      isMember: (nodeId) => this.members(nodeId),
      card: (nodeId) => this.cards.push(nodeId),
      receipt: (by) => this.receipts.push(by),
      isWhole: () => this.whole,
      mayLend: () => this.lends,
    });
  }

  /** Serves it as an agent does. */
  async served(use: (page: string) => Promise<void>): Promise<void> {
    const server: Server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (chunk) => (body += chunk)).on("end", () => {
        this.said.push(body);
        const answer = this.talk.answer(this.identity, parseJson(body));
        response.writeHead(answer === undefined ? 403 : 200).end(JSON.stringify(answer ?? null));
      });
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const address = server.address();
    assert(typeof address === "object" && address !== null);
    try {
      await use(`http://127.0.0.1:${address.port}/`);
    } finally {
      server.close();
    }
  }
}

suite("agents among one another", () => {
  let fleet: TestFleet;
  let self: OwnIdentity;
  let other: OwnIdentity;
  let stranger: OwnIdentity;
  before(async () => {
    fleet = await makeFleet("acme");
    [self, other, stranger] = await Promise.all([identityIn(fleet), identityIn(fleet), identityIn(await makeFleet("other"))]);
  });

  test("words are believed of a box of the fleet, unchanged, and of nobody else", () => {
    const sealed = seal(other, '{"a":1}');
    assert.deepEqual(unseal(self, sealed), { nodeId: other.nodeId, content: { a: 1 } });
    assert.equal(unseal(self, { ...sealed, text: '{"a":2}' }), undefined);
    assert.equal(unseal(self, seal(stranger, '{"a":1}')), undefined);
    assert.equal(unseal(self, { ...sealed, certificate: seal(self, "").certificate }), undefined);
    for (const nothing of [undefined, null, 7, "x", {}, { ...sealed, certificate: "AAAA" }]) assert.equal(unseal(self, nothing), undefined);
  });

  test("a receipt arrives with who made it, and a card is passed on", async () => {
    const listener = new Listener(self);
    const teller = new Listener(other);
    await listener.served(async (page) => {
      const reply = await teller.talk.exchange(other, { nodeId: self.nodeId, page }, card(1), [RECEIPT]);
      assert.equal(reply?.again, false);
    });
    assert.deepEqual([listener.receipts, listener.cards], [[other.nodeId], [other.nodeId]]);
  });

  test("what was said once cannot be said again, neither to this agent nor to the one that is started after it", async () => {
    const listener = new Listener(self);
    await listener.served(async (page) => void (await new Listener(other).talk.exchange(other, { nodeId: self.nodeId, page }, card(1), [RECEIPT])));
    const restarted = new Listener(self);
    for (const words of listener.said) {
      listener.talk.answer(self, parseJson(words));
      restarted.talk.answer(self, parseJson(words));
    }
    assert.deepEqual([listener.receipts.length, restarted.receipts.length], [1, 0]);
  });

  test("words that are meant for another box, or come from one that is not in the ring, are not heard", async () => {
    const listener = new Listener(self);
    await listener.served(async (page) => {
      assert.equal(await new Listener(other).talk.exchange(other, { nodeId: "0".repeat(32), page }, card(1), [RECEIPT]), undefined);
      listener.members = () => false;
      assert.equal(await new Listener(other).talk.exchange(other, { nodeId: self.nodeId, page }, card(1), [RECEIPT]), undefined);
    });
    assert.deepEqual([listener.receipts, listener.cards], [[], []]);
  });

  test("one box at a time is let go, and not while this one is out itself", async () => {
    const listener = new Listener(self);
    const third = await identityIn(fleet);
    const ask = (identity: OwnIdentity, page: string, length: number, whole = false) =>
      new Listener(identity).talk.exchange(identity, { nodeId: self.nodeId, page }, card(1), [], { length: milliseconds(length), whole });
    await listener.served(async (page) => {
      assert.equal((await ask(other, page, 60_000))?.granted, true);
      assert.equal((await ask(third, page, 60_000))?.granted, false);
      assert.equal(listener.talk.takeSlot(self.nodeId, milliseconds(60_000)), false);
      assert.equal((await ask(other, page, 0))?.granted, true);
      assert.equal(listener.talk.takeSlot(self.nodeId, milliseconds(60_000)), true);
      assert.equal((await ask(third, page, 60_000))?.granted, false);
    });
  });

  test("no box is let go that takes its copies with it while this one's are not all there, but one that hands them over is", async () => {
    const listener = new Listener(self);
    listener.whole = false;
    const ask = (page: string, whole: boolean) => new Listener(other).talk.exchange(other, { nodeId: self.nodeId, page }, card(1), [], { length: milliseconds(60_000), whole });
    await listener.served(async (page) => {
      assert.equal((await ask(page, true))?.granted, false);
      assert.equal((await ask(page, false))?.granted, true);
      listener.whole = true;
      listener.lends = false;
      assert.equal((await ask(page, false))?.granted, false, "while it is on its way to another version itself");
      listener.lends = true;
      assert.equal((await ask(page, true))?.granted, true);
    });
  });

  test("an agent that is not there, or answers something else, is none", async () => {
    const teller = new Listener(other);
    assert.equal(await teller.talk.exchange(other, { nodeId: self.nodeId, page: "http://127.0.0.1:9/" }, card(1), []), undefined);
    const impostor = new Listener(stranger);
    await impostor.served(async (page) => assert.equal(await teller.talk.exchange(other, { nodeId: self.nodeId, page }, card(1), []), undefined));
  });
});
