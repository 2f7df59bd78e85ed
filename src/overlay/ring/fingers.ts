// Which far boxes to know, and whom to send through when not all are known (RFC 6940 sections 10.2, 10.3).

import type { NodeId, ResourceId } from "../ports.ts";
import { SUCCESSORS } from "./chord-rules.ts";
import { inArc, type RingId, type RingView } from "./ring.ts";

/** Places looked at, each half as far as the one before; those within reach of the neighbors cost nothing. */
const FINGERS = 32;

const BITS = 128n;
const RING = 1n << BITS;

/** Where the fingers of a box begin: half way round first (RFC 6940 section 10.2). */
export function fingerStarts(self: NodeId): readonly ResourceId[] {
  const at = BigInt(`0x${self}`);
  return Array.from({ length: FINGERS }, (_, i) => {
    const start = (at + (1n << (BITS - 1n - BigInt(i)))) % RING;
    return start.toString(16).padStart(32, "0") as ResourceId;
  });
}

/** The places of `starts` beyond the neighbors of `self`: where a finger helps. */
export function usefulStarts(view: RingView, self: NodeId, starts: readonly ResourceId[]): readonly ResourceId[] {
  const farthest = view.successors(self, SUCCESSORS).at(-1);
  return farthest === undefined ? [] : starts.filter((start) => !inArc({ after: self, upTo: farthest }, start));
}

/** Whom a box wants links to: its neighbors on either side, and the first box at or behind each finger's place. */
export function routingTable(view: RingView, self: NodeId, starts = fingerStarts(self)): ReadonlySet<NodeId> {
  const table = new Set([...view.successors(self, SUCCESSORS), ...view.predecessors(self, SUCCESSORS)]);
  for (const start of usefulStarts(view, self, starts)) {
    const finger = view.owner(start);
    if (finger !== undefined && finger !== self) table.add(finger);
  }
  return table;
}

/**
 * Whether a view that is whole only around `self` names the responsible peer of a place for certain: the
 * place lies no farther than the neighbors on either side.
 */
export function isNearby(view: RingView, self: NodeId, place: RingId): boolean {
  const after = view.predecessors(self, SUCCESSORS).at(-1);
  const upTo = view.successors(self, SUCCESSORS).at(-1);
  return after === undefined || upTo === undefined || view.size <= 2 * SUCCESSORS + 1 || inArc({ after, upTo }, place);
}

/**
 * The next hop towards a place, by a view that is whole only around `self`: the responsible peer if it is
 * near, else the closest box before the place. So each hop leaves less of the way, and the last one but
 * one knows the responsible peer as its successor. `undefined`: that is `self`.
 */
export function nextHopIn(view: RingView, self: NodeId, place: RingId): NodeId | undefined {
  const owner = view.owner(place);
  const next = owner === place || isNearby(view, self, place) ? owner : view.before(place);
  return next === self ? undefined : next;
}
