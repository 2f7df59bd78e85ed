// Where on the ring a new box goes. Random places give the unluckiest box three to five times the mean
// share; a place in a large gap keeps everybody near the mean and is still not the newcomer's choice.

import { parseHex, toHex } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import { after, type Instant, seconds } from "../base/time.ts";

export interface Placed {
  /** 32 lower-case hex digits. */
  readonly nodeId: string;
  /** Empty if none. */
  readonly zone: string;
}

interface Gap {
  readonly start: bigint;
  readonly length: bigint;
  /** How many of the boxes around the gap are in the newcomer's zone. */
  readonly sameZone: number;
}

const RING = 1n << 128n;
/** A copy lies on the responsible peer and the next two: two boxes on either side matter. */
const NEIGHBORS_EACH_SIDE = 2;

/** A Node-ID in the middle tenth of a large gap of the ring; among large ones, where the zone is rare. */
export function chooseNodeId(taken: readonly Placed[], zone: string, random: Random): string {
  const gap = bestGap(gapsOf(taken, zone));
  if (gap === undefined) return toHex(random.bytes(16));
  return toNodeId(placeInGap(gap, random));
}

/** A random place in the middle tenth of a gap. */
export function placeInGap({ start, length }: { readonly start: bigint; readonly length: bigint }, random: Random): bigint {
  const offset = (length * 45n) / 100n + ((length / 10n) * randomBelowRing(random)) / RING;
  return (start + offset) % RING;
}

function gapsOf(taken: readonly Placed[], zone: string): readonly Gap[] {
  const boxes = taken
    .filter(({ nodeId }) => nodeId.length === 32 && parseHex(nodeId) !== undefined)
    .map((box) => ({ at: BigInt(`0x${box.nodeId}`), zone: box.zone }))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return boxes.map(({ at }, i) => {
    const next = boxes[(i + 1) % boxes.length]?.at ?? at;
    return { start: at, length: next > at ? next - at : next - at + RING, sameZone: countAround(boxes, i, zone) };
  });
}

function countAround(boxes: readonly { readonly zone: string }[], before: number, zone: string): number {
  if (zone === "") return 0;
  const around = new Set<number>();
  for (let i = 1 - NEIGHBORS_EACH_SIDE; i <= NEIGHBORS_EACH_SIDE; i++) around.add((before + i + boxes.length) % boxes.length);
  let count = 0;
  for (const i of around) if (boxes[i]?.zone === zone) count++;
  return count;
}

/** The largest gap, or one not a quarter smaller with fewer neighbors of the same zone. */
function bestGap(gaps: readonly Gap[]): Gap | undefined {
  let largest = 0n;
  for (const { length } of gaps) if (length > largest) largest = length;
  let best: Gap | undefined;
  for (const gap of gaps) {
    if (gap.length * 4n < largest * 3n) continue;
    if (best === undefined || gap.sameZone < best.sameZone || (gap.sameZone === best.sameZone && gap.length > best.length)) best = gap;
  }
  return best;
}

const randomBelowRing = (random: Random): bigint => BigInt(`0x${toHex(random.bytes(16))}`);
const toNodeId = (at: bigint): string => at.toString(16).padStart(32, "0");

/** Chooses Node-IDs and remembers those handed out in the last minute, whose boxes are not members yet. */
export class Placement {
  readonly #random: Random;
  /** BOUNDED: the oldest goes; then two newcomers may land in one gap, which costs balance only. */
  readonly #recent = new BoundedMap<string, { readonly zone: string; readonly until: Instant }>(64, "evict");

  constructor(random: Random) {
    this.#random = random;
  }

  choose(now: Instant, members: readonly Placed[], zone: string): string {
    for (const [nodeId, { until }] of this.#recent) if (until <= now) this.#recent.delete(nodeId);
    const taken = [...members];
    for (const [nodeId, { zone: itsZone }] of this.#recent) {
      if (!members.some((member) => member.nodeId === nodeId)) taken.push({ nodeId, zone: itsZone });
    }
    const nodeId = chooseNodeId(taken, zone, this.#random);
    this.#recent.set(nodeId, { zone, until: after(now, seconds(60)) });
    return nodeId;
  }
}
