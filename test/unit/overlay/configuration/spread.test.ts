// Decisions for a whole fleet in a ring of cores: who hears of them, when, and who refuses whom.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromOctets } from "../../../../src/base/bytes.ts";
import { milliseconds, seconds } from "../../../../src/base/time.ts";
import type { NodeId } from "../../../../src/overlay/ports.ts";
import { wallTime } from "../../../../src/base/time.ts";
import { ANY_SEQUENCE } from "../../../../src/overlay/configuration/document.ts";
import { ERROR, EXTENSION } from "../../../../src/overlay/wire/code-points.ts";
import { overlayHash, type TransactionId } from "../../../../src/overlay/wire/identifiers.ts";
import { decodeMessage, type DecodedMessage, encodeMessage, type Message } from "../../../../src/overlay/wire/message.ts";
import { documentWith, rulesWith, revocationOf, revoking } from "../../../support/fleet-rules.ts";
import { certificateOf, cryptoFor, DURABLE, OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../../support/overlay-world.ts";

const ringOf = (count: number, seed: number): OverlayWorld => OverlayWorld.ring(count, seed, { rules: rulesWith() });
const sequences = (world: OverlayWorld): number[] => world.boxes.map(({ core }) => core.snapshot().rules.sequence);
const counted = (box: WorldBox, event: string): number => box.core.snapshot().counters[event] ?? 0;
const members = (box: WorldBox): NodeId[] => box.core.snapshot().members.map(({ info }) => info.nodeId);
const boxesOf = (world: OverlayWorld): [WorldBox, WorldBox, WorldBox, WorldBox, WorldBox] => world.boxes as [WorldBox, WorldBox, WorldBox, WorldBox, WorldBox];

const newer = documentWith({ sequence: 2, registration: { minimum: seconds(60), standard: seconds(60), maximum: seconds(60), open: true } });

test("a document that is brought to one box is in force on all of them, and on disk before they say so", () => {
  const world = ringOf(5, 11);
  assert.deepEqual(world.decideNow(world.boxes[2] as WorldBox, { type: "configure", document: newer }), { ok: true, told: 4, linked: 4 });
  assert.deepEqual(sequences(world), [2, 2, 2, 2, 2]);
  for (const box of world.boxes) {
    assert.equal(box.core.snapshot().rules.configuration?.registration.open, true);
    assert.deepEqual(box.rules?.document, newer);
    const types = box.effects.map(({ type }) => type);
    const afterwards = box.effects.slice(types.lastIndexOf("rules-changed") + 1);
    assert.ok(afterwards.some(({ type }) => type === "link-send"), "what tells the others leaves after the write");
  }
});

test("reads and writes go on while a document spreads", () => {
  const world = ringOf(5, 12);
  const outcomes: unknown[] = [];
  for (let i = 0; i < 60; i++) {
    world.after(i, () => world.storeText(world.boxes[i % 5] as WorldBox, `user${i}`, "aa", "x", ({ ok }) => outcomes.push(ok)));
  }
  world.after(20, () => world.give(world.boxes[0] as WorldBox, { type: "configure", ticket: 999_999, document: newer }));
  world.run(8_000);
  assert.deepEqual(sequences(world), [2, 2, 2, 2, 2]);
  assert.equal(outcomes.length, 60);
  assert.ok(outcomes.every((ok) => ok === true));
});

test("a box that was off has the newer document from the first message of its first link", () => {
  const world = ringOf(4, 13);
  const [, , , off] = boxesOf(world);
  world.kill(off);
  world.run(5_000);
  world.decideNow(world.boxes[0] as WorldBox, { type: "configure", document: newer });
  const back = world.restart(off);
  assert.equal(back.core.snapshot().rules.sequence, 1);
  let first: string | undefined;
  world.overhear = (to, bytes) => {
    const decoded = decodeMessage(bytes, overlay);
    if (to === back && decoded.ok) first ??= decoded.value.body.type;
  };
  assert.ok(world.until(() => back.core.phase === "serving", 20_000));
  assert.equal(first, "config_update_req");
  assert.equal(back.core.snapshot().rules.sequence, 2);
});

test("two documents of one number: all go by the same one in the end", () => {
  const world = ringOf(4, 14);
  const [a, b] = boxesOf(world);
  world.partition([a, b]);
  world.run(8_000);
  world.decideNow(a, { type: "configure", document: newer });
  world.decideNow(world.boxes[3] as WorldBox, { type: "configure", document: documentWith({ sequence: 2, refusedTickets: ["one"] }) });
  world.heal();
  world.run(30_000);
  assert.equal(new Set(world.boxes.map(({ rules }) => rules?.document?.join())).size, 1);
});

for (const [what, document, counter] of [
  ["a damaged", Uint8Array.from(newer, (byte, at) => (at === 700 ? byte ^ 1 : byte)), "configuration-refused"],
  ["an unsigned", fromOctets("<overlay><configuration/></overlay>"), "configuration-refused"],
  ["a wrongly signed", documentWith({ sequence: 3 }, "somebody"), "configuration-refused"],
  ["another overlay's", documentWith({ sequence: 3, overlayName: "other.ring" }), "configuration-refused"],
  ["an older", documentWith({ sequence: 65_530 }), "configuration-older"],
] as const) {
  test(`${what} document is refused and counted`, () => {
    const world = ringOf(2, 15);
    const [a, b] = boxesOf(world);
    const answer = say(world, a, b, { type: "config_update_req", update: { type: "config", document } }, ANY_SEQUENCE);
    assert.equal(answer?.body.type, "config_update_ans");
    assert.equal(counted(b, counter), 1);
    assert.equal(b.core.snapshot().rules.sequence, 1);
    const outcome = world.decideNow(a, { type: "configure", document });
    assert.equal(outcome.ok, false);
    assert.deepEqual(sequences(world), [1, 1]);
  });
}

test("a request with another number gets the error of section 6.3.2.1; who is behind is told", () => {
  const world = ringOf(2, 16);
  const [a, b] = boxesOf(world);
  const ping = { type: "ping_req", padding: new Uint8Array(0) } as const;
  const code = (sequence: number): number | undefined => {
    const answer = say(world, a, b, ping, sequence);
    return answer?.body.type === "error" ? answer.body.code : undefined;
  };
  assert.equal(code(1), undefined);
  assert.equal(code(2), ERROR.Error_Config_Too_New);
  const told = world.messages;
  assert.equal(code(0), ERROR.Error_Config_Too_Old);
  assert.ok(world.messages - told >= 2, "the document, then the error");
});

test("the limits of the document in force are obeyed by every box: entries, bytes, and how far a message goes", () => {
  const world = ringOf(5, 33);
  const [a] = boxesOf(world);
  const kinds = [{ id: SOFT.id, maxEntries: 2, maxValueBytes: 10 }];
  const resource = resourceOf("limited");
  for (const key of ["01", "02", "03"]) assert.ok(world.storeNow(a, resource, SOFT, key, "longer than ten").ok);
  const limits = { maxMessageSize: 262_144, initialTtl: 20, kinds };
  assert.ok(world.decideNow(a, { type: "configure", document: documentWith({ sequence: 2, limits }) }).ok);
  const codeOf = (name: string, key: string, value: string): unknown => {
    const outcome = world.storeNow(world.boxes[3] as WorldBox, resourceOf(name), SOFT, key, value);
    return outcome.ok ? "stored" : outcome.fault.reason === "refused" ? outcome.fault.code : outcome.fault.reason;
  };
  assert.equal(codeOf("limited", "04", "short"), ERROR.Error_Data_Too_Large, "what is there stays, and nothing comes to it");
  assert.equal(codeOf("new", "01", "longer than ten"), ERROR.Error_Data_Too_Large);
  assert.deepEqual(["01", "02", "03"].map((key) => codeOf("new", key, "short")), ["stored", "stored", ERROR.Error_Data_Too_Large]);
  const hops = new Set<number>();
  world.overhear = (_, bytes) => {
    const decoded = decodeMessage(bytes, overlay);
    if (decoded.ok) hops.add(decoded.value.header.ttl);
  };
  for (const box of world.boxes) world.fetchNow(box, resource);
  assert.deepEqual([...hops], [20]);
  const newcomer = world.add({ hints: [a], rules: rulesWith() });
  assert.ok(world.until(() => newcomer.core.phase === "serving", 20_000));
  world.run(60_000);
  assert.equal(world.boxes.filter(({ core }) => core.held(resource).length === 3).length, 3, "copies of what is above the limit go on");
  const [link] = world.links;
  assert.ok(link !== undefined);
  const tooFar = say(world, link.ends[0], link.ends[1], { type: "ping_req", padding: fromOctets("") }, 2);
  assert.ok(tooFar?.body.type === "error" && tooFar.body.code === ERROR.Error_TTL_Exceeded, "100 is above the initial one now");
});

test("one box is revoked: every other cuts its links and never takes it in again", () => {
  const world = ringOf(5, 17);
  const [a, , c, , e] = boxesOf(world);
  const rest = world.boxes.filter((box) => box !== e);
  assert.deepEqual(world.decideNow(c, revoking(c, e.id)), { ok: true, told: 3, linked: 3 });
  world.run(30_000);
  for (const box of rest) {
    assert.ok(!members(box).includes(e.id));
    assert.deepEqual(box.core.snapshot().rules.revoked.map(({ nodeId }) => nodeId), [e.id]);
    assert.equal(world.links.filter(({ ends }) => ends.includes(box) && ends.includes(e)).length, 0);
    assert.ok(box.core.snapshot().members.every(({ state }) => state === "serving"));
  }
  world.connect(e, a);
  world.run(1_000);
  assert.equal(world.links.filter(({ ends }) => ends.includes(e)).length, 0);
  assert.ok(counted(a, "link-of-revoked-box") >= 1);
});

test("a revocation is known after a restart, and to a box that was off from its first contact with one that knows", () => {
  const world = ringOf(5, 18);
  const [a, b, c, d, e] = boxesOf(world);
  world.kill(d);
  world.run(3_000);
  world.decideNow(a, revoking(a, e.id));
  world.run(3_000);
  for (const box of [a, b, c]) world.kill(box);
  // Only the one that knows nothing and the revoked one: they take each other for good.
  const [later, revoked] = [world.restart(d), world.restart(e, { rules: rulesWith() })];
  assert.ok(world.until(() => members(later).includes(e.id) && later.core.phase === "serving", 30_000));
  const knows = world.restart(b);
  assert.ok(knows.core.snapshot().rules.revoked.length === 1, "its disk remembers");
  assert.ok(world.until(() => later.core.snapshot().rules.revoked.length === 1, 30_000));
  assert.ok(!members(later).includes(e.id));
  world.run(30_000);
  for (const box of [later, knows]) assert.deepEqual(members(box).filter((id) => id === e.id), []);
  assert.ok(revoked.core.snapshot().members.every(({ state }) => state !== "serving"));
});

test("a box that learns that it is revoked serves no more, also after a restart", () => {
  const world = ringOf(3, 19);
  const [a, b, c] = boxesOf(world);
  const revocations = revocationOf(c.id, wallTime(1_800_000_000_000));
  say(world, a, c, { type: "config_update_req", update: { type: "config", document: documentWith() } }, ANY_SEQUENCE, revocations);
  assert.equal(c.core.phase, "revoked");
  assert.deepEqual(c.seen("phase-changed").at(-1), { type: "phase-changed", phase: "revoked" });
  assert.equal(world.fetchNow(c, resourceOf("x")), "not-serving");
  assert.equal(world.decideNow(c, revoking(c, a.id)).ok, false);
  world.kill(c);
  const again = world.restart(c);
  world.run(20_000);
  assert.equal(again.core.phase, "revoked");
  assert.equal(again.seen("dial").length, 0);
  assert.ok(b.alive);
});

test("revocations that the fleet's key has not signed are refused and counted, also those of the credential that issues certificates", () => {
  const world = ringOf(3, 20);
  const [a, b, c] = boxesOf(world);
  const offer = (signer: string): void => {
    const revocations = revocationOf(c.id, wallTime(1_800_000_000_000), signer);
    say(world, a, b, { type: "config_update_req", update: { type: "config", document: documentWith() } }, ANY_SEQUENCE, revocations);
  };
  offer("somebody");
  assert.equal(counted(b, "revocation-refused"), 1);
  offer("issuing 1");
  assert.equal(counted(b, "revocation-refused"), 2);
  assert.deepEqual(b.core.snapshot().rules.revoked, []);
  offer("the fleet");
  assert.equal(b.core.snapshot().rules.revoked.length, 1);
});

test("a stolen box revokes nobody: neither its own certificate nor what it issues with counts, at no box", () => {
  const world = ringOf(5, 31);
  const [thief, ...honest] = boxesOf(world);
  for (const victim of honest) {
    for (const signer of ["issuing 1", thief.id]) {
      const revocations = revocationOf(victim.id, thief.core.wall(), signer);
      for (const box of honest) say(world, thief, box, { type: "config_update_req", update: { type: "config", document: documentWith() } }, ANY_SEQUENCE, revocations);
      assert.deepEqual(world.decideNow(thief, revoking(thief, victim.id, signer)), { ok: false, text: "The fleet's key has not signed this." });
    }
  }
  world.run(30_000);
  for (const box of world.boxes) {
    assert.equal(box.core.phase, "serving");
    assert.equal(box.core.snapshot().rules.epoch, 0);
    assert.equal(members(box).length, 4);
  }
});

test("a revocation that was signed by a clock far from the ring's is not taken: it would undo what the box signed before, or too little", () => {
  const world = ringOf(3, 32);
  const [a, , c] = boxesOf(world);
  for (const minutes of [-10, 10]) {
    const outcome = world.decideNow(a, { type: "revoke", statement: revocationOf(c.id, wallTime(a.core.wall() + minutes * 60_000)) });
    assert.match(outcome.ok ? "taken" : outcome.text, /is 10 minutes away from the ring's time/);
  }
  assert.equal(a.core.snapshot().rules.epoch, 0);
  assert.ok(world.decideNow(a, revoking(a, c.id)).ok);
});

test("what a box signed before it was revoked stays readable; what it signs afterwards nobody takes", () => {
  const world = ringOf(5, 21);
  const [a, b, , , e] = boxesOf(world);
  for (let i = 0; i < 8; i++) assert.ok(world.storeNow(e, resourceOf(`user${i}`), DURABLE, "", `v${i}`).ok);
  world.decideNow(a, revoking(a, e.id));
  world.run(40_000);
  for (let i = 0; i < 8; i++) assert.deepEqual(world.fetchNow(b, resourceOf(`user${i}`), DURABLE), { "": `v${i}` });
  const late = world.storeNow(e, resourceOf("late"), DURABLE, "", "late", milliseconds(600_000));
  world.run(40_000);
  assert.deepEqual(world.fetchNow(b, resourceOf("late"), DURABLE), {}, JSON.stringify(late));
});

test("the same box revoked twice, at two boxes, is one revocation", () => {
  const world = ringOf(4, 22);
  const [a, b, , d] = boxesOf(world);
  world.give(a, { ...revoking(a, d.id), ticket: 900_001 });
  world.give(b, { ...revoking(b, d.id), ticket: 900_002 });
  world.run(5_000);
  for (const box of world.boxes.slice(0, 3)) assert.equal(box.core.snapshot().rules.epoch, 1);
  assert.ok(world.storeNow(a, resourceOf("x"), SOFT, "aa", "x").ok);
});

const overlay = overlayHash("test.ring", cryptoFor("" as NodeId));
let transactions = 0;

/** A message by hand over the link between two boxes, and its answer. */
function say(
  world: OverlayWorld,
  from: WorldBox,
  to: WorldBox,
  body: Message["body"],
  configurationSequence: number,
  revocations?: Uint8Array,
): DecodedMessage | undefined {
  const link = world.links.find(({ ends }) => ends.includes(from) && ends.includes(to));
  const transactionId = (++transactions).toString(16).padStart(16, "0") as TransactionId;
  const destinations = [{ type: "node", nodeId: to.id }] as const;
  const header = { overlay, configurationSequence, ttl: 100, transactionId, maxResponseLength: 0, via: [], destinations, options: [] };
  const extensions = revocations === undefined ? [] : [{ type: EXTENSION.revocations, critical: false, contents: revocations }];
  let answer: DecodedMessage | undefined;
  world.overhear = (receiver, bytes) => {
    const decoded = decodeMessage(bytes, overlay);
    if (receiver === from && decoded.ok && decoded.value.header.transactionId === transactionId) answer = decoded.value;
  };
  world.give(to, { type: "link-message", link: link?.id ?? 0, message: encodeMessage({ header, body, extensions }) });
  world.until(() => answer !== undefined, 1_000);
  return answer;
}

test("a box's new certificate is known to every linked box, and nobody's links change for it", () => {
  const world = ringOf(4, 29);
  const [renewed, ...others] = world.boxes as [WorldBox, ...WorldBox[]];
  const links = JSON.stringify(world.boxes.map(members));
  world.give(renewed, { type: "credential", certificate: certificateOf(renewed.id) });
  world.run(2_000);
  for (const box of others) assert.deepEqual(box.seen("certificate-shown"), [{ type: "certificate-shown", nodeId: renewed.id, certificate: certificateOf(renewed.id) }]);
  assert.deepEqual(renewed.seen("certificate-shown"), []);
  assert.equal(JSON.stringify(world.boxes.map(members)), links);
});

test("a certificate of another box is not taken from anybody", () => {
  const world = ringOf(3, 30);
  const [liar, victim, other] = world.boxes as [WorldBox, WorldBox, WorldBox];
  world.give(liar, { type: "credential", certificate: certificateOf(victim.id) });
  world.run(2_000);
  for (const box of [victim, other]) {
    assert.deepEqual(box.seen("certificate-shown"), []);
    assert.equal(counted(box, "certificate-refused"), 1);
  }
});
