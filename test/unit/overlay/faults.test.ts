import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, fromOctets } from "../../../src/base/bytes.ts";
import { minutes } from "../../../src/base/time.ts";
import type { StoreOutcome } from "../../../src/overlay/ports.ts";
import { FIRST_SEQUENCE } from "../../../src/overlay/configuration/document.ts";
import { ERROR } from "../../../src/overlay/wire/code-points.ts";
import { overlayHash, type TransactionId } from "../../../src/overlay/wire/identifiers.ts";
import { type DecodedMessage, decodeMessage, encodeMessage, encodeSignedMessage, type Message } from "../../../src/overlay/wire/message.ts";
import type { MessageBody } from "../../../src/overlay/wire/message-body.ts";
import { makeSigner, NO_SIGNATURE } from "../../../src/overlay/wire/security-block.ts";
import { encodeStoredData } from "../../../src/overlay/wire/stored-data.ts";
import { wallTime } from "../../../src/base/time.ts";
import { certificateOf, cryptoFor, DURABLE, OverlayWorld, resourceOf, SOFT, text, type WorldBox } from "../../support/overlay-world.ts";

/** A name whose responsible peer is (or is not) the given box. */
function nameOwnedBy(world: OverlayWorld, wanted: (owner: WorldBox) => boolean): string {
  for (let i = 0; ; i++) if (wanted(world.ownerOf(resourceOf(`name${i}`)))) return `name${i}`;
}
const stateOf = (box: WorldBox, other: WorldBox): string | undefined =>
  box.core.snapshot().members.find(({ info }) => info.nodeId === other.id)?.state;

test("a durable write is acknowledged only when it is on two disks", () => {
  const world = OverlayWorld.ring(3, 30);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  for (const box of [a, b, c]) box.diskDelay = 100;
  const outcomes: StoreOutcome[] = [];
  let disks = 0;
  world.store(a, resourceOf("sub"), DURABLE, [{ key: "", value: text("secret"), lifetime: minutes(60) }], (told) => {
    outcomes.push(told);
    disks = world.boxes.filter(({ disk }) => disk.size > 0).length;
  });
  world.run(90);
  assert.equal(outcomes.length, 0);
  world.run(60);
  assert.ok(outcomes[0]?.ok);
  assert.ok(disks >= 2);
});

test("one disk that does not work of three does not spoil a durable write; two do", () => {
  const world = OverlayWorld.ring(3, 31);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  a.diskWorks = false;
  const good = world.storeNow(a, resourceOf("one"), DURABLE, "", "secret");
  assert.ok(good.ok && good.copies === 2);
  b.diskWorks = false;
  const bad = world.storeNow(c, resourceOf("two"), DURABLE, "", "secret");
  assert.deepEqual(bad, { ok: false, fault: { reason: "not-durable" } });
});

test("a box alone with a broken disk refuses durable writes and takes soft ones", () => {
  const world = OverlayWorld.ring(1, 32);
  const [box] = world.boxes as [WorldBox];
  box.diskWorks = false;
  assert.deepEqual(world.storeNow(box, resourceOf("s"), DURABLE, "", "x"), { ok: false, fault: { reason: "not-durable" } });
  assert.ok(world.storeNow(box, resourceOf("s"), SOFT, "aa", "x").ok);
});

test("what could not be written to disk is written when the disk works again", () => {
  const world = OverlayWorld.ring(3, 33);
  const [a] = world.boxes as [WorldBox];
  a.diskWorks = false;
  assert.ok(world.storeNow(a, resourceOf("one"), DURABLE, "", "secret").ok);
  a.diskWorks = true;
  world.run(60_000);
  assert.ok(world.boxes.every(({ disk }) => [...disk.values()].filter(({ kind }) => kind === DURABLE.id).length === 1));
});

test("a silent box is given up within four seconds, and avoided before", () => {
  const world = OverlayWorld.ring(4, 34);
  const victim = world.boxes[1] as WorldBox;
  const reader = world.boxes[0] as WorldBox;
  const name = nameOwnedBy(world, (owner) => owner === victim);
  assert.ok(world.storeNow(reader, resourceOf(name), SOFT, "aa", "here").ok);
  world.unplug(victim);
  const since = world.now;
  world.run(1_750);
  assert.equal(stateOf(reader, victim), "silent");
  const asked = world.now;
  assert.deepEqual(world.fetchNow(reader, resourceOf(name)), { aa: "here" });
  assert.ok(world.now - asked < 50, "read from the replicas at once");
  assert.ok(world.until(() => stateOf(reader, victim) === "gone", 10_000));
  assert.ok(world.now - since <= 4_000, `${world.now - since} ms`);
  assert.equal(reader.seen("member-gone").length, 1);
});

test("a store for a silent responsible peer succeeds after the verdict", () => {
  const world = OverlayWorld.ring(4, 35);
  const victim = world.boxes[2] as WorldBox;
  const writer = world.boxes[0] as WorldBox;
  const name = nameOwnedBy(world, (owner) => owner === victim);
  world.unplug(victim);
  const since = world.now;
  const outcome = world.storeNow(writer, resourceOf(name), SOFT, "aa", "here");
  assert.ok(outcome.ok && outcome.copies >= 2, JSON.stringify(outcome));
  assert.ok(world.now - since < 4_500);
});

test("a box that is silent for a moment only is not given up", () => {
  const world = OverlayWorld.ring(4, 36);
  const victim = world.boxes[1] as WorldBox;
  world.unplug(victim);
  world.run(2_500);
  world.plug(victim);
  world.run(10_000);
  for (const box of world.boxes) assert.equal(box.seen("member-gone").length, 0);
  assert.equal(stateOf(world.boxes[0] as WorldBox, victim), "serving");
});

test("of two links between two boxes one is closed by both alike, and nobody is given up", () => {
  const world = OverlayWorld.ring(2, 37);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  world.connect(a, b);
  world.connect(b, a);
  world.connect(b, a);
  world.run(5_000);
  assert.equal(world.links.length, 1);
  const [left] = world.links;
  assert.equal(left?.ends[0].id, a.id < b.id ? a.id : b.id, "the one that the smaller Node-ID dialed");
  for (const box of [a, b]) assert.equal(box.seen("member-gone").length, 0);
  assert.ok(world.storeNow(a, resourceOf("x"), SOFT, "aa", "x").ok);
});

test("a box that opens link after link keeps four for a moment", () => {
  const world = OverlayWorld.ring(2, 38);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  for (let count = 0; count < 20; count++) world.connect(a, b);
  world.run(100);
  assert.equal(world.links.length, 4);
  for (const box of [a, b]) assert.equal(box.seen("member-gone").length, 0);
});

test("a link to the box itself is closed", () => {
  const world = OverlayWorld.ring(1, 38);
  const [box] = world.boxes as [WorldBox];
  world.give(box, { type: "link-opened", link: 77, nodeId: box.id, certificate: certificateOf(box.id), outbound: true, remote: box.info.overlay, dial: undefined });
  assert.equal(box.seen("link-close").at(-1)?.link, 77);
});

test("two boxes whose link is cut, but whom all others reach, never both acknowledge writes of one place", () => {
  const world = OverlayWorld.ring(5, 39);
  const name = "disputed";
  const owner = world.ownerOf(resourceOf(name));
  const next = world.box(owner.core.locate(resourceOf(name)).replicas[1]);
  world.cut = (a, b) => [a, b].includes(owner) && [a, b].includes(next);
  for (const link of [...world.links]) if (link.ends.includes(owner) && link.ends.includes(next)) world.closeLink(link);
  world.run(10_000);
  for (const [round, writer] of [next, owner, next, world.boxes.find((box) => box !== owner && box !== next) as WorldBox].entries()) {
    const outcome = world.storeNow(writer, resourceOf(name), SOFT, "aa", `round ${round}`);
    assert.ok(outcome.ok, `round ${round}: ${JSON.stringify(outcome)}`);
    for (const reader of world.boxes) assert.deepEqual(world.fetchNow(reader, resourceOf(name)), { aa: `round ${round}` }, `round ${round}`);
  }
});

test("a box that is killed while it joins is forgotten by those that waited for it", () => {
  const world = OverlayWorld.ring(3, 40);
  for (let i = 0; i < 50; i++) assert.ok(world.storeNow(world.boxes[i % 3] as WorldBox, resourceOf(`u${i}`), SOFT, "aa", "x").ok);
  const newcomer = world.add();
  assert.ok(world.until(() => newcomer.core.phase === "joining", 5_000));
  world.run(6);
  let told = 0;
  for (let i = 0; i < 50; i++) world.storeText(world.boxes[i % 3] as WorldBox, `u${i}`, "aa", "y", (outcome) => (told += outcome.ok ? 1 : 0));
  world.kill(newcomer);
  world.run(1_000);
  assert.equal(told, 50);
});

test("a write that a joining box will be responsible for is acknowledged only when it has it too", () => {
  const world = OverlayWorld.ring(3, 47);
  for (let i = 0; i < 50; i++) assert.ok(world.storeNow(world.boxes[i % 3] as WorldBox, resourceOf(`u${i}`), SOFT, "aa", "old").ok);
  const newcomer = world.add();
  assert.ok(world.until(() => newcomer.core.phase === "joining" && world.boxes.slice(0, 3).every((box) => stateOf(box, newcomer) === "joining"), 5_000));
  world.delay = (_, to) => (to === newcomer ? 300 : 1);
  const since = world.now;
  const told = new Map<string, number>();
  for (let i = 0; i < 50; i++) world.storeText(world.boxes[i % 3] as WorldBox, `u${i}`, "aa", "new", () => told.set(`u${i}`, world.now - since));
  const future = [...Array(50).keys()].map((i) => `u${i}`).filter((name) => (world.boxes[0] as WorldBox).core.locate(resourceOf(name)).joining.includes(newcomer.id));
  world.run(200);
  assert.ok(future.length > 0 && future.length < 50);
  for (let i = 0; i < 50; i++) assert.equal(told.has(`u${i}`), !future.includes(`u${i}`), `u${i}`);
  world.run(400);
  assert.equal(told.size, 50);
});

test("a copy that is not a box's own to hold is dropped only when three others have it", () => {
  const world = OverlayWorld.ring(6, 48);
  const guest = world.boxes[0] as WorldBox;
  const name = nameOwnedBy(world, (owner) => !owner.core.locate(owner.id as never).replicas.includes(guest.id));
  assert.ok(world.storeNow(guest, resourceOf(name), DURABLE, "", "kept").ok);
  world.run(1_000);
  const row = [...world.boxes.flatMap(({ disk }) => [...disk.values()])][0];
  assert.ok(row !== undefined);
  for (const box of [...world.boxes]) world.kill(box);
  world.run(100);
  // Everybody comes back blank, but for one whose disk has what was never its own.
  const others = world.boxes.filter((box) => box !== guest);
  for (const box of others) world.restart(box, { disk: new Map() });
  assert.ok(world.until(() => world.serving().length === 5, 20_000));
  const again = world.restart(guest, { disk: new Map([["row", row]]) });
  let most = 0;
  const holders = (): WorldBox[] => world.boxes.filter(({ alive, core }) => alive && core.held(resourceOf(name)).length > 0);
  world.until(() => {
    const now = holders();
    most = Math.max(most, now.length);
    assert.ok(now.includes(again) || now.length >= 3, `dropped with ${now.length} copies elsewhere`);
    return false;
  }, 120_000);
  assert.equal(most, 4);
  assert.equal(holders().length, 3);
  assert.deepEqual(world.fetchNow(again, resourceOf(name), DURABLE), { "": "kept" });
});

test("a box with a higher incarnation has started anew, even behind a link that never closed", () => {
  const world = OverlayWorld.ring(3, 41);
  const old = world.boxes[2] as WorldBox;
  old.alive = false;
  const again = world.restart(old);
  assert.ok(world.until(() => again.core.phase === "serving" && world.serving().every((box) => box === again || stateOf(box, again) === "serving"), 10_000));
  assert.ok(world.storeNow(again, resourceOf("x"), SOFT, "aa", "x").ok);
});

test("a row that cannot be read is left alone, and the others are there", () => {
  const world = OverlayWorld.ring(1, 49);
  const [box] = world.boxes as [WorldBox];
  assert.ok(world.storeNow(box, resourceOf("a"), SOFT, "aa", "x").ok);
  world.run(100);
  box.disk.set("damaged", { resource: resourceOf("b"), kind: SOFT.id, key: "aa", stored: fromHex("0000") });
  box.disk.set("foreign", { resource: resourceOf("b"), kind: 99, key: "", stored: fromHex("00") });
  world.kill(box);
  const again = world.restart(box);
  world.until(() => again.core.phase === "serving", 10_000);
  assert.deepEqual(world.fetchNow(again, resourceOf("a")), { aa: "x" });
  assert.equal(again.core.snapshot().counters["row-unreadable"], 2);
  assert.ok(again.disk.has("damaged"));
});

test("the same seed gives the same effects, byte for byte", () => {
  const trace = (): string => {
    const world = OverlayWorld.ring(4, 50);
    for (let i = 0; i < 20; i++) world.storeText(world.boxes[i % 4] as WorldBox, `u${i}`, "aa", "x");
    world.kill(world.boxes[1] as WorldBox);
    world.add();
    world.run(20_000);
    return world.boxes.map(({ effects }) => effects.map((effect) => JSON.stringify(effect)).join("\n")).join("\n");
  };
  assert.equal(trace(), trace());
});

// Messages by hand, from the first box to the second.

const overlay = overlayHash("test.ring", cryptoFor(resourceOf("nobody") as never));
let transactions = 0;
function ask(world: OverlayWorld, destinations: Message["header"]["destinations"], body: MessageBody, options: { signed?: boolean; ttl?: number; sequence?: number; extensions?: Message["extensions"] } = {}): DecodedMessage | undefined {
  const [from, to] = world.boxes as [WorldBox, WorldBox];
  const link = world.links.find(({ ends }) => ends.includes(from) && ends.includes(to));
  const transactionId = (++transactions).toString(16).padStart(16, "0") as TransactionId;
  const message: Message = {
    header: { overlay, configurationSequence: options.sequence ?? FIRST_SEQUENCE, ttl: options.ttl ?? 100, transactionId, maxResponseLength: 0, via: [], destinations, options: [] },
    body,
    extensions: options.extensions ?? [],
  };
  const crypto = cryptoFor(from.id);
  const bytes = options.signed === true ? encodeSignedMessage(message, makeSigner(certificateOf(from.id), crypto)) : encodeMessage(message);
  let answer: DecodedMessage | undefined;
  world.overhear = (receiver, received) => {
    const decoded = decodeMessage(received, overlay);
    if (receiver === from && decoded.ok && decoded.value.header.transactionId === transactionId) answer = decoded.value;
  };
  world.give(to, { type: "link-message", link: link?.id ?? 0, message: bytes });
  world.until(() => answer !== undefined, 2_000);
  return answer;
}
const errorOf = (answer: DecodedMessage | undefined): number | undefined => (answer?.body.type === "error" ? answer.body.code : undefined);
const fetchOf = (name: string): MessageBody => ({ type: "fetch_req", resource: resourceOf(name), specifiers: [{ kind: SOFT.id, generation: 0, selection: new Uint8Array(2) }] });

test("an unsigned request for another box's resource is refused, a signed one forwarded and answered with a signature", () => {
  const world = OverlayWorld.ring(3, 42);
  const [, b] = world.boxes as [WorldBox, WorldBox];
  const name = nameOwnedBy(world, (owner) => owner === world.boxes[2]);
  const destinations = [{ type: "node", nodeId: b.id }, { type: "resource", resource: resourceOf(name) }] as const;
  assert.equal(errorOf(ask(world, destinations, fetchOf(name))), ERROR.Error_Forbidden);
  const answer = ask(world, destinations, fetchOf(name), { signed: true });
  assert.equal(answer?.body.type, "fetch_ans");
  assert.equal(answer?.security.signature.identity.type, "cert_hash");
});

test("every request has its answer, and what is wrong its error", () => {
  const world = OverlayWorld.ring(3, 43);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  const here = [{ type: "node", nodeId: b.id }] as const;
  const mine = nameOwnedBy(world, (owner) => owner === b);
  const resource = resourceOf(mine);
  const answerTo = (body: MessageBody, options?: Parameters<typeof ask>[3]): MessageBody["type"] | undefined => ask(world, here, body, options)?.body.type;
  assert.equal(answerTo({ type: "ping_req", padding: new Uint8Array(0) }), "ping_ans");
  assert.equal(answerTo({ type: "probe_req", requested: [1, 2, 3] }), "probe_ans");
  assert.equal(answerTo({ type: "route_query_req", sendUpdate: true, destination: { type: "resource", resource }, overlayData: new Uint8Array(0) }), "route_query_ans");
  assert.equal(answerTo({ type: "find_req", resource, kinds: [SOFT.id] }), "find_ans");
  assert.equal(answerTo({ type: "stat_req", resource, specifiers: [{ kind: SOFT.id, generation: 0, selection: new Uint8Array(2) }] }), "stat_ans");
  assert.equal(answerTo({ type: "config_update_req", update: { type: "config", document: fromOctets("<overlay/>") } }), "config_update_ans");
  const error = (body: MessageBody, options?: Parameters<typeof ask>[3]): number | undefined => errorOf(ask(world, here, body, options));
  assert.equal(error({ type: "join_req", nodeId: b.id, overlayData: new Uint8Array(0) }), ERROR.Error_Forbidden);
  assert.equal(error({ type: "leave_req", nodeId: b.id, leave: { type: "none" } }), ERROR.Error_Forbidden);
  assert.equal(error({ type: "fetch_req", resource, specifiers: [{ kind: 77, generation: 0, selection: new Uint8Array(0) }] }), ERROR.Error_Unknown_Kind);
  assert.equal(error({ type: "ping_req", padding: new Uint8Array(0) }, { sequence: 0 }), ERROR.Error_Config_Too_Old);
  assert.equal(error({ type: "ping_req", padding: new Uint8Array(0) }, { sequence: 9 }), ERROR.Error_Config_Too_New);
  assert.equal(error({ type: "ping_req", padding: new Uint8Array(0) }, { extensions: [{ type: 99, critical: true, contents: new Uint8Array(0) }] }), ERROR.Error_Unknown_Extension);
  assert.equal(error({ type: "exp_a_req", body: fromHex("63") }), ERROR.Error_Invalid_Message);
  const away = [{ type: "node", nodeId: b.id }, { type: "node", nodeId: (world.boxes[2] as WorldBox).id }] as const;
  assert.equal(errorOf(ask(world, away, { type: "ping_req", padding: new Uint8Array(0) }, { signed: true, ttl: 0 })), ERROR.Error_TTL_Exceeded);
  assert.equal(ask(world, away, { type: "ping_req", padding: new Uint8Array(0) }, { signed: true })?.body.type, "ping_ans");
  assert.ok(a.alive);
});

test("a Store is refused as RFC 6940 says, and a repeated one is not", () => {
  const world = OverlayWorld.ring(3, 44);
  const [, b] = world.boxes as [WorldBox, WorldBox];
  const name = nameOwnedBy(world, (owner) => owner === b);
  const resource = resourceOf(name);
  const wall = 1_800_000_000_000 + world.now;
  const stored = (time: number, size = 4): Uint8Array =>
    encodeStoredData({ storageTime: wallTime(time), lifetime: 3_600, place: { model: "dictionary", key: "aa" }, exists: true, value: new Uint8Array(size), signature: NO_SIGNATURE });
  const store = (values: readonly Uint8Array[], generation = 0, kind = SOFT.id): DecodedMessage | undefined =>
    ask(world, [{ type: "node", nodeId: b.id }, { type: "resource", resource }], { type: "store_req", resource, replicaNumber: 0, kinds: [{ kind, generation, values }] });
  assert.equal(store([stored(wall)])?.body.type, "store_ans");
  assert.equal(store([stored(wall)])?.body.type, "store_ans", "the very same again");
  assert.equal(errorOf(store([stored(wall - 1)])), ERROR.Error_Data_Too_Old);
  assert.equal(errorOf(store([stored(wall, 5)])), ERROR.Error_Data_Too_Old, "equal time, other bytes");
  assert.equal(errorOf(store([stored(wall + 1, SOFT.maxValueBytes + 1)])), ERROR.Error_Data_Too_Large);
  assert.equal(errorOf(store([stored(wall + 3_600_000)])), ERROR.Error_Forbidden, "an hour ahead");
  assert.equal(errorOf(store([stored(wall + 2)], 7)), ERROR.Error_Generation_Counter_Too_Low);
  assert.equal(errorOf(store([stored(wall + 2)], 0, 77)), ERROR.Error_Unknown_Kind);
  const unsigned = encodeStoredData({ storageTime: wallTime(wall), lifetime: 60, place: { model: "single" }, exists: true, value: new Uint8Array(1), signature: NO_SIGNATURE });
  assert.equal(errorOf(store([unsigned], 0, DURABLE.id)), ERROR.Error_Forbidden, "a kind that must be signed");
});

test("garbage over a link does nothing", () => {
  const world = OverlayWorld.ring(2, 45);
  const [a] = world.boxes as [WorldBox];
  const link = world.links[0]?.id ?? 0;
  for (let i = 0; i < 300; i++) world.give(a, { type: "link-message", link, message: world.random.bytes(world.random.below(200)) });
  world.give(a, { type: "link-message", link: 12345, message: new Uint8Array(0) });
  world.run(1_000);
  assert.equal(a.core.phase, "serving");
  assert.ok((a.core.snapshot().counters["message-malformed"] ?? 0) > 0);
});

test("messages that were damaged on the way never stop the core", () => {
  const world = OverlayWorld.ring(3, 46);
  const seen: { to: WorldBox; bytes: Uint8Array }[] = [];
  world.overhear = (to, bytes) => seen.push({ to, bytes });
  for (let i = 0; i < 20; i++) assert.ok(world.storeNow(world.boxes[i % 3] as WorldBox, resourceOf(`u${i}`), SOFT, "aa", "x").ok);
  world.run(60_000);
  world.overhear = () => {};
  for (const { to, bytes } of seen) {
    const link = world.links.find(({ ends }) => ends.includes(to))?.id ?? 0;
    for (let i = 0; i < 20; i++) {
      const damaged = bytes.slice();
      damaged[world.random.below(damaged.length)] = world.random.below(256);
      world.give(to, { type: "link-message", link, message: damaged });
    }
  }
  world.run(10_000);
  assert.equal(world.serving().length, 3);
});

test("a copy that is over by the clock of the box it comes to is refused; what is merely offered is not", () => {
  const world = OverlayWorld.ring(3, 45);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  const resource = resourceOf(nameOwnedBy(world, (owner) => owner === a));
  const over = encodeStoredData({ storageTime: wallTime(1_800_000_000_000 + world.now - 20_000), lifetime: 10, place: { model: "dictionary", key: "aa" }, exists: true, value: new Uint8Array(4), signature: NO_SIGNATURE });
  const copy = (replicaNumber: number): DecodedMessage | undefined =>
    ask(world, [{ type: "node", nodeId: b.id }], { type: "store_req", resource, replicaNumber, kinds: [{ kind: SOFT.id, generation: 1, values: [over] }] });
  assert.equal(errorOf(copy(1)), ERROR.Error_Request_Timeout);
  assert.equal(copy(3)?.body.type, "store_ans");
});

test("an Update that went through a third box and was refused is sent again over the box's own link", () => {
  const world = OverlayWorld.ring(3, 45);
  const [a, b, c] = world.boxes as [WorldBox, WorldBox, WorldBox];
  const between = (x: WorldBox, y: WorldBox): number => world.links.find(({ ends }) => ends.includes(x) && ends.includes(y))?.id ?? 0;
  // As if a did not hear b any more, for a moment: b says through c what it has to say, and a hears b well.
  const ping: Message = {
    header: {
      overlay, configurationSequence: FIRST_SEQUENCE, ttl: 100, transactionId: "feedfacefeedface" as TransactionId, maxResponseLength: 0,
      via: [{ type: "node", nodeId: a.id }], destinations: [{ type: "node", nodeId: b.id }], options: [],
    },
    body: { type: "ping_req", padding: new Uint8Array(0) },
    extensions: [],
  };
  world.give(b, { type: "link-message", link: between(b, c), message: encodeSignedMessage(ping, makeSigner(certificateOf(a.id), cryptoFor(a.id))) });
  const asked = { type: "route_query_req", sendUpdate: true, destination: { type: "resource", resource: resourceOf("any") }, overlayData: new Uint8Array(0) } as const;
  assert.equal(ask(world, [{ type: "node", nodeId: b.id }], asked)?.body.type, "route_query_ans");
  const outcomes: string[] = [];
  world.overhear = (receiver, received) => {
    const decoded = decodeMessage(received, overlay);
    if (receiver === b && decoded.ok && ["update_ans", "error"].includes(decoded.value.body.type)) outcomes.push(decoded.value.body.type);
  };
  world.run(10_000);
  assert.equal(outcomes[0], "error");
  assert.equal(outcomes.at(-1), "update_ans");
});
