// Places on the ring: identifiers are 32 hex digits, so that string order is ring order.

import type { NodeId, ResourceId } from "../ports.ts";

/** A Node-ID or a Resource-ID: both are places on one ring. */
export type RingId = NodeId | ResourceId;

/** The half-open arc (after, upTo], clockwise. The whole ring if both ends are one. */
export interface Arc {
  readonly after: RingId;
  readonly upTo: RingId;
}

/** How many boxes hold each entry: the responsible peer and its next two (RFC 6940 section 10.4). */
export const COPIES = 3;

export function inArc({ after, upTo }: Arc, id: RingId): boolean {
  if (after === upTo) return true;
  if (after < upTo) return after < id && id <= upTo;
  return after < id || id <= upTo;
}

/** The identifier just after `id`: where a joining peer's future successor answers (RFC 6940 section 10.5). */
export function nextId(id: RingId): ResourceId {
  const digits = (BigInt(`0x${id}`) + 1n).toString(16).padStart(32, "0");
  return digits.slice(-32) as ResourceId;
}
/** The identifier just before `id`: where an arc begins that has `id` as its first place. */
export const previousId = (id: RingId): ResourceId => ((BigInt(`0x${id}`) + (1n << 128n) - 1n) % (1n << 128n)).toString(16).padStart(32, "0") as ResourceId;

/** The part of the ring that an arc covers, above 0 to 1. */
export function shareOf({ after, upTo }: Arc): number {
  const whole = 2 ** 48;
  const width = Number.parseInt(upTo.slice(0, 12), 16) - Number.parseInt(after.slice(0, 12), 16);
  return width <= 0 ? (width + whole) / whole : width / whole;
}

/** The part of `inner` that lies in `outer`: none, one or two arcs, clockwise from the start of `inner`. */
export function intersect(inner: Arc, outer: Arc): readonly Arc[] {
  if (outer.after === outer.upTo) return [inner];
  if (inner.after === inner.upTo) return [outer];
  const ends = [inner.after, inner.upTo, outer.after, outer.upTo];
  const cuts = [...new Set(ends)].sort(clockwiseFrom(inner.after));
  const pieces: Arc[] = [];
  for (let i = 0; i < cuts.length; i++) {
    const piece = { after: cuts[i] as RingId, upTo: cuts[(i + 1) % cuts.length] as RingId };
    if (inArc(inner, piece.upTo) && inArc(outer, piece.upTo)) pieces.push(piece);
  }
  return pieces;
}

const clockwiseFrom = (origin: RingId) => (a: RingId, b: RingId): number => {
  const aWraps = a < origin;
  const bWraps = b < origin;
  if (aWraps !== bWraps) return aWraps ? 1 : -1;
  return a < b ? -1 : a > b ? 1 : 0;
};

/** A piece of the ring and who should hold it, the responsible peer first. */
export interface Placement {
  readonly arc: Arc;
  readonly holders: readonly NodeId[];
}

function tagOf(ids: readonly NodeId[]): number {
  let hash = 0x811c9dc5;
  for (const id of ids) for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The serving peers in ring order, as one box sees them at one moment. Never changes. */
export class RingView {
  readonly ids: readonly NodeId[];
  readonly #zoneOf: (id: NodeId) => string;
  readonly #holders: (readonly NodeId[] | undefined)[];
  #hasZones: boolean | undefined;
  #placements: readonly Placement[] | undefined;
  #tag: number | undefined;
  #others: { readonly id: NodeId; readonly ids: readonly NodeId[] } | undefined;

  /** `sorted`: the ids are in ring order already, each once. */
  constructor(ids: Iterable<NodeId>, zoneOf: (id: NodeId) => string, sorted = false) {
    this.ids = sorted && Array.isArray(ids) ? ids : [...new Set(ids)].sort();
    this.#zoneOf = zoneOf;
    this.#holders = new Array<readonly NodeId[] | undefined>(this.ids.length);
  }

  get size(): number {
    return this.ids.length;
  }
  /** u32 over all ids (FNV-1a): two boxes with the same tag see the same ring. */
  get tag(): number {
    return (this.#tag ??= tagOf(this.ids));
  }
  has(id: NodeId): boolean {
    return this.ids[this.#indexAt(id)] === id;
  }
  with(id: NodeId): RingView {
    if (this.has(id)) return this;
    const at = this.#indexAt(id);
    const isLast = at === 0 && this.ids.length > 0 && this.#at(0) < id;
    const view = new RingView(this.ids.toSpliced(isLast ? this.ids.length : at, 0, id), this.#zoneOf, true);
    if (this.ids.length > 0 && this.#hasZones !== undefined) view.#hasZones = this.#hasZones || this.#zoneOf(id) !== this.#zoneOf(this.#at(0));
    return view;
  }
  without(id: NodeId): RingView {
    const at = this.#indexAt(id);
    if (this.ids[at] !== id) return this;
    const view = new RingView(this.ids.toSpliced(at, 1), this.#zoneOf, true);
    if (this.#hasZones === false) view.#hasZones = false;
    return view;
  }
  /** All of it but `id`, in ring order. */
  others(id: NodeId): readonly NodeId[] {
    if (this.#others?.id !== id) this.#others = { id, ids: this.ids.filter((other) => other !== id) };
    return this.#others.ids;
  }

  /** The responsible peer: the first at or after the place. */
  owner(place: RingId): NodeId | undefined {
    return this.ids[this.#indexAt(place)];
  }
  /** The last one before the place, which may be the place of another. */
  before(place: RingId): NodeId | undefined {
    return this.ids.length === 0 ? undefined : this.#at(this.#indexAt(place) - 1);
  }
  /** Responsible peer first, then those that hold the copies. Empty in an empty ring. */
  holders(place: RingId): readonly NodeId[] {
    return this.ids.length === 0 ? [] : this.#holdersAt(this.#indexAt(place));
  }
  isHolder(id: NodeId, place: RingId): boolean {
    return this.holders(place).includes(id);
  }
  /** What `id`, a member of this view, is responsible for. */
  arcOf(id: NodeId): Arc {
    return { after: this.#at(this.#indexAt(id) - 1), upTo: id };
  }
  /** Nearest first, never `id` itself. */
  successors(id: NodeId, count: number): readonly NodeId[] {
    return this.#walk(id, count, 1);
  }
  predecessors(id: NodeId, count: number): readonly NodeId[] {
    return this.#walk(id, count, -1);
  }

  /** Every responsible peer's arc with its holders, in ring order. */
  placements(): readonly Placement[] {
    return (this.#placements ??= this.ids.map((id, index) => ({ arc: this.arcOf(id), holders: this.#holdersAt(index) })));
  }
  /** The pieces of which `id`, a member of this view, holds a copy. */
  heldBy(id: NodeId): readonly Placement[] {
    if (this.#spansZones()) return this.placements().filter(({ holders }) => holders.includes(id));
    const own = this.#indexAt(id);
    return Array.from({ length: Math.min(COPIES, this.ids.length) }, (_, back) => {
      const owner = this.#at(own - back);
      return { arc: this.arcOf(owner), holders: this.holders(owner) };
    });
  }
  /** How the pieces of an arc are placed in this view, clockwise from its start. */
  placementsIn(arc: Arc): readonly Placement[] {
    const count = this.ids.length;
    if (count === 0) return [];
    if (count === 1) return [{ arc, holders: this.#holdersAt(0) }];
    if (arc.after === arc.upTo) return this.placements();
    const pieces: Placement[] = [];
    let { after } = arc;
    for (let index = this.#indexBeyond(after); ; index = (index + 1) % count) {
      const id = this.#at(index);
      const isLast = id === arc.upTo || !inArc({ after, upTo: arc.upTo }, id);
      pieces.push({ arc: { after, upTo: isLast ? arc.upTo : id }, holders: this.#holdersAt(index) });
      if (isLast) return pieces;
      after = id;
    }
  }

  /** Index of the first id after the place. */
  #indexBeyond(place: RingId): number {
    const index = this.#indexAt(place);
    return this.ids[index] === place ? (index + 1) % this.ids.length : index;
  }

  #walk(id: NodeId, count: number, direction: 1 | -1): readonly NodeId[] {
    const found: NodeId[] = [];
    const start = this.#indexAt(id);
    const skip = direction === 1 && this.ids[start] !== id ? 0 : 1;
    for (let i = skip; found.length < count && i - skip < this.ids.length; i++) {
      const other = this.#at(start + direction * i);
      if (other === id) break;
      found.push(other);
    }
    return found;
  }

  #at(index: number): NodeId {
    const length = this.ids.length;
    return this.ids[((index % length) + length) % length] as NodeId;
  }

  /** Index of the first id at or after the place; 0 past the last. */
  #indexAt(place: RingId): number {
    let low = 0;
    let high = this.ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ids[middle] as NodeId) < place) low = middle + 1;
      else high = middle;
    }
    return low === this.ids.length ? 0 : low;
  }

  #holdersAt(index: number): readonly NodeId[] {
    return (this.#holders[index] ??= this.#chooseHolders(index));
  }

  /** Whether what `id` is responsible for, what it holds and where its copies are is the same in another view. */
  isSameAround(id: NodeId, other: RingView): boolean {
    if (this.#spansZones() || other.#spansZones()) return false;
    if (!this.has(id) || !other.has(id)) return false;
    const around = (view: RingView): string => [...view.predecessors(id, COPIES), ...view.successors(id, COPIES)].join();
    return around(this) === around(other);
  }

  #spansZones(): boolean {
    if (this.#hasZones !== undefined) return this.#hasZones;
    const zone = this.#zoneOf(this.#at(0));
    this.#hasZones = this.ids.some((id) => this.#zoneOf(id) !== zone);
    return this.#hasZones;
  }

  /** The next two; but never all in one zone (rack, site) when there is another. */
  #chooseHolders(index: number): readonly NodeId[] {
    const count = Math.min(COPIES, this.ids.length);
    const holders = Array.from({ length: count }, (_, offset) => this.#at(index + offset));
    if (count < COPIES || !this.#spansZones()) return holders;
    const zone = this.#zoneOf(holders[0] as NodeId);
    if (holders.some((id) => this.#zoneOf(id) !== zone)) return holders;
    for (let offset = count; offset < this.ids.length; offset++) {
      const candidate = this.#at(index + offset);
      if (this.#zoneOf(candidate) !== zone) return [...holders.slice(0, count - 1), candidate];
    }
    return holders;
  }
}
