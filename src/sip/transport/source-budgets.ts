// What one address may send before anything of it is parsed: a bucket of tokens that fills with time, and fills
// faster for whoever proves who he is. So a scan or a flood runs dry, and an office behind one address does not.

import { BoundedMap } from "../../base/bounded-map.ts";
import { between, type Instant } from "../../base/time.ts";
import { CORE_LIMITS } from "../limits.ts";
import { isLoopback } from "./numeric-host.ts";

/** Messages from one address at once… */
const BURST = 4_000;
/** …and for ever, a second. */
const PER_SECOND = 400;
/** Given for a request whose sender proved himself, and for all that a call of his brings along. */
const PROVED = 50;
/** Taken for wrong credentials: each try is a question to the ring, and one at a password. */
const WRONG = 20;

interface Bucket {
  tokens: number;
  /** Somebody there has proved himself. */
  isKnown: boolean;
  at: Instant;
}

export class SourceBudgets {
  /** Beyond the bound the oldest begins anew, with a full bucket. */
  readonly #buckets = new BoundedMap<string, Bucket>(CORE_LIMITS.sources, "evict");
  readonly #isFree: (host: string) => boolean;

  /** `isFree`: who is not counted, the boxes of the fleet. */
  constructor(isFree: (host: string) => boolean) {
    this.#isFree = isFree;
  }

  /** Takes a token; `false`: there is none, and what came is not looked at. */
  take(now: Instant, host: string): boolean {
    const bucket = this.#buckets.get(host);
    if (bucket === undefined) {
      this.#buckets.set(host, { tokens: BURST - 1, isKnown: false, at: now });
      return true;
    }
    bucket.tokens = Math.min(BURST, bucket.tokens + (between(bucket.at, now) * PER_SECOND) / 1_000);
    bucket.at = now;
    if (bucket.tokens < 1) return isLoopback(host) || this.#isFree(host);
    bucket.tokens -= 1;
    return true;
  }

  /** A sender proved himself. */
  proved(host: string): void {
    const bucket = this.#buckets.get(host);
    if (bucket !== undefined) bucket.isKnown = true;
    this.#give(host, PROVED);
  }

  /** Whether somebody there has proved himself, or need not. */
  isKnown(host: string): boolean {
    return this.#buckets.get(host)?.isKnown === true || isLoopback(host) || this.#isFree(host);
  }

  /** What came was asked for: a response, a request within a dialog. */
  wanted(host: string): void {
    this.#give(host, 1);
  }

  /** Credentials that were wrong; the message itself has cost one already. It may become a debt, of a burst at most. */
  wrong(host: string): void {
    this.#give(host, 1 - WRONG);
  }

  #give(host: string, tokens: number): void {
    const bucket = this.#buckets.get(host);
    if (bucket !== undefined) bucket.tokens = Math.max(-BURST, Math.min(BURST, bucket.tokens + tokens));
  }
}
