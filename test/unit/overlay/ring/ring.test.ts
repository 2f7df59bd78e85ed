import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NodeId, ResourceId } from "../../../../src/overlay/ports.ts";
import { type Arc, inArc, intersect, nextId, RingView, shareOf } from "../../../../src/overlay/ring/ring.ts";

const id = (digit: string): NodeId => digit.repeat(32) as NodeId;
const anId = fc.uint8Array({ minLength: 2, maxLength: 2 }).map(([a = 0, b = 0]) => `${a.toString(16).padStart(2, "0")}${(b & 3).toString(16).padStart(2, "0")}${"0".repeat(28)}` as NodeId);
const ids = fc.uniqueArray(anId, { minLength: 1, maxLength: 12 });
const view = (of: readonly NodeId[], zones: Record<string, string> = {}): RingView => new RingView(of, (one) => zones[one] ?? "");

test("the responsible peer is the first at or after a place, around the end of the ring", () => {
  const ring = view([id("4"), id("8"), id("c")]);
  assert.equal(ring.owner(id("4")), id("4"));
  assert.equal(ring.owner(id("5")), id("8"));
  assert.equal(ring.owner(id("d")), id("4"));
  assert.deepEqual(ring.holders(id("9")), [id("c"), id("4"), id("8")]);
});

test("the responsible peer's arc holds exactly its places", () => {
  fc.assert(fc.property(ids, anId, (members, place) => {
    const ring = view(members);
    for (const member of members) assert.equal(inArc(ring.arcOf(member), place), ring.owner(place) === member);
  }));
});

test("the shares of all members make the whole ring", () => {
  fc.assert(fc.property(ids, (members) => {
    const ring = view(members);
    const sum = members.reduce((total, member) => total + shareOf(ring.arcOf(member)), 0);
    assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
  }));
});

test("two arcs meet exactly in their common places", () => {
  const arc = fc.tuple(anId, anId).map(([after, upTo]): Arc => ({ after, upTo }));
  fc.assert(fc.property(arc, arc, anId, (a, b, place) => {
    const pieces = intersect(a, b);
    assert.equal(pieces.filter((piece) => inArc(piece, place)).length, inArc(a, place) && inArc(b, place) ? 1 : 0);
  }), { numRuns: 2_000 });
});

test("a view that lacks a member gives its places to its successor", () => {
  fc.assert(fc.property(ids.filter(({ length }) => length > 1), anId, (members, place) => {
    const ring = view(members);
    const owner = ring.owner(place) as NodeId;
    assert.equal(ring.without(owner).owner(place), ring.successors(owner, 1)[0]);
    assert.equal(ring.without(owner).with(owner).owner(place), owner);
  }));
});

test("a newcomer that takes a copy does so whoever else comes", () => {
  fc.assert(fc.property(ids, anId, anId, anId, (members, newcomer, other, place) => {
    fc.pre(newcomer !== other);
    const both = view(members).with(newcomer).with(other);
    if (both.isHolder(newcomer, place)) assert.ok(view(members).with(newcomer).isHolder(newcomer, place));
  }));
});

test("the copies of a place are not all in one zone when there is another", () => {
  const zones = { [id("2")]: "a", [id("4")]: "a", [id("6")]: "a", [id("8")]: "a", [id("a")]: "b" };
  const ring = view(Object.keys(zones) as NodeId[], zones);
  assert.deepEqual(ring.holders(id("1")), [id("2"), id("4"), id("a")]);
  assert.deepEqual(ring.holders(id("5")), [id("6"), id("8"), id("a")]);
});

test("neighbors are nearest first and never the box itself", () => {
  const ring = view([id("2"), id("4"), id("6")]);
  assert.deepEqual(ring.successors(id("4"), 3), [id("6"), id("2")]);
  assert.deepEqual(ring.predecessors(id("4"), 3), [id("2"), id("6")]);
  assert.deepEqual(ring.successors(id("3"), 1), [id("4")]);
  assert.deepEqual(view([id("2")]).successors(id("2"), 3), []);
});

test("after the last identifier comes the first", () => {
  assert.equal(nextId(id("f")), id("0"));
  assert.equal(nextId("0000000000000000000000000000000f" as ResourceId), "00000000000000000000000000000010");
});

test("a view that grew and shrank step by step says the same of zones and copies as one made at once", () => {
  const zoned = fc.tuple(ids, fc.array(fc.tuple(anId, fc.boolean()), { maxLength: 12 }), fc.integer({ min: 1, max: 3 }));
  fc.assert(fc.property(zoned, ([members, changes, zones]) => {
    const zoneOf = (one: NodeId): string => String(Number.parseInt(one.slice(0, 2), 16) % zones);
    let ring = new RingView(members, zoneOf);
    for (const [one, enters] of changes) {
      // Asked at every step: what is known of a view's zones is handed on to the next.
      ring.placements();
      ring = enters ? ring.with(one) : ring.without(one);
    }
    const afresh = new RingView(ring.ids, zoneOf);
    assert.deepEqual(ring.placements(), afresh.placements());
    for (const one of ring.ids) {
      const held = afresh.placements().filter(({ holders }) => holders.includes(one));
      const byOwner = (pieces: readonly { readonly arc: Arc }[]): readonly string[] => pieces.map((piece) => JSON.stringify(piece)).sort();
      assert.deepEqual(byOwner(ring.heldBy(one)), byOwner(held));
    }
  }));
});
