import assert from "node:assert/strict";
import { test } from "node:test";
import { Chord } from "../../../../src/overlay/ring/chord.ts";
import { type ChordLists, type ChordRules, chordRules } from "../../../../src/overlay/ring/chord-rules.ts";
import { ChordChecker, type Violation } from "../../../support/chord-checker.ts";

const RULES = chordRules<number>();
const next = (id: number): number => (id + 1) % 100;
const lists = (predecessor: number, ...successors: [number, number, number]): ChordLists<number> => ({ successors, predecessor });
function member(self: number, its: ChordLists<number>): Chord<number> {
  const chord = new Chord<number>(self, RULES, next);
  chord.found(its);
  return chord;
}

test("a newcomer takes over the whole list of the member just before its place", () => {
  const chord = new Chord<number>(25, RULES, next);
  chord.join(20);
  assert.equal(chord.asking, 20);
  assert.equal(chord.lives(lists(10, 30, 40, 50)), undefined);
  assert.deepEqual(chord.lists, lists(20, 30, 40, 50));
  assert.equal(chord.state, "resting");
});

test("a newcomer that asked the wrong member, or a dead one, stays outside", () => {
  const chord = new Chord<number>(35, RULES, next);
  chord.join(20);
  chord.lives(lists(10, 30, 40, 50));
  assert.equal(chord.state, "outside");
  chord.join(30);
  chord.died();
  assert.equal(chord.lists, undefined);
});

test("whoever stabilizes takes its successor's list behind it, and notifies it", () => {
  const chord = member(10, lists(90, 20, 40, 60));
  chord.stabilize();
  assert.equal(chord.asking, 20);
  assert.equal(chord.lives(lists(10, 30, 40, 50)), 20);
  assert.deepEqual(chord.lists, lists(90, 20, 30, 40));
});

test("a predecessor of the successor that lies between is asked, and becomes the first successor if it lives", () => {
  const chord = member(10, lists(90, 20, 30, 40));
  chord.stabilize();
  assert.equal(chord.lives(lists(15, 30, 40, 50)), undefined);
  assert.equal(chord.asking, 15);
  assert.equal(chord.lives(lists(10, 20, 30, 40)), 15);
  assert.deepEqual(chord.lists, lists(90, 15, 20, 30));
});

test("one that is known to lie between is asked at once", () => {
  const chord = member(10, lists(90, 20, 30, 40));
  chord.stabilize(25);
  assert.equal(chord.asking, 20);
  chord.lives(lists(10, 30, 40, 50));
  chord.stabilize(15);
  assert.equal(chord.asking, 15);
  assert.equal(chord.died(), 20);
});

test("one that lies between and is dead changes nothing, and the successor is notified", () => {
  const chord = member(10, lists(90, 20, 30, 40));
  chord.stabilize();
  chord.lives(lists(15, 30, 40, 50));
  assert.equal(chord.died(), 20);
  assert.deepEqual(chord.lists, lists(90, 20, 30, 40));
});

test("a dead first successor is dropped, and the list keeps its length", () => {
  const chord = member(10, lists(90, 20, 30, 40));
  chord.stabilize();
  assert.equal(chord.died(), 30);
  assert.deepEqual(chord.lists, lists(90, 30, 40, 41));
});

test("a nearer predecessor is taken at once; another only when the old one is dead", () => {
  const chord = member(50, lists(30, 60, 70, 80));
  chord.notified(40);
  assert.deepEqual(chord.lists, lists(40, 60, 70, 80));
  chord.notified(20);
  assert.equal(chord.asking, 40);
  chord.lives(lists(30, 50, 60, 70));
  assert.equal(chord.lists?.predecessor, 40);
  chord.notified(20);
  chord.died();
  assert.equal(chord.lists?.predecessor, 20);
});

test("while a member waits for an answer nothing else changes its lists", () => {
  const chord = member(50, lists(30, 60, 70, 80));
  chord.stabilize();
  chord.notified(40);
  chord.stabilize();
  assert.equal(chord.asking, 60);
  assert.deepEqual(chord.lists, lists(30, 60, 70, 80));
});

test("a schedule replays from its seed", () => {
  const runs = [1, 2].map(() => Array.from({ length: 50 }, (_, seed) => new ChordChecker().run(seed)));
  assert.deepEqual(runs[0], runs[1]);
});

/** How many of a thousand schedules end in which violation. */
function violations(broken: Partial<ChordRules<number>>): ReadonlyMap<Violation, number> {
  const checker = new ChordChecker({ ...RULES, ...broken });
  const found = new Map<Violation, number>();
  for (let seed = 1; seed <= 1_000; seed++) {
    const { violation } = checker.run(seed);
    if (violation !== undefined) found.set(violation, (found.get(violation) ?? 0) + 1);
  }
  return found;
}

test("the checker sees a join that sets one successor only", () => {
  const found = violations({
    joined: (self, host, told) => {
      const right = RULES.joined(self, host, told);
      const first = told.successors[0];
      return right === undefined ? undefined : { ...right, successors: [first, first, first] };
    },
  });
  assert.ok((found.get("fewer principals than the base") ?? 0) > 0);
});

test("the checker sees a join that does not look whether the place is there", () => {
  assert.ok(violations({ joined: (_self, host, { successors }) => ({ successors, predecessor: host }) }).size > 0);
});

test("the checker sees a nearer successor that is taken without asking whether it lives", () => {
  const unasked: ChordRules<number>["adopted"] = (old, source, told) => {
    const nearer = RULES.nearer(old.predecessor, source, told);
    return nearer === undefined ? RULES.adopted(old, source, told) : { ...old, successors: [nearer, source, told.successors[0]] };
  };
  assert.ok(violations({ adopted: unasked }).size > 0);
});

test("the checker sees a ring that never is ideal because nobody nearer becomes the predecessor", () => {
  assert.ok((violations({ precedes: () => false }).get("no ideal ring in time") ?? 0) > 0);
});
