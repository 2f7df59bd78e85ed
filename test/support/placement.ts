import type { NodeId } from "../../src/overlay/ports.ts";
import type { SeededRandom } from "./seeded-random.ts";

const RING = 1n << 128n;

/** A Node-ID in the middle half of the largest gap between those taken. */
export function splitLargestGap(taken: readonly NodeId[], random: SeededRandom): NodeId {
  const ids = taken.map((nodeId) => BigInt(`0x${nodeId}`)).sort((a, b) => (a < b ? -1 : 1));
  let start = ids.at(-1) ?? 0n;
  let widest = RING;
  for (const [i, id] of ids.entries()) {
    const before = i === 0 ? (ids.at(-1) ?? id) - RING : (ids[i - 1] ?? id);
    if (i === 0 || id - before > widest) {
      widest = id - before;
      start = before;
    }
  }
  const offset = (widest * BigInt(1_000_000 + random.below(2_000_000))) / 4_000_000n;
  return ((start + offset + RING) % RING).toString(16).padStart(32, "0") as NodeId;
}
