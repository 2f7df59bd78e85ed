import assert from "node:assert/strict";
import { test } from "node:test";
import { fromOctets, toOctets } from "../../../src/base/bytes.ts";
import { hours, instant, minutes, wallTime } from "../../../src/base/time.ts";
import { CoreContext } from "../../../src/overlay/core-context.ts";
import type { KindEntries, Version } from "../../../src/overlay/ports.ts";
import { Persistence } from "../../../src/overlay/replicas/persistence.ts";
import { decodeEntry } from "../../../src/overlay/storage/entry.ts";
import { seenIn } from "../../../src/overlay/storage/history.ts";
import { certificateOf, cryptoFor, OverlayWorld, resourceOf, SeededRandom, SIBLINGS, SOFT, TEST_KINDS, TIMING, VERSIONED, type WorldBox } from "../../support/overlay-world.ts";

const PLACE = resourceOf("alice");

function readNow(world: OverlayWorld, box: WorldBox): readonly KindEntries[] {
  let kinds: readonly KindEntries[] | undefined;
  world.fetch(box, PLACE, (outcome) => (kinds = outcome.ok ? outcome.kinds : undefined), [VERSIONED, SIBLINGS]);
  assert.ok(world.until(() => kinds !== undefined, 10_000));
  return kinds ?? [];
}

const seen = (kinds: readonly KindEntries[]): readonly Version[] =>
  seenIn(kinds.flatMap(({ entries, deletions }) => [...entries, ...(deletions ?? [])]).flatMap(({ history }) => history ?? []));

/** Reads and writes, as an operator's command does. */
function change(world: OverlayWorld, box: WorldBox, value: string | undefined): void {
  const follows = seen(readNow(world, box));
  let done = false;
  world.store(box, PLACE, VERSIONED, [{ key: "", value: value === undefined ? undefined : fromOctets(value), lifetime: hours(1_000), follows }], ({ ok }) => (done = ok));
  assert.ok(world.until(() => done, 10_000), `${value} was not stored`);
}

/** What stands, then its siblings. */
const versions = (kinds: readonly KindEntries[]): readonly string[] => [
  kinds[0]?.entries.map(({ value }) => toOctets(value))[0] ?? "removed",
  ...(kinds[1]?.entries ?? []).map(({ value, isDeletion }) => (isDeletion === true ? "removed" : toOctets(value))).sort(),
];

function cutAndHeal(world: OverlayWorld, meanwhile: (one: WorldBox, other: WorldBox) => void): void {
  const [a, b, c, d, e] = world.boxes;
  assert.ok(a && b && c && d && e);
  world.partition([a, b]);
  world.run(20_000);
  meanwhile(a, d);
  world.heal();
  world.run(60_000);
}

test("of two versions written apart the later stands everywhere and the other is its sibling, until somebody has seen both", () => {
  const world = OverlayWorld.ring(5, 71);
  change(world, world.boxes[0] as WorldBox, "base");
  cutAndHeal(world, (one, other) => {
    change(world, one, "left");
    change(world, other, "right");
  });
  for (const box of world.boxes) assert.deepEqual(versions(readNow(world, box)), ["right", "left"]);
  change(world, world.boxes[4] as WorldBox, "settled");
  world.run(5_000);
  for (const box of world.boxes) assert.deepEqual(versions(readNow(world, box)), ["settled"]);
});

test("a removal on one side and a change on the other are both kept, whichever came later", () => {
  for (const order of [0, 1]) {
    const world = OverlayWorld.ring(5, 72 + order);
    change(world, world.boxes[0] as WorldBox, "base");
    cutAndHeal(world, (one, other) => {
      change(world, one, order === 0 ? undefined : "left");
      change(world, other, order === 0 ? "right" : undefined);
    });
    for (const box of world.boxes) assert.deepEqual(versions(readNow(world, box)), order === 0 ? ["right", "removed"] : ["removed", "left"]);
  }
});

test("what one side changes and removes while the other writes nothing is not undone, and is no conflict", () => {
  const world = OverlayWorld.ring(5, 74);
  change(world, world.boxes[0] as WorldBox, "base");
  cutAndHeal(world, (one) => {
    change(world, one, "left");
    change(world, one, undefined);
  });
  for (const box of world.boxes) assert.deepEqual(versions(readNow(world, box)), ["removed"]);
});

test("a lifetime that is not the one the writer signed is refused", () => {
  const world = OverlayWorld.ring(1, 75);
  const box = world.boxes[0] as WorldBox;
  change(world, box, "mine");
  const row = [...box.disk.values()].find(({ kind }) => kind === VERSIONED.id);
  assert.ok(row);
  assert.ok(decodeEntry(PLACE, VERSIONED, row.stored).ok);
  const stretched = row.stored.slice();
  new DataView(stretched.buffer).setUint32(12, 4_000_000_000);
  const read = decodeEntry(PLACE, VERSIONED, stretched);
  assert.ok(!read.ok);
  assert.equal(read.fault.reason, "the lifetime is not the writer's");
});

test("what is put and taken away in one step is not on disk after it, and the other way round it is", () => {
  const { core, info } = OverlayWorld.ring(1, 76).boxes[0] as WorldBox;
  const settings = { overlayName: "test.ring", self: info, certificate: certificateOf(info.nodeId), kinds: TEST_KINDS, rows: [], members: [], mayStandAlone: true, timing: TIMING };
  const context = new CoreContext(settings, cryptoFor(info.nodeId), new SeededRandom(1), { inspect: () => ({ refused: "" }) }, () => wallTime(0));
  context.begin(instant(0));
  const persistence = new Persistence(context, () => undefined);
  const world = OverlayWorld.ring(1, 77);
  world.storeNow(world.boxes[0] as WorldBox, PLACE, SOFT, "aa", "x", minutes(5));
  const [entry] = (world.boxes[0] as WorldBox).core.held(PLACE);
  assert.ok(entry && core);
  for (const last of ["put", "remove"] as const) {
    persistence.put(entry, "soft");
    persistence.remove(entry, "soft");
    if (last === "put") persistence.put(entry, "soft");
    persistence.flush();
    const [write] = context.takeEffects();
    assert.ok(write?.type === "persist");
    assert.deepEqual([write.puts.length, write.removals.length], last === "put" ? [1, 0] : [0, 1]);
  }
});
