import { assert } from "../../base/assert.ts";
import { DeadlineQueue } from "../../base/deadline-queue.ts";
import type { Instant, WallTime } from "../../base/time.ts";
import type { KindId, ResourceId } from "../ports.ts";
import type { Arc, RingId } from "../ring/ring.ts";
import type { Digest } from "./digest.ts";
import { type Bringer, compareEntries, type StoredEntry } from "./entry.ts";

/** Entries in all, tombstones included, and the bytes of their structures; above, nothing more is taken. */
export const MAX_ENTRIES = 1_000_000;
export const MAX_HELD_BYTES = 512 << 20;
/** So many of each may one box bring by its own Stores: with three copies of each, one box cannot fill another's room. */
export const MAX_ENTRIES_OF_ONE = MAX_ENTRIES / 4;
export const MAX_BYTES_OF_ONE = MAX_HELD_BYTES / 4;

/** Buckets of the id space: the first three hex digits. */
const BUCKETS = 4096;
const bucketOf = (id: RingId): number => Number.parseInt(id.slice(0, 3), 16);

/** Digests of some part; changed by XOR when an entry comes or goes. */
interface Tally {
  high: number;
  low: number;
  count: number;
}
interface Bucket extends Tally {
  readonly resources: Map<ResourceId, HeldResource>;
}
interface HeldResource extends Tally {
  readonly kinds: Map<KindId, HeldKind>;
}
export interface HeldKind {
  generation: number;
  readonly entries: Map<string, StoredEntry>;
}

export type MergeOutcome =
  /** The entry now stands. */
  | "stored"
  /** The very same bytes were there. */
  | "same"
  /** What is held is newer. */
  | "older"
  | "full";

/**
 * Everything this box holds, as responsible peer, as replica, or on behalf of others, in memory.
 * Digests of any arc are cheap: whole buckets are kept summed up, only those at the ends are walked.
 */
export class EntryStore {
  readonly #buckets = new Array<Bucket | undefined>(BUCKETS);
  readonly #expiry = new DeadlineQueue<StoredEntry>();
  /** Entries that are siblings. BOUNDED: by the entries. */
  readonly #siblings = new Set<StoredEntry>();
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }
  /** Of the structures that are held. */
  get bytes(): number {
    return this.#bytes;
  }
  get siblings(): Iterable<StoredEntry> {
    return this.#siblings;
  }
  nextExpiry(): Instant | undefined {
    return this.#expiry.next();
  }

  kind(resource: ResourceId, kind: KindId): HeldKind | undefined {
    return this.#buckets[bucketOf(resource)]?.resources.get(resource)?.kinds.get(kind);
  }
  kindsOf(resource: ResourceId): Iterable<[KindId, HeldKind]> {
    return this.#buckets[bucketOf(resource)]?.resources.get(resource)?.kinds ?? [];
  }
  find(resource: ResourceId, kind: KindId, key: string): StoredEntry | undefined {
    return this.kind(resource, kind)?.entries.get(key);
  }

  /**
   * Keeps the newer of the entry and what is held at its place. `expires`: when this box forgets it. `time`: of the
   * ring; counters are never below it, so that they do not fall when a box has forgotten them (see docs/profile.md).
   */
  merge(entry: StoredEntry, expires: Instant, time: WallTime): MergeOutcome {
    const held = this.find(entry.resource, entry.kind, entry.key);
    const order = held === undefined ? 1 : compareEntries(entry, held);
    if (order <= 0) return order === 0 ? "same" : "older";
    if (this.overflowing(entry, entry.broughtBy, held) !== undefined) return "full";
    if (held !== undefined) {
      this.#count(held, -1);
      this.#expiry.delete(held);
    }
    const kind = this.#kindFor(entry);
    kind.entries.set(entry.key, entry);
    kind.generation = Math.max(kind.generation + 1, Math.floor(time), entry.storedAt);
    this.#count(entry, 1);
    this.#expiry.set(entry, expires);
    return "stored";
  }

  /** What the entry would be too much for, in the place of what is held. */
  overflowing({ bytes }: StoredEntry, bringer: Bringer | undefined, held: StoredEntry | undefined): "all" | "one" | undefined {
    const more = bytes.length - (held?.bytes.length ?? 0);
    if ((held === undefined && this.#size >= MAX_ENTRIES) || (more > 0 && this.#bytes + more > MAX_HELD_BYTES)) return "all";
    if (bringer === undefined) return undefined;
    const moreOfOne = bytes.length - (held?.broughtBy === bringer ? held.bytes.length : 0);
    const isFull = (held === undefined && bringer.entries >= MAX_ENTRIES_OF_ONE) || (moreOfOne > 0 && bringer.bytes + moreOfOne > MAX_BYTES_OF_ONE);
    return isFull ? "one" : undefined;
  }

  /** A generation counter was seen that may be above ours: counters only rise. */
  raiseGeneration(resource: ResourceId, kind: KindId, generation: number): void {
    const held = this.kind(resource, kind);
    if (held !== undefined && generation > held.generation) held.generation = generation;
  }

  remove(entry: StoredEntry): boolean {
    const bucket = this.#buckets[bucketOf(entry.resource)];
    const resource = bucket?.resources.get(entry.resource);
    const kind = resource?.kinds.get(entry.kind);
    if (bucket === undefined || resource === undefined || kind?.entries.get(entry.key) !== entry) return false;
    this.#count(entry, -1);
    this.#expiry.delete(entry);
    kind.entries.delete(entry.key);
    if (kind.entries.size === 0) resource.kinds.delete(entry.kind);
    if (resource.kinds.size === 0) bucket.resources.delete(entry.resource);
    return true;
  }

  expireAt(entry: StoredEntry, expires: Instant): void {
    this.#expiry.set(entry, expires);
  }

  /** Removes and returns the next entry whose time is over. */
  takeExpired(now: Instant): StoredEntry | undefined {
    const entry = this.#expiry.takeDue(now);
    if (entry !== undefined) assert(this.remove(entry), "an expiry without its entry");
    return entry;
  }

  digest(arc: Arc): Digest {
    const sum: Tally = { high: 0, low: 0, count: 0 };
    for (const { low, high } of spans(arc)) this.#sumSpan(sum, low, high);
    return { high: sum.high >>> 0, low: sum.low >>> 0, count: sum.count };
  }

  /** Resources with entries in the arc, clockwise, those after `cursor` only; as many as wanted. */
  *resourcesIn(arc: Arc, cursor: RingId = arc.after): Generator<ResourceId, void, void> {
    for (const { low, high } of spans({ after: cursor, upTo: arc.upTo }, cursor === arc.after)) {
      for (let index = low === undefined ? 0 : bucketOf(low); index <= (high === undefined ? BUCKETS - 1 : bucketOf(high)); index++) {
        const bucket = this.#buckets[index];
        if (bucket === undefined) continue;
        for (const resource of [...bucket.resources.keys()].sort()) {
          if ((low === undefined || resource > low) && (high === undefined || resource <= high)) yield resource;
        }
      }
    }
  }

  /** All entries of a resource, deletions included. */
  *entriesOf(resource: ResourceId): Generator<StoredEntry, void, void> {
    for (const [, { entries }] of this.kindsOf(resource)) yield* entries.values();
  }
  /** Everything that is held, clockwise from the place. Who changes the store meanwhile copies first. */
  *entriesFrom(place: RingId): Generator<StoredEntry, void, void> {
    for (const resource of this.resourcesIn({ after: place, upTo: place })) yield* this.entriesOf(resource);
  }

  /** Cuts an arc where buckets begin, into at most `parts` pieces of about the same width. */
  split(arc: Arc, parts: number): readonly Arc[] {
    const first = bucketOf(arc.after);
    const width = (bucketOf(arc.upTo) - first + BUCKETS) % BUCKETS || (arc.after >= arc.upTo ? BUCKETS : 0);
    const step = Math.max(1, Math.ceil(width / parts));
    const pieces: Arc[] = [];
    let after = arc.after;
    for (let offset = step; offset < width; offset += step) {
      const upTo = `${((first + offset) % BUCKETS).toString(16).padStart(3, "0")}${"0".repeat(29)}` as ResourceId;
      if (upTo === after) continue;
      pieces.push({ after, upTo });
      after = upTo;
    }
    if (after !== arc.upTo || pieces.length === 0) pieces.push({ after, upTo: arc.upTo });
    return pieces;
  }

  #sumSpan(sum: Tally, low: RingId | undefined, high: RingId | undefined): void {
    const first = low === undefined ? 0 : bucketOf(low);
    const last = high === undefined ? BUCKETS - 1 : bucketOf(high);
    for (let index = first; index <= last; index++) {
      const bucket = this.#buckets[index];
      if (bucket === undefined || bucket.count === 0) continue;
      if ((index > first || low === undefined) && (index < last || high === undefined)) add(sum, bucket);
      else
        for (const [id, resource] of bucket.resources)
          if ((low === undefined || id > low) && (high === undefined || id <= high)) add(sum, resource);
    }
  }

  #kindFor(entry: StoredEntry): HeldKind {
    const index = bucketOf(entry.resource);
    const bucket = (this.#buckets[index] ??= { high: 0, low: 0, count: 0, resources: new Map() });
    let resource = bucket.resources.get(entry.resource);
    if (resource === undefined) bucket.resources.set(entry.resource, (resource = { high: 0, low: 0, count: 0, kinds: new Map() }));
    let kind = resource.kinds.get(entry.kind);
    if (kind === undefined) resource.kinds.set(entry.kind, (kind = { generation: 0, entries: new Map() }));
    return kind;
  }

  #count(entry: StoredEntry, sign: 1 | -1): void {
    const bucket = this.#buckets[bucketOf(entry.resource)];
    const resource = bucket?.resources.get(entry.resource);
    assert(bucket !== undefined && resource !== undefined, "an entry outside its resource");
    for (const tally of [bucket, resource]) {
      tally.high ^= entry.high;
      tally.low ^= entry.low;
      tally.count += sign;
    }
    this.#size += sign;
    this.#bytes += sign * entry.bytes.length;
    if (entry.broughtBy !== undefined) {
      entry.broughtBy.entries += sign;
      entry.broughtBy.bytes += sign * entry.bytes.length;
    }
    if (entry.sibling === undefined) return;
    if (sign > 0) this.#siblings.add(entry);
    else this.#siblings.delete(entry);
  }
}

function add(sum: Tally, part: Digest): void {
  sum.high ^= part.high;
  sum.low ^= part.low;
  sum.count += part.count;
}

interface Span {
  /** Exclusive; undefined: from the first identifier on. */
  readonly low: RingId | undefined;
  /** Inclusive; undefined: to the last identifier. */
  readonly high: RingId | undefined;
}

/** An arc as one or two stretches of rising identifiers. */
function spans({ after, upTo }: Arc, whole = true): readonly Span[] {
  if (after < upTo) return [{ low: after, high: upTo }];
  if (after === upTo && !whole) return [];
  return [
    { low: after, high: undefined },
    { low: undefined, high: upTo },
  ];
}
