// The rules of Chord as Pamela Zave corrected and proved them ("Reasoning about identifier spaces:
// how to make Chord correct", 2017). A list changes by one of these and by nothing else.

/** A place on a ring: what is compared with `<`. Node-IDs in a box, small numbers where all rings are tried. */
export type Place = string | number;

/** What a member knows of the ring. */
export interface ChordLists<Id extends Place> {
  /** Always `SUCCESSORS` of them, nearest first; the last may be nobody (see `shifted`). */
  readonly successors: readonly [Id, Id, Id];
  readonly predecessor: Id;
}

/** Length of a successor list (RFC 6940 section 10.2: at least 3). The rules hold from one member more on. */
export const SUCCESSORS = 3;

/** Whether `id` lies strictly between, clockwise. From one place round to itself is everywhere else. */
export function isBetween<Id extends Place>(after: Id, id: Id, before: Id): boolean {
  return after < before ? after < id && id < before : after < id || id < before;
}

/** The rules of `Chord`: each looks at one live member, or at the death of one, and yields the whole new lists. */
export interface ChordRules<Id extends Place> {
  /** Join: the lists of a newcomer just behind `host`; `undefined` if its place is not there. */
  joined(self: Id, host: Id, lists: ChordLists<Id>): ChordLists<Id> | undefined;
  /** Stabilize: `source`, our first successor from now on, is alive and told its lists. */
  adopted(lists: ChordLists<Id>, source: Id, told: ChordLists<Id>): ChordLists<Id>;
  /** Stabilize: the first successor is dead. */
  shifted(lists: ChordLists<Id>, next: (id: Id) => Id): ChordLists<Id>;
  /** Stabilize: somebody who may be a nearer successor than the one that told its lists. */
  nearer(self: Id, successor: Id, told: ChordLists<Id>): Id | undefined;
  /** Rectify: whether `by` is a nearer predecessor, to be taken without asking whether the old one lives. */
  precedes(self: Id, predecessor: Id, by: Id): boolean;
}

export const chordRules = <Id extends Place>(): ChordRules<Id> => ({
  joined: (self, host, { successors }) =>
    isBetween(host, self, successors[0]) ? { successors, predecessor: host } : undefined,
  adopted: ({ predecessor }, source, { successors }) => ({ successors: [source, successors[0], successors[1]], predecessor }),
  // The list keeps its length: its new end is the next place behind the old one, and most likely nobody.
  shifted: ({ successors, predecessor }, next) => ({ successors: [successors[1], successors[2], next(successors[2])], predecessor }),
  nearer: (self, successor, { predecessor }) => (isBetween(self, predecessor, successor) ? predecessor : undefined),
  precedes: (self, predecessor, by) => isBetween(predecessor, by, self),
});
