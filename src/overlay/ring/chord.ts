import { assert } from "../../base/assert.ts";
import { type ChordLists, type ChordRules, isBetween, type Place } from "./chord-rules.ts";

/** What a member waits for: one answer at a time, and its lists stand still meanwhile. */
export type ChordState =
  /** Not in a ring. */
  | "outside"
  /** Its place was asked for: is it just behind this member? */
  | "joining"
  /** Waits for nothing. */
  | "resting"
  /** Stabilizing, first step: the first successor was asked. */
  | "asking successor"
  /** Stabilizing, second step: the successor named one that is nearer. */
  | "asking nearer"
  /** Rectifying: does the old predecessor live? */
  | "asking predecessor";

export type ChordTrigger =
  | "join"
  | "stabilize"
  /** The second step at once: somebody between us and our first successor is known. */
  | "stabilize, nearer known"
  /** A notification from one that is nearer than our predecessor; or from another. */
  | "notified, nearer"
  | "notified"
  /** The asked one lives. When joining: and our place is behind it. */
  | "lives"
  /** The asked one is our successor and knows one that lies between. When joining: our place is not behind it. */
  | "lives, another lies between"
  | "dead";

export type ChordAction = "ask" | "take its list" | "adopt its list" | "shift the list" | "take the notifier" | "notify";

export type ChordCell = "ignore" | { readonly next: ChordState; readonly actions: readonly ChordAction[] };

const go = <State extends ChordState>(next: State, ...actions: ChordAction[]): { readonly next: State; readonly actions: readonly ChordAction[] } => ({ next, actions });

const BUSY = { join: "ignore", stabilize: "ignore", "stabilize, nearer known": "ignore", "notified, nearer": "ignore", notified: "ignore" } as const;

/** A notification that meets a member that waits is lost: whoever sent it will stabilize again. */
export const CHORD_TRANSITIONS = {
  outside: { ...BUSY, join: go("joining", "ask"), lives: "ignore", "lives, another lies between": "ignore", dead: "ignore" },
  joining: {
    ...BUSY,
    lives: go("resting", "take its list"),
    "lives, another lies between": go("outside"),
    dead: go("outside"),
  },
  resting: {
    join: "ignore",
    stabilize: go("asking successor", "ask"),
    "stabilize, nearer known": go("asking nearer", "ask"),
    "notified, nearer": go("resting", "take the notifier"),
    notified: go("asking predecessor", "ask"),
    lives: "ignore",
    "lives, another lies between": "ignore",
    dead: "ignore",
  },
  "asking successor": {
    ...BUSY,
    lives: go("resting", "adopt its list", "notify"),
    "lives, another lies between": go("asking nearer", "adopt its list", "ask"),
    dead: go("resting", "shift the list", "notify"),
  },
  "asking nearer": {
    ...BUSY,
    lives: go("resting", "adopt its list", "notify"),
    "lives, another lies between": go("resting", "adopt its list", "notify"),
    dead: go("resting", "notify"),
  },
  "asking predecessor": {
    ...BUSY,
    lives: go("resting"),
    "lives, another lies between": go("resting"),
    dead: go("resting", "take the notifier"),
  },
} as const satisfies Record<ChordState, Record<ChordTrigger, ChordCell>>;

/**
 * One member's successor list and predecessor. Whoever drives it asks the member `asking` for its lists,
 * and says what came of it: `lives` with lists as they were at one moment, or `died`. One question at a
 * time, then one change of everything at once: so each step is the same as if it had been made in that
 * very moment.
 */
export class Chord<Id extends Place> {
  readonly #self: Id;
  readonly #next: (id: Id) => Id;
  readonly #rules: ChordRules<Id>;
  #state: ChordState = "outside";
  #lists: ChordLists<Id> | undefined;
  /** Who is asked, now or last. */
  #asked: Id;
  /** Who notified us, while its predecessor is asked. */
  #notifier: Id;

  constructor(self: Id, rules: ChordRules<Id>, next: (id: Id) => Id) {
    this.#self = self;
    this.#rules = rules;
    this.#next = next;
    this.#asked = self;
    this.#notifier = self;
  }

  get lists(): ChordLists<Id> | undefined {
    return this.#lists;
  }
  get state(): ChordState {
    return this.#state;
  }
  /** Whose lists are wanted; `undefined`: nobody's. */
  get asking(): Id | undefined {
    return this.#state === "resting" || this.#state === "outside" ? undefined : this.#asked;
  }

  /** One of the first members, whose ring is as it should be. */
  found(lists: ChordLists<Id>): void {
    this.#lists = lists;
    this.#state = "resting";
  }
  /** Whatever is waited for, it does not matter any more. */
  leave(): void {
    this.#lists = undefined;
    this.#state = "outside";
  }

  join(host: Id): undefined {
    this.#apply("join", host);
  }
  /**
   * `known`: somebody who may be in the ring. If it lies before our first successor it is asked instead:
   * for whose lists are in order it is all one how the second step came to know whom it asks.
   */
  stabilize(known?: Id): undefined {
    if (this.#lists === undefined) return;
    const successor = this.#lists.successors[0];
    if (known !== undefined && isBetween(this.#self, known, successor)) this.#apply("stabilize, nearer known", known);
    else this.#apply("stabilize", successor);
  }
  /** `by` takes us to be its first successor. */
  notified(by: Id): undefined {
    if (this.#state !== "resting" || this.#lists === undefined) return;
    const { predecessor } = this.#lists;
    if (by === predecessor || by === this.#self) return;
    this.#notifier = by;
    this.#apply(this.#rules.precedes(this.#self, predecessor, by) ? "notified, nearer" : "notified", predecessor);
  }
  /** The asked one told its lists. Returns whom to notify. */
  lives(told: ChordLists<Id>): Id | undefined {
    if (this.#state === "joining") {
      const joined = this.#rules.joined(this.#self, this.#asked, told);
      return this.#apply(joined === undefined ? "lives, another lies between" : "lives", this.#asked, joined);
    }
    const nearer = this.#state === "asking successor" ? this.#rules.nearer(this.#self, this.#asked, told) : undefined;
    return this.#apply(nearer === undefined ? "lives" : "lives, another lies between", nearer ?? this.#asked, told);
  }
  /** The asked one is dead. Returns whom to notify. */
  died(): Id | undefined {
    return this.#apply("dead", this.#asked);
  }

  #apply(trigger: ChordTrigger, then: Id, told?: ChordLists<Id>): Id | undefined {
    const cell: ChordCell = CHORD_TRANSITIONS[this.#state][trigger];
    if (cell === "ignore") return undefined;
    let notify: Id | undefined;
    for (const action of cell.actions) {
      if (action === "ask") this.#asked = then;
      else if (action === "notify") notify = this.#listsInRing().successors[0];
      else this.#lists = this.#changed(action, told);
    }
    this.#state = cell.next;
    return notify;
  }

  #changed(action: Exclude<ChordAction, "ask" | "notify">, told: ChordLists<Id> | undefined): ChordLists<Id> {
    if (action === "take its list") return given(told);
    const lists = this.#listsInRing();
    switch (action) {
      case "adopt its list":
        return this.#rules.adopted(lists, this.#asked, given(told));
      case "shift the list":
        return this.#rules.shifted(lists, this.#next);
      case "take the notifier":
        return { ...lists, predecessor: this.#notifier };
    }
  }

  #listsInRing(): ChordLists<Id> {
    return given(this.#lists);
  }
}

function given<T>(value: T | undefined): T {
  assert(value !== undefined, "a member of a ring has lists");
  return value;
}
