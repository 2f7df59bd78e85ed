// What stands behind "stored": on the disks of two boxes, compared every half minute, repaired when a disk
// does not hold what it was given.

import assert from "node:assert/strict";
import { test } from "node:test";
import { minutes, wallTime } from "../../../src/base/time.ts";
import type { ArcStatus, DiskStatus, NodeId, ResourceId, StoredRow } from "../../../src/overlay/ports.ts";
import { overlayHash, type TransactionId } from "../../../src/overlay/wire/identifiers.ts";
import { encodeMessage } from "../../../src/overlay/wire/message.ts";
import { NO_SIGNATURE } from "../../../src/overlay/wire/security-block.ts";
import { encodeStoredData } from "../../../src/overlay/wire/stored-data.ts";
import { cryptoFor, DURABLE, OverlayWorld, resourceOf, SOFT, text, type WorldBox } from "../../support/overlay-world.ts";

const NOT_DURABLE = { ok: false, fault: { reason: "not-durable" } };
/** Longer than a stall is waited for. */
const HUNG_MS = 5_500;

const diskOf = (box: WorldBox): DiskStatus => box.core.snapshot().disk;
const arcOf = (box: WorldBox): ArcStatus => {
  const { arc } = box.core.snapshot();
  assert.ok(arc !== undefined);
  return arc;
};
/** Values; the certificates of their writers lie beside them. */
const valuesOn = ({ disk }: WorldBox): StoredRow[] => [...disk.values()].filter(({ kind }) => kind === SOFT.id || kind === DURABLE.id);
const rows = (box: WorldBox): number => valuesOn(box).length;
const write = (world: OverlayWorld, box: WorldBox, name: string, value = "secret") => world.storeNow(box, resourceOf(name), DURABLE, "", value);

test("alone, a durable write is acknowledged with one copy", () => {
  const world = OverlayWorld.ring(1, 60);
  const [box] = world.boxes as [WorldBox];
  const stored = write(world, box, "one");
  assert.ok(stored.ok && stored.copies === 1);
  assert.equal(box.core.snapshot().copies, 1);
});

test("a disk that hangs is told by name, and refuses at once instead of letting everybody wait", () => {
  const world = OverlayWorld.ring(1, 61);
  const [box] = world.boxes as [WorldBox];
  box.diskDelay = 40_000;
  assert.equal(write(world, box, "first").ok, false);
  world.run(HUNG_MS);
  assert.equal(diskOf(box).state, "stalled");
  const since = world.now;
  assert.deepEqual(write(world, box, "second"), NOT_DURABLE);
  assert.equal(world.now, since, "within the same moment");
  assert.ok(diskOf(box).unwritten > 0);
  assert.ok(world.storeNow(box, resourceOf("phone"), SOFT, "aa", "here").ok, "soft writes go on");
  box.diskDelay = 2;
  world.run(40_000);
  assert.deepEqual(diskOf(box), { state: "ok", unwritten: 0, unrepaired: 0 });
  assert.deepEqual([...box.disk.values()].filter(({ kind }) => kind === DURABLE.id).map(({ resource }) => resource).sort(), [resourceOf("first"), resourceOf("second")].sort());
});

test("one hanging disk of three keeps no write from being acknowledged, and never counts as a copy", () => {
  const world = OverlayWorld.ring(3, 62);
  const [hung, other] = world.boxes as [WorldBox, WorldBox];
  hung.diskDelay = 600_000;
  assert.ok(write(world, other, "first").ok);
  world.run(HUNG_MS);
  for (let i = 0; i < 20; i++) {
    const stored = write(world, hung, `user${i}`);
    assert.ok(stored.ok && stored.copies === 2, JSON.stringify(stored));
  }
  assert.equal(rows(hung), 0);
});

test("copies are in sync only when they are on the disks too", () => {
  const world = OverlayWorld.ring(2, 63);
  const [bad, other] = world.boxes as [WorldBox, WorldBox];
  assert.ok(world.boxes.every((box) => arcOf(box).inSync));
  for (let i = 0; i < 30; i++) assert.ok(write(world, other, `user${i}`).ok);
  bad.diskWorks = false;
  for (let i = 0; i < 30; i++) assert.equal(write(world, other, `later${i}`).ok, false);
  world.run(60_000);
  assert.equal(diskOf(bad).state, "failing");
  for (const box of world.boxes) assert.equal(arcOf(box).inSync, false);
  bad.diskWorks = true;
  world.run(60_000);
  assert.equal(rows(bad), 60);
  for (const box of world.boxes) assert.equal(arcOf(box).inSync, true);
});

test("a box forgets what is not its own only when it is on the disks of those whose it is", () => {
  const world = OverlayWorld.ring(3, 64);
  const first = world.boxes[0] as WorldBox;
  for (let i = 0; i < 40; i++) assert.ok(write(world, first, `user${i}`).ok);
  const newcomer = world.add();
  newcomer.diskWorks = false;
  assert.ok(world.until(() => newcomer.core.phase === "serving", 20_000));
  world.run(120_000);
  for (let i = 0; i < 40; i++) {
    const holding = world.boxes.filter(({ disk }) => [...disk.values()].some(({ resource }) => resource === resourceOf(`user${i}`)));
    assert.equal(holding.length, 3, `user${i} is on ${holding.length} disks`);
  }
  newcomer.diskWorks = true;
  world.run(120_000);
  const all = world.boxes.reduce((sum, box) => sum + rows(box), 0);
  assert.equal(all, 3 * 40, "and then it forgets");
});

test("a row that was damaged on disk is written again from memory", () => {
  const world = OverlayWorld.ring(2, 65);
  const box = world.boxes[0] as WorldBox;
  assert.ok(write(world, box, "user").ok);
  const row = { resource: resourceOf("user"), kind: DURABLE.id, key: "" };
  box.disk.clear();
  world.give(box, { type: "row-damaged", row });
  world.run(100);
  assert.equal(rows(box), 1);
  const { counters } = box.core.snapshot();
  assert.deepEqual([counters["row-damaged"], counters["row-repaired"]], [1, 1]);
  assert.equal(diskOf(box).unrepaired, 0);
});

test("a row that was damaged before a start comes back from a neighbor, and until then the box says so", () => {
  const world = OverlayWorld.ring(2, 66);
  const box = world.boxes[1] as WorldBox;
  assert.ok(write(world, box, "user").ok);
  world.run(1_000);
  world.kill(box);
  box.disk.clear();
  const again = world.restart(box);
  world.give(again, { type: "row-damaged", row: { resource: resourceOf("user"), kind: DURABLE.id, key: "" } });
  assert.equal(diskOf(again).unrepaired, 1);
  assert.ok(world.until(() => diskOf(again).unrepaired === 0, 20_000));
  world.run(100);
  assert.equal(rows(again), 1);
  assert.equal(again.core.snapshot().counters["row-repaired"], 1);
});

test("after a disk was in doubt everything durable is written anew, and only that", () => {
  const world = OverlayWorld.ring(1, 67);
  const [box] = world.boxes as [WorldBox];
  for (let i = 0; i < 1_200; i++) world.store(box, resourceOf(`user${i}`), DURABLE, [{ key: "", value: text("x"), lifetime: minutes(60) }]);
  world.storeText(box, "phone", "aa", "x");
  world.run(3_000);
  assert.equal(rows(box), 1_201);
  box.disk.clear();
  world.give(box, { type: "disk-renewed", durability: "durable" });
  world.run(1_000);
  assert.equal(rows(box), 1_200);
  assert.equal(new Set(valuesOn(box).map(({ kind }) => kind)).size, 1);
});

const overlay = overlayHash("test.ring", cryptoFor("nobody" as NodeId));

/** A value that one replica alone has: as if it had come by itself. */
function plant(world: OverlayWorld, replica: WorldBox, from: WorldBox, resource: ResourceId): void {
  const stored = { storageTime: wallTime(1_800_000_000_000 + world.now), lifetime: 3_600, place: { model: "dictionary", key: "aa" }, exists: true, value: text("planted"), signature: NO_SIGNATURE } as const;
  const message = encodeMessage({
    header: {
      overlay, configurationSequence: 1, ttl: 100, transactionId: "00000000000000ff" as TransactionId, maxResponseLength: 0, via: [], options: [],
      destinations: [{ type: "node", nodeId: replica.id }],
    },
    body: { type: "store_req", resource, replicaNumber: 3, kinds: [{ kind: SOFT.id, generation: 1, values: [encodeStoredData(stored)] }] },
    extensions: [],
  });
  const link = world.links.find(({ ends }) => ends.includes(replica) && ends.includes(from));
  world.give(replica, { type: "link-message", link: link?.id ?? 0, message });
}

test("copies that have come apart unnoticed are found at the next comparison, within 40 seconds, and never called in sync by one", () => {
  const world = OverlayWorld.ring(4, 68);
  const resource = resourceOf("divergent");
  const owner = world.ownerOf(resource);
  const [, replica, third] = owner.core.locate(resource).replicas.map((id) => world.box(id)) as [WorldBox, WorldBox, WorldBox];
  const planted = world.now;
  plant(world, replica, third, resource);
  assert.equal(replica.core.held(resource).length, 1);
  assert.equal(owner.core.held(resource).length, 0);
  const claim = (): boolean => arcOf(owner).inSync && (arcOf(owner).comparedAt ?? 0) > planted;
  assert.ok(world.until(claim, 40_000), "compared since");
  for (const box of [owner, replica, third]) assert.equal(box.core.held(resource).length, 1, "whoever claims it has made it true");
});

test("a ring that comes together again is compared at once", () => {
  const world = OverlayWorld.ring(4, 69);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  world.partition([a, b]);
  world.run(20_000);
  assert.ok(world.boxes.every((box) => box.core.snapshot().arc !== undefined));
  for (let i = 0; i < 20; i++) world.storeText(world.boxes[(i % 2) * 2] as WorldBox, `user${i}`, "aa", "x");
  world.run(6_000);
  world.heal();
  const healed = world.now;
  const allCompared = (): boolean => world.boxes.every((box) => arcOf(box).inSync && (arcOf(box).comparedAt ?? 0) > healed);
  assert.ok(world.until(allCompared, 60_000));
  for (let i = 0; i < 20; i++) assert.equal(world.boxes.filter(({ core }) => core.held(resourceOf(`user${i}`)).length > 0).length >= 3, true, `user${i}`);
});

test("a box whose disk fails hands its share over and stays linked; its phones are served on, and it comes back when its disk is sound", () => {
  const world = OverlayWorld.ring(4, 75);
  const [bad, other] = world.boxes as [WorldBox, WorldBox];
  for (let i = 0; i < 40; i++) assert.ok(write(world, other, `user${i}`).ok);
  bad.diskWorks = false;
  for (let i = 0; i < 10; i++) assert.ok(write(world, other, `later${i}`).ok);
  assert.ok(world.until(() => bad.core.phase === "aside", 30_000), "within half a minute");
  assert.ok(world.boxes.every(({ core }) => core.serves(bad.id)));
  for (const box of world.boxes.slice(1)) assert.equal(box.core.snapshot().members.find(({ info }) => info.nodeId === bad.id)?.state, "linked");
  for (let i = 0; i < 10; i++) assert.ok(write(world, bad, `through${i}`).ok, "it writes at the others");
  assert.deepEqual(world.fetchNow(bad, resourceOf("later3"), DURABLE), world.fetchNow(other, resourceOf("later3"), DURABLE), "and reads there");
  world.run(60_000);
  for (const box of world.boxes.slice(1)) assert.equal(arcOf(box).inSync, true);
  bad.diskWorks = true;
  assert.ok(world.until(() => bad.core.phase === "serving", 120_000));
  world.run(60_000);
  assert.ok(world.boxes.every((box) => arcOf(box).inSync));
  assert.equal(world.boxes.reduce((sum, box) => sum + rows(box), 0), 3 * 60);
});

test("of two boxes whose disks fail at once one stands aside, then the other, as long as two are left", () => {
  const world = OverlayWorld.ring(4, 76);
  const [one, two, good] = world.boxes as [WorldBox, WorldBox, WorldBox];
  for (const box of [one, two]) box.diskWorks = false;
  for (let i = 0; i < 30; i++) write(world, good, `user${i}`);
  assert.ok(world.until(() => one.core.phase === "aside" && two.core.phase === "aside", 200_000));
  good.diskWorks = false;
  for (let i = 0; i < 10; i++) assert.equal(write(world, good, `none${i}`).ok, false);
  world.run(120_000);
  assert.equal(good.core.phase, "serving", "the last two stay");
});

test("a ring whose last boxes die is taken up again by one that stood aside", () => {
  const world = OverlayWorld.ring(3, 77);
  const [bad, other, another] = world.boxes as [WorldBox, WorldBox, WorldBox];
  bad.diskWorks = false;
  for (let i = 0; i < 10; i++) assert.ok(write(world, other, `user${i}`).ok);
  assert.ok(world.until(() => bad.core.phase === "aside", 30_000));
  for (const box of [other, another]) world.kill(box);
  assert.ok(world.until(() => bad.core.phase === "serving", 60_000));
  assert.deepEqual(world.fetchNow(bad, resourceOf("user3"), DURABLE), { "": "secret" });
});

test("a box that stands aside can leave for good", () => {
  const world = OverlayWorld.ring(3, 78);
  const [bad, other] = world.boxes as [WorldBox, WorldBox];
  bad.diskWorks = false;
  for (let i = 0; i < 10; i++) assert.ok(write(world, other, `user${i}`).ok);
  assert.ok(world.until(() => bad.core.phase === "aside", 30_000));
  world.give(bad, { type: "leave" });
  assert.equal(bad.core.phase, "left");
  world.run(5_000);
  assert.equal(other.core.serves(bad.id), false);
});

test("a box that is told that its disk takes nothing stands aside though it had nothing to write, and comes back when that is said no more", () => {
  const world = OverlayWorld.ring(3, 79);
  const [bad] = world.boxes as [WorldBox];
  for (let second = 0; second < 14; second++) {
    world.give(bad, { type: "disk-unfit" });
    world.run(1_000);
  }
  assert.equal(bad.core.phase, "serving");
  for (let second = 0; second < 60; second++) {
    world.give(bad, { type: "disk-unfit" });
    world.run(1_000);
  }
  assert.equal(bad.core.phase, "aside");
  assert.ok(world.until(() => bad.core.phase === "serving", 90_000));
});
