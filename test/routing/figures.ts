// The rows of docs/routing.md: the same seed, the same rows, on every machine.

import { largestShare, placeBoxes, type Placing, type Routes, routes, viewOf } from "../support/large-rings.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { NodeId } from "../../src/overlay/ports.ts";

export const SIZES: readonly number[] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const LOOKUPS = 10_000;
const SEED = 1;
/** Rings of one size that shares are taken of, so that one lucky ring does not decide. */
const RINGS: Readonly<Record<number, number>> = { 10: 200, 100: 100, 1_000: 30, 10_000: 10, 100_000: 3, 1_000_000: 1 };

export interface RouteRow {
  readonly size: number;
  readonly random: Routes;
  readonly ours: Routes;
  /** Where every box knows every box: no hop to what is one's own, one to all else. */
  readonly meshMean: number;
}

function routesOf(size: number, placing: Placing): Routes {
  const view = viewOf(placeBoxes(size, placing, new SeededRandom(SEED, `places ${placing}`)));
  return routes(view, LOOKUPS, new SeededRandom(SEED, `look-ups ${placing}`));
}

export const routeRow = (size: number): RouteRow => ({
  size,
  random: routesOf(size, "random"),
  ours: routesOf(size, "ours"),
  meshMean: 1 - 1 / size,
});

interface Shares {
  readonly mean: number;
  readonly worst: number;
}
export interface ShareRow {
  readonly size: number;
  readonly rings: number;
  readonly random: Shares;
  readonly ours: Shares;
  readonly randomAfterDeaths: Shares;
  readonly oursAfterDeaths: Shares;
}

export function shareRow(size: number): ShareRow {
  const rings = RINGS[size] ?? 1;
  const of = (placing: Placing): { readonly before: Shares; readonly after: Shares } => {
    const before: number[] = [];
    const after: number[] = [];
    for (let ring = 1; ring <= rings; ring++) {
      const random = new SeededRandom(ring, `shares ${placing}`);
      const ids = placeBoxes(size, placing, random);
      before.push(largestShare(ids));
      after.push(largestShare(withoutFifth(ids, random)));
    }
    return { before: shares(before), after: shares(after) };
  };
  const random = of("random");
  const ours = of("ours");
  return { size, rings, random: random.before, ours: ours.before, randomAfterDeaths: random.after, oursAfterDeaths: ours.after };
}

const shares = (found: readonly number[]): Shares => ({
  mean: found.reduce((sum, share) => sum + share, 0) / found.length,
  worst: Math.max(...found),
});

/** Exactly one in five dies, whichever. */
function withoutFifth(sorted: readonly NodeId[], random: SeededRandom): readonly NodeId[] {
  const left = [...sorted];
  const survivors = sorted.length - Math.floor(sorted.length / 5);
  for (let i = 0; i < survivors; i++) {
    const j = i + random.below(left.length - i);
    const chosen = left[j] as NodeId;
    left[j] = left[i] as NodeId;
    left[i] = chosen;
  }
  return left.slice(0, survivors).sort();
}

const number = (value: number): string => value.toLocaleString("en-US");

export const routeLine = ({ size, random, ours, meshMean }: RouteRow): string =>
  `| ${number(size)} | ${Math.log2(size).toFixed(1)} | ${random.mean.toFixed(2)} | ${random.largest} | ${ours.mean.toFixed(2)} | ${ours.largest} | ${ours.links.toFixed(1)} | ${meshMean.toFixed(2)} | 1 |`;

const pair = ({ mean, worst }: Shares): string => `${mean.toFixed(2)} | ${worst.toFixed(2)}`;
export const shareLine = ({ size, rings, random, ours, randomAfterDeaths, oursAfterDeaths }: ShareRow): string =>
  `| ${number(size)} | ${rings} | ${pair(random)} | ${pair(ours)} | ${pair(randomAfterDeaths)} | ${pair(oursAfterDeaths)} |`;
