// A box with a good certificate that has gone bad, over real TLS, against two boxes that keep on serving.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { suite, test, type TestContext } from "node:test";
import { toHex } from "../../../src/base/bytes.ts";
import { wallTime } from "../../../src/base/time.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { makePrivateKey } from "../../../src/io/pki.ts";
import type { NodeId, ResourceId } from "../../../src/overlay/ports.ts";
import { ERROR } from "../../../src/overlay/wire/code-points.ts";
import { MAX_MESSAGE_BYTES } from "../../../src/overlay/wire/framing.ts";
import { resourceIdOf } from "../../../src/overlay/wire/identifiers.ts";
import type { MessageBody } from "../../../src/overlay/wire/message-body.ts";
import { NO_SIGNATURE } from "../../../src/overlay/wire/security-block.ts";
import { APPEND, decodeStoredData, encodeStoredData, encodeUnsignedStoredData, type StoredData } from "../../../src/overlay/wire/stored-data.ts";
import { CERTIFICATE_BY_NODE, EDGE_BINDING, SUBSCRIBER } from "../../../src/peer/kinds.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { addSubscriber, assertNoTrace, type BuiltBox, DOMAIN, logOf, serving, servingPair, SIP_PORT, skipWithoutBox, succeed } from "../../support/built-ring.ts";
import { framed, identityOf, introduce, linkTo, residentMiB, type Stored, storeOf, verdictOf } from "../../support/hostile-peer.ts";
import { Phone } from "../../support/phone.ts";
import type { ReloadClient } from "../../support/reload-client.ts";

const crypto = new NodeCrypto(undefined);
const ID = (digit: string): NodeId => digit.repeat(32) as NodeId;
const alice = resourceIdOf(`alice@${DOMAIN}`, crypto);
const TOO_OLD = new RegExp(`^${ERROR.Error_Data_Too_Old} `);
const FORBIDDEN = (text: string): RegExp => new RegExp(`^${ERROR.Error_Forbidden} ${text}`);
/** A copy that somebody offers, whoever is responsible. */
const OFFERED = 3;

async function hostile(t: TestContext, box: BuiltBox, nodeId = ID("5"), key?: string): Promise<ReloadClient> {
  const peer = await linkTo(box, await identityOf(box, nodeId, key));
  t.after(() => peer.close());
  return peer;
}

function valueIn(answer: MessageBody): Uint8Array {
  assert.ok(answer.type === "fetch_ans", JSON.stringify(answer));
  const value = answer.kinds[0]?.values[0];
  assert.ok(value !== undefined, "nothing was found");
  return value;
}

function changed(bytes: Uint8Array, model: "single" | "dictionary", change: Partial<StoredData>): Uint8Array {
  const stored = decodeStoredData(bytes, model);
  assert.ok(stored.ok);
  return encodeStoredData({ ...stored.value, ...change });
}

suite("a box that has gone bad", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("replays, alters and forges values, and none of it stands", async (t) => {
    const { first, second } = await servingPair(t, ["--open-registration"]);
    succeed(addSubscriber(first, "alice"));
    const peer = await hostile(t, first);
    const member = (await first.status()).nodeId as NodeId;
    await peer.attach(member);
    const subscriberBefore = valueIn(await peer.fetch(alice, SUBSCRIBER.id, "single"));
    const phone = await Phone.at(t, second.address, SIP_PORT);
    assert.equal((await phone.register("alice")).status, 200);
    const bindingBefore = valueIn(await peer.fetch(alice, EDGE_BINDING.id, "dictionary"));
    succeed(addSubscriber(first, "bob"));
    const owner = await peer.fetch(alice, SUBSCRIBER.id, "single");
    assert.ok(owner.type === "fetch_ans");
    await first.ask({ op: "subscriber-remove", username: "alice" });
    succeed(addSubscriber(first, "alice"));
    const subscriber = valueIn(await peer.fetch(alice, SUBSCRIBER.id, "single"));
    const atOwner = async (stored: Stored): Promise<string> => verdictOf(await peer.ask({ type: "resource", resource: alice }, storeOf(stored)));
    const offered = async (stored: Stored): Promise<string> => verdictOf(await peer.ask({ type: "node", nodeId: member }, storeOf(stored, OFFERED)));
    const value = (bytes: Uint8Array, generation = 0): Stored => ({ resource: alice, kind: SUBSCRIBER.id, values: [bytes], generation });
    const decoded = decodeStoredData(subscriber, "single");
    assert.ok(decoded.ok);
    const later = wallTime(decoded.value.storageTime + 1_000);
    const unknownWriter = { ...decoded.value.signature, identity: { type: "cert_hash", hashAlgorithm: 4, hash: toHex(randomBytes(32)) } as const };

    await t.test("at the responsible peer", async () => {
      assert.match(await atOwner(value(subscriberBefore)), TOO_OLD);
      assert.match(await atOwner(value(changed(subscriber, "single", { storageTime: later }))), FORBIDDEN("wrong signature"));
      assert.match(await atOwner(value(changed(subscriber, "single", { lifetime: 60 }))), FORBIDDEN("the lifetime is not the writer's"));
      assert.match(await atOwner(value(changed(subscriber, "single", { storageTime: later, signature: unknownWriter }))), FORBIDDEN("the writer's certificate is missing"));
      assert.match(await atOwner(value(changed(subscriber, "single", { storageTime: later, signature: NO_SIGNATURE }))), FORBIDDEN("not signed"));
      assert.match(await atOwner(value(changed(subscriber, "single", { storageTime: wallTime(systemClock.wall() + 3_600_000) }))), FORBIDDEN("storage_time lies in the future"));
      const fetched = await peer.fetch(alice, SUBSCRIBER.id, "single");
      assert.ok(fetched.type === "fetch_ans");
      const generation = fetched.kinds[0]?.generation ?? 0;
      assert.match(await atOwner(value(subscriberBefore, generation)), TOO_OLD, "the same generation");
      assert.match(await atOwner(value(subscriber, generation - 1)), new RegExp(`^${ERROR.Error_Generation_Counter_Too_Low} `));
    });

    await t.test("as copies: those of a client are refused, those of a box are weighed", async () => {
      assert.match(await offered(value(subscriberBefore)), FORBIDDEN("copies come from their holders"));
      assert.equal((await introduce(peer, member, "127.0.0.9")).type, "attach_ans");
      assert.match(verdictOf(await peer.ask({ type: "node", nodeId: member }, storeOf(value(subscriber), 1))), FORBIDDEN("not responsible"), "it is no owner");
      assert.equal(await offered(value(subscriberBefore)), "store_ans", "an older copy is no error");
      assert.equal(await offered(value(changed(subscriber, "single", { storageTime: later, signature: unknownWriter }))), "store_ans");
      assert.match(await offered(value(changed(subscriber, "single", { storageTime: later }))), FORBIDDEN("wrong signature"));
      assert.match(await offered(value(changed(subscriber, "single", { lifetime: 60 }))), FORBIDDEN("the lifetime is not the writer's"));
      assert.equal((await first.status()).counters["unproved-value-refused"], 1);
    });

    await t.test("a binding that is gone does not come back", async () => {
      assert.equal((await phone.request("REGISTER", `sip:${DOMAIN}`, "alice", "alice", ["Contact: *", "Expires: 0"])).status, 200);
      const old: Stored = { resource: alice, kind: EDGE_BINDING.id, values: [bindingBefore] };
      assert.match(await atOwner(old), TOO_OLD);
      assert.equal(await offered(old), "store_ans");
      assert.deepEqual(await first.registrations(), []);
      assert.deepEqual(await second.registrations(), []);
    });

    await t.test("what belongs to another by its kind is refused", async () => {
      const certificate = { storageTime: wallTime(systemClock.wall()), lifetime: 600, place: { model: "array", index: APPEND }, exists: true, value: randomBytes(100) } as const;
      const place = toHex(crypto.sha1(Buffer.from(member, "hex"))).slice(0, 32) as ResourceId;
      assert.match(verdictOf(await peer.store(place, CERTIFICATE_BY_NODE.id, certificate)), FORBIDDEN("access policy NODE-MATCH"));
    });

    assert.deepEqual(valueIn(await peer.fetch(alice, SUBSCRIBER.id, "single")), subscriber);
    peer.close();
    for (const box of [first, second]) {
      await serving(box, 2);
      assertNoTrace(logOf(box));
    }
  });

  test("says what no frame may say, and every other link is served meanwhile", async (t) => {
    const { first, second } = await servingPair(t, ["--open-registration"]);
    const member = (await first.status()).nodeId as NodeId;
    const other = (await second.status()).nodeId as NodeId;
    const identity = await identityOf(first, ID("5"));
    const honest = await hostile(t, first, ID("a"));
    await honest.attach(member);
    const before = residentMiB(first.pid);
    let peer = await linkTo(first, identity);
    t.after(() => peer.close());
    let linksLost = 0;
    const ping = { type: "ping_req", padding: new Uint8Array(0) } as const;
    /** Says it, over a new link if the last one was closed; then others are asked whether they are served. */
    const says = async (name: string, bytes: Uint8Array): Promise<void> => {
      if (!peer.isOpen) {
        linksLost++;
        peer.close();
        peer = await linkTo(first, identity);
      }
      peer.write(bytes);
      assert.equal((await honest.ask({ type: "node", nodeId: member }, ping)).type, "ping_ans", name);
    };
    const whole = peer.message({ type: "node", nodeId: member }, ping);
    const withU32 = (at: number, value: number): Uint8Array => {
      const message = Uint8Array.from(whole);
      new DataView(message.buffer).setUint32(at, value);
      return message;
    };
    const withU16 = (at: number, value: number): Uint8Array => {
      const message = Uint8Array.from(whole);
      new DataView(message.buffer).setUint16(at, value);
      return message;
    };

    await t.test("lengths of frames, headers and lists", async () => {
      for (const length of [0, 1, 37, MAX_MESSAGE_BYTES + 1, 0xffffff]) {
        await says(`a frame of ${length}`, Uint8Array.of(0x80, 0, 0, 0, 1, length >> 16, (length >> 8) & 255, length & 255));
      }
      await says("a frame of no type", new Uint8Array(64).fill(0x42));
      for (const value of [0, 1, whole.length - 1, 0xffffffff]) await says(`a header that says ${value}`, framed(withU32(16, value)));
      for (const at of [32, 34, 36]) await says(`a list of 65535 at ${at}`, framed(withU16(at, 0xffff)));
      const body = whole.length - 4; // somewhere in the security block
      for (let at = 38; at < Math.min(body, 160); at++) await says(`4 GiB at ${at}`, framed(withU32(at, 0xffffffff)));
    });

    await t.test("lists of 10,000, ttl 255, and a message that grows on its way", async () => {
      const compressed = Array.from({ length: 10_000 }, (_, id) => ({ type: "compressed", id }) as const);
      await says("via of 10,000", framed(peer.message({ type: "node", nodeId: member }, ping, { header: { via: compressed } })));
      await says("destinations of 10,000", framed(peer.message({ type: "node", nodeId: member }, ping, { header: { destinations: compressed } })));
      await says("ttl 255", framed(peer.message({ type: "node", nodeId: other }, ping, { header: { ttl: 255 } })));
      const selves = Array.from({ length: 64 }, () => ({ type: "node", nodeId: member }) as const);
      await says("to itself, 64 times", framed(peer.message({ type: "node", nodeId: member }, ping, { header: { destinations: selves } })));
      const bare = peer.message({ type: "node", nodeId: other }, ping).length;
      const full = peer.message({ type: "node", nodeId: other }, { type: "ping_req", padding: randomBytes(65_535) }, { header: { options: Array.from({ length: 3 }, () => ({ type: 77, flags: 0, value: randomBytes(21_000) })) } });
      assert.ok(full.length > bare);
      await says("a large one to be forwarded", framed(full));
      const most = MAX_MESSAGE_BYTES - peer.message({ type: "node", nodeId: other }, storeOf({ resource: alice, kind: EDGE_BINDING.id, values: [] })).length;
      const values = [randomBytes(most - 80)];
      await says("the largest, to be forwarded", framed(largest(peer, other, values)));
    });

    await t.test("a resource too large for any answer", async () => {
      await introduce(peer, member, "127.0.0.9");
      const resource = randomBytes(16).toString("hex") as ResourceId;
      for (let part = 0; part < 4; part++) {
        const values = Array.from({ length: 24 }, () => binding(randomBytes(32).toString("hex"), 8_192));
        await says("a full resource", framed(peer.message({ type: "node", nodeId: member }, storeOf({ resource, kind: EDGE_BINDING.id, values }, OFFERED))));
      }
      await says("a key of 60,000 bytes", framed(peer.message({ type: "node", nodeId: member }, storeOf({ resource, kind: EDGE_BINDING.id, values: [binding("ab".repeat(60_000), 10)] }, OFFERED))));
      const answers = [await honest.fetch(resource, EDGE_BINDING.id, "dictionary"), await honest.fetch(resource, EDGE_BINDING.id, "dictionary", "stat_req")];
      t.diagnostic(`asked for it: ${answers.map(verdictOf).join(", ")}`);
    });

    await t.test("fragments that are never finished, and pieces that grow in their place", async () => {
      const piece = (id: string, offset: number, padding: number): Uint8Array =>
        framed(peer.message({ type: "node", nodeId: member }, { type: "ping_req", padding: new Uint8Array(padding) }, { header: { transactionId: id as never, fragment: { offset, last: false } } }));
      const ids = Array.from({ length: 20 }, (_, i) => i.toString(16).padStart(16, "0"));
      for (const id of ids) for (let offset = 0; offset < 10; offset++) peer.write(piece(id, offset * 100_000, 1));
      for (const id of ids) for (let offset = 0; offset < 10; offset++) await says("a piece that has grown", piece(id, offset * 100_000, 60_000));
    });

    await t.test("3,000 messages with some octets changed", async () => {
      for (let i = 0; i < 300; i++) {
        const frames = Array.from({ length: 10 }, () => {
          const message = Uint8Array.from(whole);
          const odd = randomBytes(8);
          for (let k = 0; k < 4; k++) message[(((odd[2 * k] ?? 0) << 8) | (odd[2 * k + 1] ?? 0)) % message.length] = odd[k] ?? 0;
          return framed(message);
        });
        await says("changed octets", Buffer.concat(frames));
      }
    });

    const after = residentMiB(first.pid);
    t.diagnostic(`${linksLost} links of the hostile one were closed; resident memory of the box ${before} MiB before, ${after} MiB after`);
    assert.ok(after - before < 256, `${after - before} MiB more`);
    const phone = await Phone.at(t, first.address, SIP_PORT);
    assert.equal((await phone.register("alice")).status, 200);
    peer.close();
    for (const box of [first, second]) {
      await serving(box, 2);
      assertNoTrace(logOf(box));
    }
  });

  test("brings a quarter of a million records and no more, and others' are taken still", async (t) => {
    const { first, second } = await servingPair(t, ["--open-registration"]);
    const member = (await first.status()).nodeId as NodeId;
    const peer = await hostile(t, first);
    await introduce(peer, member, "127.0.0.9");
    const before = residentMiB(first.pid);
    const verdicts = new Map<string, number>();
    /** One request brings so many at once. */
    const AT_ONCE = 500;
    let sent = 0;
    for (; sent < 300_000; sent += AT_ONCE) {
      const resource = randomBytes(16).toString("hex") as ResourceId;
      const values = Array.from({ length: AT_ONCE }, (_, i) => binding(i.toString(16).padStart(4, "0"), 20));
      const verdict = verdictOf(await peer.ask({ type: "node", nodeId: member }, storeOf({ resource, kind: EDGE_BINDING.id, values }, OFFERED)));
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
      if (verdict !== "store_ans") break;
    }
    t.diagnostic(`after ${sent} records: ${[...verdicts].map(([verdict, count]) => `${verdict} (${count})`).join(", ")}; resident memory ${before} MiB before, ${residentMiB(first.pid)} MiB after`);
    assert.ok([...verdicts.keys()].some((verdict) => verdict.startsWith(`${ERROR.Error_Data_Too_Large} `)));
    const phone = await Phone.at(t, first.address, SIP_PORT);
    assert.equal((await phone.register("alice")).status, 200);
    peer.close();
    await serving(second, 2);
    assertNoTrace(logOf(first));
  });

  test("has one key certified for fifty Node-IDs, and is one box with it", async (t) => {
    const { first } = await servingPair(t);
    const member = (await first.status()).nodeId as NodeId;
    const key = makePrivateKey();
    let open = 0;
    for (let i = 0; i < 50; i++) {
      const peer = await hostile(t, first, randomBytes(16).toString("hex") as NodeId, key);
      await introduce(peer, member, `127.0.9.${i + 1}`).then(() => open++, () => {});
      if (i > 0) await until("its link is closed", PATIENCE, () => assert.ok(!peer.isOpen));
    }
    assert.equal(open, 1);
    await until("the box says why", PATIENCE, () => assert.match(logOf(first), /its key has another Node-ID already/));
    assert.equal((await first.status()).boxes.serving, 2);
  });
});

const binding = (key: string, length: number): Uint8Array =>
  encodeUnsignedStoredData({ storageTime: wallTime(systemClock.wall()), lifetime: 3_600, place: { model: "dictionary", key }, exists: true, value: randomBytes(length) });

/** A Store of exactly the largest size that a link takes. */
function largest(peer: ReloadClient, to: NodeId, values: readonly Uint8Array[]): Uint8Array {
  let message = peer.message({ type: "node", nodeId: to }, storeOf({ resource: alice, kind: EDGE_BINDING.id, values }));
  const [value = new Uint8Array(0)] = values;
  // A signature is now and then a byte or two longer.
  const room = MAX_MESSAGE_BYTES - message.length - 4;
  message = peer.message({ type: "node", nodeId: to }, storeOf({ resource: alice, kind: EDGE_BINDING.id, values: [new Uint8Array(value.length + room)] }));
  return message;
}
