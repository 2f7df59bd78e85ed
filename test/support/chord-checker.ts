// All rings of up to nine members on sixteen places: random schedules of the production rules, and what
// must hold after every step. Places are numbers, sets of places the bits of one.

import { Chord } from "../../src/overlay/ring/chord.ts";
import { type ChordLists, type ChordRules, chordRules, SUCCESSORS } from "../../src/overlay/ring/chord-rules.ts";

const PLACES = 16;
const MOST_MEMBERS = 9;
/** So many stable members the proof wants. */
const BASE = SUCCESSORS + 1;

/** Bits of the places strictly between two, as the proof reads it. */
const BETWEEN = Uint16Array.from({ length: PLACES * PLACES }, (_, pair) => {
  const after = pair >> 4;
  const before = pair & 15;
  let bits = 0;
  for (let id = 0; id < PLACES; id++) {
    if (after < before ? after < id && id < before : after < id || id < before) bits |= 1 << id;
  }
  return bits;
});
const COUNT = Uint8Array.from({ length: 1 << PLACES }, (_, bits) => {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
});

export type Violation =
  | "a member without a living successor"
  | "fewer principals than the base"
  | "a list out of order"
  | "a principal outside the ring"
  | "not one ring"
  | "a ring out of order"
  | "no ideal ring in time"
  | "an ideal ring that changes";

export interface Verdict {
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly members: number;
  /** Rounds of stabilization until the ring was ideal, after the last join or death. */
  readonly rounds: number;
}

/** How a schedule chooses among what may happen; of 256. */
interface Mood {
  readonly join: number;
  readonly fail: number;
  readonly deliver: number;
  readonly lose: number;
}
const MOODS: readonly Mood[] = [
  { join: 150, fail: 60, deliver: 60, lose: 10 },
  { join: 250, fail: 60, deliver: 40, lose: 20 },
  { join: 120, fail: 130, deliver: 30, lose: 0 },
  { join: 200, fail: 90, deliver: 20, lose: 60 },
  { join: 250, fail: 120, deliver: 80, lose: 0 },
];

/** One ring, and everything that may happen to it. A schedule is replayed from its seed. */
export class ChordChecker {
  readonly #rules: ChordRules<number>;
  #nodes: (Chord<number> | undefined)[] = [];
  #members = 0;
  /** For each place the notifications on their way to it, by sender. */
  readonly #notifications = new Uint16Array(PLACES);
  /** Of each member's list: who is in it; whom it skips. */
  readonly #listed = new Uint16Array(PLACES);
  readonly #skipped = new Uint16Array(PLACES);
  #state = 0;
  /** What happened, over all schedules so far. */
  readonly happened = { joins: 0, deaths: 0, stabilizations: 0, notifications: 0 };

  constructor(rules: ChordRules<number> = chordRules()) {
    this.#rules = rules;
  }

  /** `storm` random steps, each checked; then stabilization alone until the ring is ideal. */
  run(seed: number, storm = 24 + (seed % 41)): Verdict {
    this.#begin(seed);
    const mood = MOODS[this.#below(MOODS.length)] as Mood;
    for (let step = 1; step <= storm; step++) {
      this.#happen(mood);
      const violation = this.#violation();
      if (violation !== undefined) return { violation, steps: step, members: COUNT[this.#members] as number, rounds: 0 };
    }
    return this.#settle(storm);
  }

  #begin(seed: number): void {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995;
    this.#nodes = new Array<Chord<number> | undefined>(PLACES);
    this.#notifications.fill(0);
    this.#members = 0;
    while ((COUNT[this.#members] as number) < BASE) this.#members |= 1 << this.#below(PLACES);
    const ids = placesIn(this.#members);
    for (const [at, id] of ids.entries()) {
      const node = this.#newNode(id);
      node.found(idealLists(ids, at));
      this.#note(id, node);
    }
  }

  #newNode(id: number): Chord<number> {
    const node = new Chord<number>(id, this.#rules, (place) => (place + 1) & 15);
    this.#nodes[id] = node;
    return node;
  }

  /** Keeps the bits of a list that may have changed. */
  #note(id: number, node: Chord<number>): void {
    const [first, second, third] = (node.lists as ChordLists<number>).successors;
    this.#listed[id] = (1 << first) | (1 << second) | (1 << third);
    this.#skipped[id] = (BETWEEN[(id << 4) | first] as number) | (BETWEEN[(first << 4) | second] as number) | (BETWEEN[(second << 4) | third] as number);
  }

  #happen(mood: Mood): void {
    const id = this.#below(PLACES);
    const die = this.#below(256);
    const isMember = (this.#members & (1 << id)) !== 0;
    if (!isMember) return die < mood.join ? this.#join(id) : undefined;
    if (die < mood.fail) return this.#fail(id);
    if (die < mood.fail + mood.deliver) return this.#deliver(id);
    if (die < mood.fail + mood.deliver + mood.lose) this.#notifications[id] = 0;
    else this.#step(id);
  }

  /** Asks any member, also one that its place is not behind. */
  #join(id: number): void {
    if ((COUNT[this.#members] as number) >= MOST_MEMBERS) return;
    const hosts = placesIn(this.#members);
    const node = this.#newNode(id);
    node.join(hosts[this.#below(hosts.length)] as number);
    this.#answer(id, node);
    if (node.lists === undefined) this.#nodes[id] = undefined;
    else {
      this.#members |= 1 << id;
      this.happened.joins++;
    }
  }

  /** The operating assumption: nobody is left without a living successor, and the base stands. */
  #fail(id: number): void {
    const left = this.#members & ~(1 << id);
    for (let rest = left; rest !== 0; rest &= rest - 1) if (((this.#listed[lowest(rest)] as number) & left) === 0) return;
    const principals = this.#principals();
    if ((principals & (1 << id)) !== 0 && (COUNT[principals] as number) <= BASE) return;
    this.#members = left;
    this.happened.deaths++;
    this.#nodes[id] = undefined;
    this.#notifications[id] = 0;
  }

  /** Begins to stabilize, or goes on with whatever waits for an answer. */
  #step(id: number): void {
    const node = this.#nodes[id] as Chord<number>;
    // One time in four somebody is named to it, dead or alive, as a rumor would.
    if (node.asking === undefined) node.stabilize(this.#below(4) === 0 ? this.#below(PLACES) : undefined);
    this.happened.stabilizations++;
    this.#answer(id, node);
  }

  #answer(id: number, node: Chord<number>): void {
    const asked = node.asking;
    if (asked === undefined) return;
    const told = this.#nodes[asked]?.lists;
    const notify = told === undefined ? node.died() : node.lives(told);
    if (notify !== undefined && (this.#members & (1 << notify)) !== 0) this.#notifications[notify] = (this.#notifications[notify] as number) | (1 << id);
    if (node.lists !== undefined) this.#note(id, node);
  }

  /** One of the notifications that wait, in any order. */
  #deliver(id: number): void {
    const waiting = placesIn(this.#notifications[id] as number);
    const by = waiting[this.#below(waiting.length)];
    if (by === undefined) return;
    this.#notifications[id] = (this.#notifications[id] as number) & ~(1 << by);
    this.happened.notifications++;
    this.#nodes[id]?.notified(by);
  }

  #principals(): number {
    let skipped = 0;
    for (let rest = this.#members; rest !== 0; rest &= rest - 1) skipped |= this.#skipped[lowest(rest)] as number;
    return this.#members & ~skipped;
  }

  /** Zave's two invariants, and what she proves that they imply. */
  #violation(): Violation | undefined {
    const members = this.#members;
    for (let rest = members; rest !== 0; rest &= rest - 1) {
      if (((this.#listed[lowest(rest)] as number) & members) === 0) return "a member without a living successor";
    }
    const principals = this.#principals();
    if ((COUNT[principals] as number) < BASE) return "fewer principals than the base";
    for (let rest = members; rest !== 0; rest &= rest - 1) if (!this.#isOrdered(lowest(rest))) return "a list out of order";
    return this.#ringViolation(members, principals);
  }

  /** Clockwise, nobody twice, and not the member itself: no two stretches of the list share a place. */
  #isOrdered(id: number): boolean {
    const [first, second, third] = ((this.#nodes[id] as Chord<number>).lists as ChordLists<number>).successors;
    const width = ((first - id) & 15) + ((second - first) & 15) + ((third - second) & 15);
    return first !== id && second !== first && third !== second && width < PLACES;
  }

  #ringViolation(members: number, principals: number): Violation | undefined {
    const start = this.#afterAll(lowest(members));
    let ring = 0;
    let turns = 0;
    for (let id = start; (ring & (1 << id)) === 0; ) {
      ring |= 1 << id;
      const next = this.#best(id);
      if (next <= id) turns++;
      id = next;
    }
    if ((principals & ~ring) !== 0) return "a principal outside the ring";
    if (turns !== 1) return "a ring out of order";
    for (let rest = members & ~ring; rest !== 0; rest &= rest - 1) {
      if ((ring & (1 << this.#afterAll(lowest(rest)))) === 0) return "not one ring";
    }
    return undefined;
  }

  /** The first living one of its list. */
  #best(id: number): number {
    const [first, second, third] = ((this.#nodes[id] as Chord<number>).lists as ChordLists<number>).successors;
    if ((this.#members & (1 << first)) !== 0) return first;
    return (this.#members & (1 << second)) !== 0 ? second : third;
  }
  /** Where one is, from `id`, after as many steps as there are members: in a ring for certain. */
  #afterAll(id: number): number {
    let at = id;
    for (let count = COUNT[this.#members] as number; count > 0; count--) at = this.#best(at);
    return at;
  }

  #settle(steps: number): Verdict {
    const members = COUNT[this.#members] as number;
    const verdict = (rounds: number, violation?: Violation): Verdict => ({ violation, steps, members, rounds });
    for (let rounds = 0; ; rounds++) {
      // What was begun or on its way before may still spoil an ideal ring: after a round nothing is.
      if (this.#isIdeal() && this.#isQuiet()) {
        this.#round();
        return verdict(rounds, this.#isIdeal() ? this.#violation() : "an ideal ring that changes");
      }
      if (rounds === members) return verdict(rounds, "no ideal ring in time");
      this.#round();
      const violation = this.#violation();
      if (violation !== undefined) return verdict(rounds, violation);
    }
  }

  /** Every member, in a random order, ends what it waits for, stabilizes once, and hears who notified it. */
  #round(): void {
    const ids = placesIn(this.#members);
    for (let left = ids.length; left > 0; left--) {
      const at = this.#below(left);
      const id = ids[at] as number;
      ids[at] = ids[left - 1] as number;
      const node = this.#nodes[id] as Chord<number>;
      while (node.asking !== undefined) this.#answer(id, node);
      node.stabilize();
      while (node.asking !== undefined) this.#answer(id, node);
      for (const member of placesIn(this.#members)) this.#hearAll(member);
    }
  }
  #hearAll(id: number): void {
    const node = this.#nodes[id] as Chord<number>;
    if (this.#notifications[id] === 0) return;
    while (node.asking !== undefined) this.#answer(id, node);
    while (this.#notifications[id] !== 0) {
      this.#deliver(id);
      while (node.asking !== undefined) this.#answer(id, node);
    }
  }

  #isQuiet(): boolean {
    return placesIn(this.#members).every((id) => this.#notifications[id] === 0 && this.#nodes[id]?.asking === undefined);
  }
  #isIdeal(): boolean {
    const ids = placesIn(this.#members);
    return ids.every((id, at) => {
      const lists = this.#nodes[id]?.lists as ChordLists<number>;
      const ideal = idealLists(ids, at);
      return lists.predecessor === ideal.predecessor && lists.successors.every((successor, i) => successor === ideal.successors[i]);
    });
  }

  /** xorshift32, spread by a multiplication. */
  #below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return ((Math.imul(this.#state, 0x2c1b3c6d) >>> 8) * bound) >>> 24;
  }
}

const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);

function placesIn(bits: number): number[] {
  const places: number[] = [];
  for (let rest = bits; rest !== 0; rest &= rest - 1) places.push(lowest(rest));
  return places;
}

function idealLists(ids: readonly number[], at: number): ChordLists<number> {
  const behind = (offset: number): number => ids[(at + offset + ids.length) % ids.length] as number;
  return { successors: [behind(1), behind(2), behind(3)], predecessor: behind(-1) };
}
