import type { Instant } from "../base/time.ts";
import type { Random } from "../base/random.ts";

export interface Placed {
  /** 32 lower-case hex digits. */
  readonly nodeId: string;
  readonly zone: string;
}
/** A Node-ID in the middle tenth of a large gap of the ring. */
export declare function chooseNodeId(taken: readonly Placed[], zone: string, random: Random): string;
/** Chooses Node-IDs and remembers those handed out in the last minute, whose boxes are not members yet. */
export declare class Placement {
  constructor(random: Random);
  choose(now: Instant, members: readonly Placed[], zone: string): string;
}
