import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instant, wallTime } from "../../../../src/base/time.ts";
import type { KindDefinition, NodeId, ResourceId } from "../../../../src/overlay/ports.ts";
import { type Arc, inArc } from "../../../../src/overlay/ring/ring.ts";
import { CLOCK_FLOOR, HybridClock } from "../../../../src/overlay/storage/clock.ts";
import { sameDigest } from "../../../../src/overlay/storage/digest.ts";
import { compareEntries, compareNotes, entryFrom, type StoredEntry } from "../../../../src/overlay/storage/entry.ts";
import { EntryStore, MAX_BYTES_OF_ONE } from "../../../../src/overlay/storage/store.ts";
import { NO_SIGNATURE } from "../../../../src/overlay/wire/security-block.ts";
import { encodeStoredData } from "../../../../src/overlay/wire/stored-data.ts";

const FOREVER = instant(1e12);
const KIND: KindDefinition = { id: 7, name: "TEST", model: "dictionary", durability: "soft", signed: false, maxEntries: 10, maxValueBytes: 10 };
function entry(resource: ResourceId, key: string, time: number, value = 0): StoredEntry {
  const stored = { storageTime: wallTime(time), lifetime: 60, place: { model: "dictionary", key }, exists: true, value: Uint8Array.of(value), signature: NO_SIGNATURE } as const;
  const made = entryFrom(resource, KIND, encodeStoredData(stored), stored);
  assert.ok(made.ok);
  return made.value;
}
const place = fc.uint8Array({ minLength: 3, maxLength: 3 }).map(([a = 0, b = 0, c = 0]) => `${[a, b & 0x11, c & 1].map((byte) => byte.toString(16).padStart(2, "0")).join("")}${"0".repeat(26)}` as ResourceId);
const entries = fc.array(fc.tuple(place, fc.constantFrom("aa", "bb"), fc.nat(5), fc.nat(3)).map(([resource, key, time, value]) => entry(resource, key, time, value)), { maxLength: 60 });
const arcs = fc.tuple(place, place).map(([after, upTo]): Arc => ({ after, upTo }));
const filled = (from: readonly StoredEntry[]): EntryStore => {
  const store = new EntryStore();
  for (const one of from) store.merge(one, FOREVER, wallTime(0));
  return store;
};

test("one box brings a quarter of the room and no more, and what it brought is given back when it goes", () => {
  const store = new EntryStore();
  const bytes = new Uint8Array(1 << 20);
  const broughtBy = { entries: 0, bytes: 0 };
  const large = (n: number, bringer: StoredEntry["broughtBy"]): StoredEntry => ({ ...entry("0".repeat(32) as ResourceId, n.toString(16).padStart(4, "0"), 1), bytes, broughtBy: bringer });
  const most = MAX_BYTES_OF_ONE / bytes.length;
  const brought = Array.from({ length: most }, (_, n) => large(n, broughtBy));
  for (const one of brought) assert.equal(store.merge(one, FOREVER, wallTime(0)), "stored");
  assert.equal(store.merge(large(most, broughtBy), FOREVER, wallTime(0)), "full");
  assert.equal(store.merge(large(most, { entries: 0, bytes: 0 }), FOREVER, wallTime(0)), "stored");
  assert.deepEqual([broughtBy.entries, broughtBy.bytes, store.bytes], [most, MAX_BYTES_OF_ONE, MAX_BYTES_OF_ONE + bytes.length]);
  const [first] = brought;
  assert.ok(first !== undefined && store.remove(first));
  assert.equal(store.merge(large(most + 1, broughtBy), FOREVER, wallTime(0)), "stored");
});

test("whatever order entries come in, the same stand and the digests are equal", () => {
  fc.assert(fc.property(entries, arcs, (list, arc) => {
    const there = filled(list);
    const back = filled([...list].reverse());
    assert.ok(sameDigest(there.digest(arc), back.digest(arc)));
    assert.deepEqual([...there.resourcesIn(arc)], [...back.resourcesIn(arc)]);
  }));
});

test("the digest of an arc counts exactly the entries in it, and its pieces make the whole", () => {
  fc.assert(fc.property(entries, arcs, fc.integer({ min: 1, max: 16 }), (list, arc, parts) => {
    const store = filled(list);
    const held = new Set(list.map(({ resource, key }) => `${resource}${key}`));
    const expected = [...held].filter((both) => inArc(arc, both.slice(0, 32) as ResourceId)).length;
    assert.equal(store.digest(arc).count, expected);
    const pieces = store.split(arc, parts);
    assert.equal(pieces.reduce((sum, piece) => sum + store.digest(piece).count, 0), expected);
    assert.equal(pieces.reduce((sum, piece) => (sum ^ store.digest(piece).high) >>> 0, 0), store.digest(arc).high);
  }));
});

test("resources of an arc come clockwise, and from a cursor on the rest", () => {
  fc.assert(fc.property(entries, arcs, (list, arc) => {
    const store = filled(list);
    const all = [...store.resourcesIn(arc)];
    all.forEach((resource, index) => {
      assert.ok(inArc(arc, resource));
      if (resource !== arc.upTo) assert.deepEqual([...store.resourcesIn(arc, resource)], all.slice(index + 1));
    });
  }));
});

test("what is removed leaves no trace", () => {
  fc.assert(fc.property(entries, (list) => {
    const store = filled(list);
    for (const one of list) store.remove(one);
    const whole = { after: "0".repeat(32) as NodeId, upTo: "0".repeat(32) as NodeId };
    assert.equal(store.size, 0);
    assert.deepEqual(store.digest(whole), { high: 0, low: 0, count: 0 });
    assert.deepEqual([...store.resourcesIn(whole)], []);
  }));
});

test("the newer of two values stands; at equal times their hashes decide alike everywhere", () => {
  const one = entry("1".repeat(32) as ResourceId, "aa", 5, 1);
  const other = entry("1".repeat(32) as ResourceId, "aa", 5, 2);
  const [loser, winner] = compareEntries(one, other) < 0 ? [one, other] : [other, one];
  assert.ok(compareEntries(winner, loser) > 0);
  assert.equal(Math.sign(compareNotes(winner, loser)), 1);
  const store = filled([loser]);
  assert.equal(store.merge(winner, FOREVER, wallTime(0)), "stored");
  assert.equal(store.merge(loser, FOREVER, wallTime(0)), "older");
  assert.equal(store.merge(winner, FOREVER, wallTime(0)), "same");
  assert.equal(store.kind(one.resource, 7)?.generation, 6, "above the storage_time and above the counter before");
});

test("entries go when their time is over, the earliest first", () => {
  const store = new EntryStore();
  const resource = "1".repeat(32) as ResourceId;
  store.merge(entry(resource, "aa", 1), instant(2_000), wallTime(0));
  store.merge(entry(resource, "bb", 1), instant(1_000), wallTime(0));
  assert.equal(store.takeExpired(instant(999)), undefined);
  assert.equal(store.takeExpired(instant(2_000))?.key, "bb");
  assert.equal(store.takeExpired(instant(2_000))?.key, "aa");
  assert.equal(store.size, 0);
});

test("stamps only rise, also over a clock that goes back and over stamps of others", () => {
  let wall = 1_800_000_000_000;
  const clock = new HybridClock(() => wallTime(wall));
  const first = clock.stamp();
  wall -= 1_000_000;
  const second = clock.stamp();
  assert.ok(second > first);
  clock.observe(wallTime(second + 5_000));
  assert.equal(clock.stamp(), second + 5_001);
});

const T2026 = 1_780_000_000_000;
/** A box that was started at T2026 with its wall clock right. */
class Running {
  wallError = 0;
  #now = 0;
  readonly clock = new HybridClock(() => wallTime(T2026 + this.#now + this.wallError));
  /** How far its time is from the true one. */
  step(now: number): number {
    this.#now = now;
    this.clock.begin(instant(now));
    return this.clock.now() - T2026 - now;
  }
}
function running(): Running {
  const box = new Running();
  box.step(0);
  return box;
}

test("a wall clock that jumps by years, forth and back, changes nothing, and is told of", () => {
  const box = running();
  for (const [at, years] of [[1_000, 2], [60_000, -2], [120_000, 0], [3_600_000, 10]] as const) {
    box.wallError = years * 365 * 86_400_000;
    assert.equal(box.step(at), 0);
    assert.equal(box.clock.wallError, box.wallError);
    assert.equal(box.step(at + 500), 0);
  }
});

test("a wall clock that is set by seconds is followed slowly, and time never goes back", () => {
  const box = running();
  box.wallError = 5_000;
  assert.equal(box.step(1_000), 5);
  assert.equal(box.step(100_000), 500);
  box.step(1_100_000);
  assert.equal(box.step(1_200_000), 5_000);
  box.wallError = -5_000;
  let last = 0;
  for (let now = 1_200_000; now < 4_000_000; now += 777) {
    box.step(now);
    assert.ok(box.clock.now() > last);
    last = box.clock.now();
  }
  assert.equal(box.step(4_000_000), -5_000);
});

test("what the others said corrects the clock at once, and a wall clock that is right later does not undo it", () => {
  const box = running();
  assert.ok(box.clock.agreeWith([0, -20_001, -20_000, -20_002]));
  assert.equal(box.step(1_000), -20_000);
  assert.equal(box.step(3_600_000), -20_000);
  box.wallError = -86_400_000;
  assert.equal(box.step(3_601_000), -20_000);
});

test("a clock that was never set is followed as soon as it is set", () => {
  let wall = 5_000;
  const clock = new HybridClock(() => wallTime(wall));
  clock.begin(instant(0));
  assert.equal(clock.now(), 5_000);
  wall = T2026;
  clock.begin(instant(1_000));
  assert.equal(clock.now(), T2026);
});

test("a clock that was never set takes the time of what it sees", () => {
  const clock = new HybridClock(() => wallTime(1_000));
  clock.observe(wallTime(1_800_000_000_000));
  assert.ok(clock.now() > CLOCK_FLOOR);
});

test("a clock that was set does not follow those that never were, and one that never was follows those that were", () => {
  const set = new HybridClock(() => wallTime(1_800_000_000_000));
  assert.equal(set.agreeWith([-1_800_000_000_000]), false);
  assert.equal(set.agreeWith([0, -1_800_000_000_000, -1_799_999_000_000]), false);
  const unset = new HybridClock(() => wallTime(1_000));
  assert.equal(unset.agreeWith([0, 1_800_000_000_000]), true);
  assert.ok(unset.now() > CLOCK_FLOOR);
});

test("a clock far from most others' is corrected, one that is near is left alone", () => {
  const clock = new HybridClock(() => wallTime(1_800_000_000_000));
  assert.equal(clock.agreeWith([0, 900, -20_000]), false);
  assert.equal(clock.agreeWith([0, -9e9, -9e9]), true);
  assert.equal(clock.now(), 1_800_000_000_000 - 9e9);
  assert.equal(clock.isTooFarAhead(wallTime(1_800_000_000_000)), clock.now() >= CLOCK_FLOOR);
});
