import assert from "node:assert/strict";
import { test } from "node:test";
import { type WallTime, wallTime } from "../../../src/base/time.ts";
import type { Entry, KindEntries, NodeId } from "../../../src/overlay/ports.ts";
import { decodeMessage } from "../../../src/overlay/wire/message.ts";
import { EDGE_BINDING, SUBSCRIBER } from "../../../src/peer/kinds.ts";
import { ProofUsers } from "../../../src/peer/proof-users.ts";
import { LocationService, type Operation } from "../../../src/peer/location-service.ts";
import type { Binding, FoundBinding } from "../../../src/sip/ports.ts";
import { hashCrypto } from "../../support/hash-crypto.ts";

import { openWorld, startRing } from "../../support/open-boxes.ts";

const ALICE = "alice@fleet.example";
const START = wallTime(1_800_000_000_000);
const SELF = "1".repeat(32) as NodeId;
const OTHER = "2".repeat(32) as NodeId;
const at = (seconds: number): WallTime => wallTime(START + seconds * 1_000);

const BINDING: Binding = {
  contact: "sip:alice@10.9.9.9", key: "aa", callId: "one@phone", cseq: 1, preference: 1_000, expiresAt: at(600), instance: "", regId: 0, path: [],
  userAgent: "", parameters: "", edge: SELF, flowToken: "token", received: { host: "10.9.9.9", port: 5060 }, transport: "udp",
};

/** One box's location service, and a ring that is a map. */
class Ring {
  readonly held = new Map<string, Entry>();
  readonly service: LocationService;
  stores = 0;
  #sipTicket = 0;

  constructor() {
    let ticket = 0;
    this.service = new LocationService(hashCrypto, {
      self: SELF, reachable: () => undefined, holders: () => [SELF], nextTicket: () => ++ticket,
      proofUsers: new ProofUsers(hashCrypto, "example.test", () => new Uint8Array(32)),
    });
  }

  /** What the SIP core does with a REGISTER: look up, change. */
  register(binding: Partial<Binding>, seconds: number, promised = 600): readonly FoundBinding[] {
    const found = this.lookUp(seconds);
    const upserts = [{ ...BINDING, expiresAt: at(seconds + promised), ...binding }];
    this.#carryOut(this.service.ask({ type: "change-bindings", ticket: ++this.#sipTicket, aor: ALICE, changes: { upserts, removals: [] } }, at(seconds)), seconds);
    return found;
  }
  lookUp(seconds: number): readonly FoundBinding[] {
    const operation = this.service.ask({ type: "find-user", ticket: ++this.#sipTicket, aor: ALICE }, at(seconds));
    assert.ok(operation.type === "fetch");
    const answer = this.service.fetched(operation.ticket, { ok: true, kinds: this.#kinds() }, at(seconds))?.answer;
    assert.ok(answer?.type === "user-found" && answer.lookup.outcome === "found");
    return answer.lookup.bindings;
  }
  /** Lets the time pass: what has run out is looked up, and what comes of it is done. */
  pass(seconds: number): void {
    for (const operation of this.service.ended(at(seconds))) {
      const settled = this.service.fetched(operation.ticket, { ok: true, kinds: this.#kinds() }, at(seconds));
      for (const write of settled?.operations ?? []) this.#carryOut(write, seconds);
    }
  }

  #carryOut(operation: Operation | { readonly type: "user-found" | "bindings-changed" }, seconds: number): void {
    if (operation.type !== "store") return;
    this.stores++;
    for (const { key, value, storedAt = at(seconds) } of operation.changes) {
      if ((this.held.get(key)?.storedAt ?? 0) >= storedAt) continue;
      if (value === undefined) this.held.delete(key);
      else this.held.set(key, { key, value, storedAt });
    }
    this.service.stored(operation.ticket, { ok: true, copies: 2, generation: 1 }, at(seconds + 0.02)); // it takes a while
  }
  #kinds(): readonly KindEntries[] {
    return [{ kind: EDGE_BINDING.id, generation: 1, entries: [...this.held.values()] }, { kind: SUBSCRIBER.id, generation: 1, entries: [] }];
  }
}

test("a refresh that changes nothing is not stored until half of the binding's life in the ring is gone", () => {
  const ring = new Ring();
  ring.register({}, 0);
  for (const [n, seconds] of [100, 300, 599].entries()) ring.register({ cseq: n + 2 }, seconds);
  assert.equal(ring.stores, 1);
  ring.register({ cseq: 6 }, 601);
  assert.equal(ring.stores, 2);
});

test("what the ring holds lives at least as long as the phone was last promised", () => {
  const ring = new Ring();
  ring.register({}, 0);
  ring.register({ cseq: 2 }, 590);
  ring.register({ cseq: 3 }, 591, 610);
  assert.equal(ring.stores, 2, "longer than the ring has it");
});

test("the box knows the CSeq and the end of a refresh that was not stored", () => {
  const ring = new Ring();
  ring.register({}, 0);
  ring.register({ cseq: 2 }, 300);
  assert.deepEqual(ring.lookUp(301).map(({ cseq, expiresAt }) => [cseq, expiresAt]), [[2, at(900)]]);
});

test("a refresh that changes anything is stored", () => {
  for (const change of [{ callId: "two@phone" }, { flowToken: "other" }, { received: { host: "10.9.9.8", port: 5060 } }, { preference: 500 }, { parameters: ";x" }]) {
    const ring = new Ring();
    ring.register({}, 0);
    ring.register({ cseq: 2, ...change }, 100);
    assert.equal(ring.stores, 2, JSON.stringify(change));
  }
});

test("a refresh is stored when another box has taken a REGISTER since, or the ring has lost the binding", () => {
  const moved = new Ring();
  moved.register({}, 0);
  const elsewhere = new Ring();
  elsewhere.register({ edge: OTHER, cseq: 2 }, 50);
  for (const [key, entry] of elsewhere.held) moved.held.set(key, entry);
  moved.register({ cseq: 3 }, 100);
  assert.equal(moved.stores, 2);
  const lost = new Ring();
  lost.register({}, 0);
  lost.held.clear();
  lost.register({ cseq: 2 }, 100);
  assert.equal(lost.stores, 2);
});

test("a phone that does not come back is taken from the ring when its own time is over", () => {
  const ring = new Ring();
  ring.register({}, 0);
  ring.register({ cseq: 2 }, 300);
  ring.pass(899);
  assert.equal(ring.held.size, 1);
  ring.pass(900);
  assert.equal(ring.held.size, 0);
});

test("a phone that another box has taken over meanwhile is left alone when its time here is over", () => {
  const ring = new Ring();
  ring.register({}, 0);
  const elsewhere = new Ring();
  elsewhere.register({ edge: OTHER, cseq: 2 }, 500);
  for (const [key, entry] of elsewhere.held) ring.held.set(key, entry);
  ring.pass(700);
  assert.equal(ring.held.size, 1);
});

test("in a ring of five a refresh that changes nothing sends one question and its answer, and no Store", () => {
  const { world, sent } = openWorld();
  const boxes = startRing(world, 5);
  const [first] = boxes;
  const said: string[] = [];
  world.observers.push({ effect: (_, effect) => void (effect.type === "link-send" && said.push(typeOf(effect.message))) });
  const register = (cseq: number): string[] => {
    said.length = 0;
    const remote = { host: "10.9.9.9", port: 5060 };
    const lines = [
      "REGISTER sip:fleet.example SIP/2.0", `Via: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bK${cseq}`, "Max-Forwards: 70", "From: <sip:alice@fleet.example>;tag=a",
      "To: <sip:alice@fleet.example>", "Call-ID: one@phone", `CSeq: ${cseq} REGISTER`, "Contact: <sip:alice@10.9.9.9:5060>", "Expires: 600", "Content-Length: 0", "", "",
    ];
    const edge = boxes.find(({ nodeId }) => !holders.has(nodeId));
    assert.ok(edge !== undefined);
    world.input(edge, { type: "received", flow: { transport: "udp", local: edge.sip, remote, connection: 0 }, octets: lines.join("\r\n") });
    world.run(300);
    assert.match(sent.at(-1) ?? "", /^SIP\/2\.0 200/);
    // What else is said has nothing to do with it.
    return said.filter((type) => /^(fetch|store)_/.test(type)).sort();
  };
  const replies: object[] = [];
  world.observers.push({ effect: (_, effect) => void (effect.type === "replied" && replies.push(effect.reply)) });
  world.input(first, { type: "control", ticket: 1, request: { op: "where", aor: ALICE } });
  world.run(2_000);
  const { where } = replies.at(-1) as { where: { replicas: readonly { nodeId: string }[] } };
  const holders = new Set(where.replicas.map(({ nodeId }) => nodeId));
  const copied = ["store_ans", "store_ans", "store_ans", "store_req", "store_req", "store_req"];
  assert.deepEqual(register(1), ["fetch_ans", "fetch_req", ...copied]);
  assert.deepEqual(register(2), ["fetch_ans", "fetch_req"]);
});

function typeOf(message: Uint8Array): string {
  const overlay = new DataView(message.buffer, message.byteOffset).getUint32(4);
  const decoded = decodeMessage(message, overlay);
  return decoded.ok ? decoded.value.body.type : "unreadable";
}
