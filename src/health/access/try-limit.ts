// How often one source may try something: so many times at once, and one more after each pause.

import { BoundedMap } from "../../base/bounded-map.ts";
import { between, type Duration, type Instant } from "../../base/time.ts";

/** Sources remembered; at the bound the one that tried first is forgotten, and may try again. */
const SOURCES_MAX = 4_096;

interface Bucket {
  readonly left: number;
  readonly at: Instant;
}

export class TryLimit {
  readonly #atOnce: number;
  readonly #pause: Duration;
  readonly #buckets = new BoundedMap<string, Bucket>(SOURCES_MAX, "evict");

  /** `atOnce` tries, and one more after each `pause`. */
  constructor(atOnce: number, pause: Duration) {
    this.#atOnce = atOnce;
    this.#pause = pause;
  }

  /** Whether `source` may try now; a try that is allowed is counted. */
  allows(now: Instant, source: string): boolean {
    const left = this.#left(now, source);
    if (left < 1) return false;
    this.#buckets.delete(source); // whoever tries goes to the end of the line of those to be forgotten
    this.#buckets.set(source, { left: left - 1, at: now });
    return true;
  }

  #left(now: Instant, source: string): number {
    const bucket = this.#buckets.get(source);
    if (bucket === undefined) return this.#atOnce;
    return Math.min(this.#atOnce, bucket.left + between(bucket.at, now) / this.#pause);
  }
}

/** Who tries, for limits: an IPv4 address, or the first half of an IPv6 address, which one machine has all of. */
export function sourceOf(address: string): string {
  const plain = address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
  if (!plain.includes(":")) return plain;
  const [before = "", after = ""] = plain.split("::");
  const left = before === "" ? [] : before.split(":");
  const right = after === "" ? [] : after.split(":");
  const zeros = plain.includes("::") ? Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0") : [];
  return [...left, ...zeros, ...right].slice(0, 4).join(":");
}
