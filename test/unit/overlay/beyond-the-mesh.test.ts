// Rings above the mesh limit: links to neighbors and fingers only, and everything else in several hops.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { routingTable } from "../../../src/overlay/ring/fingers.ts";
import { RingView } from "../../../src/overlay/ring/ring.ts";
import { DURABLE, OverlayWorld, resourceOf, SOFT, type WorldBox } from "../../support/overlay-world.ts";

const LIMIT = 8;
/** Of those that boxes die in, leave and join. */
const RINGS = Number(process.env["RINGBOX_MESH_RINGS"] ?? 2);

const linkedTo = (world: OverlayWorld, box: WorldBox): ReadonlySet<NodeId> =>
  new Set(world.links.filter(({ open, ends }) => open && ends.includes(box)).map(({ ends }) => (ends[0] === box ? ends[1].id : ends[0].id)));

/** What is not as it should be with the links and lists of a quiet ring. */
function wrong(world: OverlayWorld): readonly string[] {
  const boxes = world.serving();
  const ring = new RingView(boxes.map(({ id }) => id), () => "");
  const tables = new Map(boxes.map(({ id }) => [id, routingTable(ring, id)]));
  return boxes.flatMap((box) => {
    const links = linkedTo(world, box);
    const faults: string[] = [];
    for (const id of tables.get(box.id) ?? []) if (!links.has(id)) faults.push(`no link to ${id.slice(0, 4)}`);
    for (const id of links) if (tables.get(box.id)?.has(id) !== true && tables.get(id)?.has(box.id) !== true) faults.push(`a link to ${id.slice(0, 4)}`);
    if (box.core.chordLists?.successors.join() !== ring.successors(box.id, 3).join()) faults.push("a wrong list");
    return faults.map((fault) => `${box.id.slice(0, 4)}: ${fault}`);
  });
}

function settled(count: number, seed: number): OverlayWorld {
  const world = OverlayWorld.ring(count, seed, { meshLimit: LIMIT });
  assert.equal(world.serving().length, count);
  untilNone(world, () => wrong(world), 400);
  return world;
}

test("above the mesh limit a box has links to its neighbors and fingers, and to whoever wants it, and to nobody else", () => {
  const world = settled(30, 3);
  const links = world.serving().map((box) => linkedTo(world, box).size);
  const mean = links.reduce((sum, count) => sum + count) / links.length;
  assert.ok(mean < 15, `${mean} links of 29 in the mean`);
});

test("every box stores and fetches what any other holds, in several hops", (t) => {
  const world = settled(30, 4);
  const forwarded = () => world.boxes.reduce((sum, { core }) => sum + (core.snapshot().counters["message-forwarded"] ?? 0), 0);
  const before = forwarded();
  for (const [i, box] of world.boxes.entries()) {
    assert.equal(world.storeNow(box, resourceOf(`soft ${i}`), SOFT, "aa", `of ${i}`).ok, true, `store ${i}`);
    assert.equal(world.storeNow(box, resourceOf(`durable ${i}`), DURABLE, "", `of ${i}`).ok, true, `durable store ${i}`);
  }
  for (const [i, box] of world.boxes.entries()) {
    for (const j of world.boxes.keys()) assert.deepEqual(world.fetchNow(box, resourceOf(`soft ${j}`)), { aa: `of ${j}` }, `box ${i} fetches ${j}`);
    assert.deepEqual(world.fetchNow(box, resourceOf(`durable ${(i + 7) % 30}`), DURABLE), { "": `of ${(i + 7) % 30}` });
  }
  const hops = forwarded() - before;
  t.diagnostic(`${hops} messages were forwarded for 990 operations`);
  assert.ok(hops > 300);
});

test("a listing walks the whole ring, from one responsible peer to the next", () => {
  const world = settled(26, 8);
  const names = Array.from({ length: 40 }, (_, i) => `name ${i}`);
  for (const [i, name] of names.entries()) assert.ok(world.storeNow(world.boxes[i % 26] as WorldBox, resourceOf(name), SOFT, "aa", name).ok);
  const asker = world.boxes[5] as WorldBox;
  world.give(asker, { type: "list", ticket: 999, kind: SOFT.id });
  assert.ok(world.until(() => asker.seen("listed").length > 0, 60_000));
  const outcome = asker.seen("listed")[0]?.outcome;
  assert.deepEqual(outcome?.ok === true ? outcome.found.map(({ resource }) => resource) : outcome, names.map(resourceOf).sort());
});

/** Looks every five seconds, for so many. */
function untilNone(world: OverlayWorld, faults: () => readonly string[], seconds: number): void {
  for (let waited = 0; waited < seconds && faults().length > 0; waited += 5) world.run(5_000);
  assert.deepEqual(faults(), []);
}

/** Resources that are not on exactly the three boxes that the ring wants. */
function misplaced(world: OverlayWorld, names: readonly string[]): readonly string[] {
  const ring = new RingView(world.serving().map(({ id }) => id), () => "");
  return names.flatMap((name) => {
    const holders = world.serving().filter(({ core }) => core.held(resourceOf(name)).length > 0).map(({ id }) => id);
    const wanted = ring.holders(resourceOf(name));
    const missing = wanted.filter((id) => !holders.includes(id)).map((id) => ` missing at ${id.slice(0, 4)}`);
    const extra = holders.filter((id) => !wanted.includes(id)).map((id) => ` extra at ${id.slice(0, 4)}`);
    return missing.length + extra.length === 0 ? [] : [`${name} (${wanted.map((id) => id.slice(0, 4)).join()}):${missing.join()}${extra.join()}`];
  });
}

test("boxes that die, leave and join beyond the mesh limit lose nothing that was acknowledged", () => {
  for (let seed = 5; seed < 5 + RINGS; seed++) {
    const world = settled(24, seed);
    const names = Array.from({ length: 60 }, (_, i) => `name ${i}`);
    for (const [i, name] of names.entries()) assert.ok(world.storeNow(world.boxes[i % 24] as WorldBox, resourceOf(name), SOFT, "aa", name).ok);
    for (let turn = 0; turn < 6; turn++) {
      const boxes = world.serving();
      const one = boxes[world.random.below(boxes.length)] as WorldBox;
      if (turn % 3 === 2) world.give(one, { type: "leave" });
      else world.kill(one);
      world.add({ hints: world.serving().slice(0, 2) });
      world.run(20_000);
    }
    assert.ok(world.until(() => world.serving().length === 24, 60_000), `${world.serving().length} serve`);
    untilNone(world, () => wrong(world), 400);
    untilNone(world, () => misplaced(world, names), 120);
    for (const name of names) {
      const box = world.serving()[world.random.below(24)] as WorldBox;
      assert.deepEqual(world.fetchNow(box, resourceOf(name)), { aa: name });
    }
  }
});

test("two halves of a cut beyond the mesh limit are one ring again, with what both acknowledged", () => {
  const world = settled(24, 3);
  const names = Array.from({ length: 40 }, (_, i) => `name ${i}`);
  const write = (key: string): void => {
    for (const [i, name] of names.entries()) assert.ok(world.storeNow(world.boxes[i % 24] as WorldBox, resourceOf(name), SOFT, key, name).ok, `${name} ${key}`);
  };
  write("aa");
  world.partition(world.boxes.slice(0, 12));
  world.run(120_000);
  write("bb");
  world.heal();
  untilNone(world, () => wrong(world), 400);
  untilNone(world, () => misplaced(world, names), 120);
  for (const name of names) {
    const box = world.serving()[world.random.below(24)] as WorldBox;
    assert.deepEqual(world.fetchNow(box, resourceOf(name)), { aa: name, bb: name });
  }
});
