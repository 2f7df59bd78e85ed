// What the agent may do about a condition by itself: planned as data here, carried out by whoever owns the processes.
// Each remedy is limited in rate, and what takes a working box out of service needs the leave of its neighbors.

import { BoundedMap } from "../base/bounded-map.ts";
import { after, between, type Duration, hours, type Instant, minutes, seconds } from "../base/time.ts";
import type { ConditionCode } from "./catalogue.ts";

export type RemedyName = "restart-peer";

export interface Remedy {
  readonly name: RemedyName;
  /** The condition that it may mend. */
  readonly against: ConditionCode;
  /** How long the condition must have been shown: most end by themselves. */
  readonly patience: Duration;
  /** Whether the boxes that share a replica set must agree; not where the ring has counted the box out already. */
  readonly needsSlot: boolean;
  /** For journal and time line. */
  readonly text: string;
}

/** In order: the first that fits is taken. */
export const REMEDIES: readonly Remedy[] = [
  { name: "restart-peer", against: "peer-silent", patience: seconds(10), needsSlot: false, text: "ringboxd does not answer: it is stopped, to be started again." },
  { name: "restart-peer", against: "sip-silent", patience: seconds(60), needsSlot: true, text: "The SIP port does not answer: ringboxd is stopped, to be started again." },
  { name: "restart-peer", against: "calls-fail", patience: minutes(2), needsSlot: true, text: "Trial calls fail: ringboxd is stopped, to be started again." },
];

/** Between two remedies of one name, and how many an hour: what did not help three times does not help. */
export const REMEDY_PAUSE = minutes(2);
export const REMEDIES_PER_HOUR = 3;
const HOUR = hours(1);

export interface RemedyView {
  /** Conditions that are shown, and since when. */
  readonly shown: ReadonlyMap<ConditionCode, Instant>;
}

export class RemedyPlanner {
  /** When each was taken within the last hour. */
  readonly #taken = new BoundedMap<RemedyName, readonly Instant[]>(1, "evict");
  #underWay = false;
  #notBefore: Instant | undefined;

  /** The remedy to take now; `underWay` until `done` or `refused`. */
  plan(now: Instant, { shown }: RemedyView): Remedy | undefined {
    if (this.#underWay || (this.#notBefore !== undefined && now < this.#notBefore)) return undefined;
    const remedy = REMEDIES.find(({ name, against, patience }) => {
      const since = shown.get(against);
      return since !== undefined && after(since, patience) <= now && this.#isAllowed(now, name);
    });
    if (remedy !== undefined) this.#underWay = true;
    return remedy;
  }

  /** It was carried out. */
  done(now: Instant, name: RemedyName): void {
    this.#underWay = false;
    this.#taken.set(name, [...this.#lately(now, name), now]);
  }

  /** The neighbors did not agree; asked again after `pause`. */
  refused(now: Instant, pause: Duration): void {
    this.#underWay = false;
    this.#notBefore = after(now, pause);
  }

  #isAllowed(now: Instant, name: RemedyName): boolean {
    const lately = this.#lately(now, name);
    const last = lately.at(-1);
    return lately.length < REMEDIES_PER_HOUR && (last === undefined || between(last, now) >= REMEDY_PAUSE);
  }

  #lately(now: Instant, name: RemedyName): readonly Instant[] {
    return (this.#taken.get(name) ?? []).filter((at) => between(at, now) < HOUR);
  }
}
