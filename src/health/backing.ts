// Who keeps copies of whose share, as every box works it out for itself: the next two on the ring, but never all in
// one zone (rack, site) when there is another (docs/profile.md).

export interface Placed {
  /** 32 hex digits: its place on the ring. */
  readonly nodeId: string;
  readonly zone: string;
}

/** The two that keep copies beside the box itself. */
const OTHERS = 2;

/** By Node-ID, of boxes that serve. */
export function backing(serving: readonly Placed[]): ReadonlyMap<string, readonly string[]> {
  const ring = [...serving].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  return new Map(ring.map((box, index) => [box.nodeId, holders(box, [...ring.slice(index + 1), ...ring.slice(0, index)])]));
}

/** `behind`: all others, in ring order from the box on. */
function holders({ zone }: Placed, behind: readonly Placed[]): readonly string[] {
  const next = behind.slice(0, OTHERS);
  if (next.length === OTHERS && next.every((box) => box.zone === zone)) {
    const elsewhere = behind.find((box) => box.zone !== zone);
    if (elsewhere !== undefined) next.splice(OTHERS - 1, 1, elsewhere);
  }
  return next.map(({ nodeId }) => nodeId);
}

/** Where on the ring, 0 to 1. */
export const placeOf = (nodeId: string): number => Number.parseInt(nodeId.slice(0, 12), 16) / 2 ** 48;
