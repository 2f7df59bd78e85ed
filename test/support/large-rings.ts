// Rings of up to a million boxes as nothing but sorted Node-IDs: routed by the functions that boxes route by.

import { toHex } from "../../src/base/bytes.ts";
import type { NodeId, ResourceId } from "../../src/overlay/ports.ts";
import { nextHopIn, routingTable } from "../../src/overlay/ring/fingers.ts";
import { RingView, shareOf } from "../../src/overlay/ring/ring.ts";
import { placeInGap } from "../../src/provision/placement.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** How boxes get their Node-IDs: by chance, as RFC 6940 wants, or in the largest gap, as enrollment here does it. */
export type Placing = "random" | "ours";

const RING = 1n << 128n;
const digits = (place: bigint): NodeId => place.toString(16).padStart(32, "0") as NodeId;
const randomId = (random: SeededRandom): NodeId => toHex(random.bytes(16)) as NodeId;
const noZone = (): string => "";

/** Node-IDs in ring order. */
export function placeBoxes(count: number, placing: Placing, random: SeededRandom): readonly NodeId[] {
  const ids = placing === "ours" ? splitGaps(count, random) : Array.from({ length: count }, () => randomId(random));
  return ids.sort();
}

/** What `chooseNodeId` does without zones, one newcomer after the other; the largest gap is on top of a heap. */
function splitGaps(count: number, random: SeededRandom): NodeId[] {
  const first = BigInt(`0x${randomId(random)}`);
  const ids = [digits(first)];
  const gaps = new GapHeap();
  gaps.push({ start: first, length: RING });
  while (ids.length < count) {
    const gap = gaps.takeLargest();
    const place = placeInGap(gap, random);
    const width = (place - gap.start + RING) % RING;
    ids.push(digits(place));
    gaps.push({ start: gap.start, length: width });
    gaps.push({ start: place, length: gap.length - width });
  }
  return ids;
}

interface Gap {
  readonly start: bigint;
  readonly length: bigint;
}

/** Binary heap, the largest gap on top. */
class GapHeap {
  readonly #gaps: Gap[] = [];

  push(gap: Gap): void {
    let at = this.#gaps.length;
    for (let above = (at - 1) >> 1; at > 0 && this.#at(above).length < gap.length; above = (at - 1) >> 1) {
      this.#gaps[at] = this.#at(above);
      at = above;
    }
    this.#gaps[at] = gap;
  }
  takeLargest(): Gap {
    const largest = this.#at(0);
    const last = this.#gaps.pop() as Gap;
    if (this.#gaps.length > 0) this.#sink(last);
    return largest;
  }
  #sink(gap: Gap): void {
    let at = 0;
    for (let below = 1; below < this.#gaps.length; below = 2 * at + 1) {
      const larger = below + 1 < this.#gaps.length && this.#at(below + 1).length > this.#at(below).length ? below + 1 : below;
      if (this.#at(larger).length <= gap.length) break;
      this.#gaps[at] = this.#at(larger);
      at = larger;
    }
    this.#gaps[at] = gap;
  }
  #at(index: number): Gap {
    return this.#gaps[index] as Gap;
  }
}

export const viewOf = (sorted: readonly NodeId[]): RingView => new RingView(sorted, noZone, true);

/** The largest share of the ring that a box has, as a multiple of the mean. */
export function largestShare(sorted: readonly NodeId[]): number {
  let largest = 0;
  let after = sorted.at(-1) as NodeId;
  for (const upTo of sorted) {
    const share = shareOf({ after, upTo });
    if (share > largest) largest = share;
    after = upTo;
  }
  return largest * sorted.length;
}

export interface Routes {
  readonly mean: number;
  readonly largest: number;
  /** Links that a box wants itself, in the mean of those that were passed. */
  readonly links: number;
}

/**
 * Look-ups from random boxes of random resources, each box passed knowing its neighbors and fingers and nobody
 * else; real boxes also use the links of those that chose them. A ring that does not lead there is a fault.
 */
export function routes(view: RingView, lookups: number, random: SeededRandom): Routes {
  const tables = new Map<NodeId, RingView>();
  let hops = 0;
  let largest = 0;
  let links = 0;
  for (let i = 0; i < lookups; i++) {
    const start = view.ids[random.below(view.size)] as NodeId;
    const path = route(view, tables, start, randomId(random) as string as ResourceId);
    hops += path;
    largest = Math.max(largest, path);
  }
  for (const table of tables.values()) links += table.size - 1;
  return { mean: hops / lookups, largest, links: tables.size === 0 ? 0 : links / tables.size };
}

const MOST_TABLES = 200_000;

function route(view: RingView, tables: Map<NodeId, RingView>, start: NodeId, resource: ResourceId): number {
  const owner = view.owner(resource);
  let at = start;
  for (let hops = 0; hops <= view.size; hops++) {
    if (at === owner) return hops;
    const known = tables.get(at) ?? new RingView([at, ...routingTable(view, at)], noZone);
    if (tables.size < MOST_TABLES) tables.set(at, known);
    const next = nextHopIn(known, at, resource);
    if (next === undefined) throw new Error(`${at} takes itself to be responsible for ${resource}, which is ${owner}`);
    at = next;
  }
  throw new Error(`a look-up of ${resource} from ${start} goes round for ever`);
}
