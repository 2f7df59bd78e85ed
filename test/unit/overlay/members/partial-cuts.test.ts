import assert from "node:assert/strict";
import { test } from "node:test";
import { OverlayWorld, resourceOf, SeededRandom, SOFT, type WorldBox } from "../../../support/overlay-world.ts";
import { cutAtRandom } from "../../../support/partial-cuts.ts";

/** After a heal, milliseconds: what is promised. */
const ONE_RING = 30_000;

const SEEDS = Number(process.env["RINGBOX_PARTIAL_CUTS"] ?? 15);
const RESOURCE = resourceOf("disputed");
const stateOf = (box: WorldBox, other: WorldBox): string | undefined =>
  box.core.snapshot().members.find(({ info }) => info.nodeId === other.id)?.state;
const gone = (world: OverlayWorld): number => world.boxes.reduce((sum, box) => sum + box.seen("member-gone").length, 0);

test("two boxes that reach each other only through a third stay members of one ring, and write and read through it", () => {
  const world = OverlayWorld.ring(3, 90);
  const [a, b] = world.boxes as [WorldBox, WorldBox, WorldBox];
  world.cutPaths((x, y) => [x, y].includes(a) && [x, y].includes(b));
  world.run(60_000);
  assert.equal(stateOf(a, b), "serving");
  assert.equal(stateOf(b, a), "serving");
  assert.equal(gone(world), 0);
  for (let i = 0; i < 20; i++) {
    assert.ok(world.storeNow(i % 2 === 0 ? a : b, resourceOf(`n${i}`), SOFT, "aa", `v${i}`).ok);
    assert.deepEqual(world.fetchNow(i % 2 === 0 ? b : a, resourceOf(`n${i}`)), { aa: `v${i}` });
  }
  world.run(60_000);
  for (const box of world.boxes) assert.ok(box.core.snapshot().arc?.inSync, "copies are compared through the third too");
});

test("a box that is reached through another and dies is given up within four seconds", () => {
  const world = OverlayWorld.ring(4, 91);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  world.cutPaths((x, y) => [x, y].includes(a) && [x, y].includes(b));
  world.run(20_000);
  world.kill(b);
  const since = world.now;
  assert.ok(world.until(() => stateOf(a, b) === "gone", 10_000));
  assert.ok(world.now - since <= 4_000, `${world.now - since} ms`);
});

test("when the path is mended the two talk directly again, and nobody was ever given up", () => {
  const world = OverlayWorld.ring(4, 92);
  const [a, b] = world.boxes as [WorldBox, WorldBox];
  world.cutPaths((x, y) => [x, y].includes(a) && [x, y].includes(b));
  world.run(30_000);
  world.heal();
  world.run(5_000);
  const forwarded = (): number => world.boxes.reduce((sum, { core }) => sum + (core.snapshot().counters["message-forwarded"] ?? 0), 0);
  const before = forwarded();
  world.run(60_000);
  assert.equal(forwarded(), before);
  assert.equal(gone(world), 0);
});

test("a box that joins over a cut path is in the ring of all", () => {
  const world = OverlayWorld.ring(3, 93);
  const [a] = world.boxes as [WorldBox];
  const blocked = (box: WorldBox): boolean => box === world.boxes[3];
  world.cut = (x, y) => [x, y].includes(a) && [x, y].some(blocked);
  const newcomer = world.add({ hints: world.boxes.slice(1, 3) });
  assert.ok(world.until(() => newcomer.core.phase === "serving" && stateOf(a, newcomer) === "serving" && stateOf(newcomer, a) === "serving", 90_000));
});

test("random partial cuts of 3 to 9 boxes: ten seconds later one box acknowledges a key in each part", () => {
  for (let seed = 1; seed <= SEEDS; seed++) requireOneOwner(seed);
});

function requireOneOwner(seed: number): void {
  const random = new SeededRandom(seed * 7_919);
  const world = OverlayWorld.ring(3 + random.below(7), seed);
  for (let cut = 0; cut < 2; cut++) {
    const parts = cutAtRandom(world, random);
    let last = world.now;
    const acknowledged = (box: WorldBox): number => box.core.snapshot().counters["store-acknowledged"] ?? 0;
    const write = (ms: number): Map<readonly WorldBox[], Set<WorldBox>> => {
      const owners = new Map(parts.map((part) => [part, new Set<WorldBox>()]));
      for (const end = world.now + ms; world.now < end; ) {
        const before = new Map(world.boxes.map((box) => [box, acknowledged(box)]));
        world.storeText(world.boxes[random.below(world.boxes.length)] as WorldBox, "disputed", "aa", `at ${last++}`);
        world.run(250);
        for (const part of parts) for (const box of part) if (acknowledged(box) > (before.get(box) ?? 0)) owners.get(part)?.add(box);
      }
      return owners;
    };
    write(10_000);
    const owners = write(20_000);
    for (const [part, set] of owners) {
      assert.ok(set.size <= 1, `seed ${seed}, cut ${cut}: ${set.size} of ${part.length} boxes of one part acknowledge as responsible peer`);
    }
    world.heal();
    world.run(ONE_RING);
    assert.equal(new Set(world.boxes.map(({ core }) => core.locate(RESOURCE).owner)).size, 1, `seed ${seed}: one ring after the heal`);
  }
}

test("whenever the path of a newcomer is mended, it and the others end up talking directly", () => {
  for (let mendedAfter = 0; mendedAfter < 12_000; mendedAfter += 97) {
    const world = OverlayWorld.ring(3, 94);
    const [a] = world.boxes as [WorldBox];
    world.delay = () => 10 + world.random.below(100);
    world.cut = (x, y) => [x, y].includes(a) && [x, y].some((box) => box === world.boxes[3]);
    const newcomer = world.add({ hints: world.boxes.slice(1, 3) });
    world.run(mendedAfter);
    world.heal();
    assert.ok(world.until(() => newcomer.core.phase === "serving" && world.boxes.every((box) => box === newcomer || stateOf(box, newcomer) === "serving"), 90_000));
    world.run(10_000);
    const forwarded = (): number => world.boxes.reduce((sum, { core }) => sum + (core.snapshot().counters["message-forwarded"] ?? 0), 0);
    const before = forwarded();
    world.run(10_000);
    assert.equal(forwarded(), before, `mended after ${mendedAfter} ms`);
  }
});
