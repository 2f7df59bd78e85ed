// SRTT, RTTVAR and RTO (RFC 6298 section 2) from acknowledgements (RFC 6940 section 6.6.2).

import { between, type Duration, type Instant, milliseconds } from "../../base/time.ts";
import { LINK_TIMING } from "./link-timing.ts";

export interface RoundTrip {
  /** SRTT. */
  readonly smoothed: Duration;
  /** RTTVAR. */
  readonly variation: Duration;
  /** RTO. */
  readonly timeout: Duration;
}

/** BOUNDED: writes whose acknowledgement is awaited; further ones are not measured. */
const MAX_MEASURED = 256;

export class RoundTripEstimate {
  /** The newest sequence number of each write, oldest first. */
  readonly #sent: { readonly sequence: number; readonly at: Instant }[] = [];
  #current: RoundTrip | undefined;

  get current(): RoundTrip | undefined {
    return this.#current;
  }

  sent(sequence: number, now: Instant): void {
    if (this.#sent.length < MAX_MEASURED) this.#sent.push({ sequence, at: now });
  }

  /** An acknowledgement answers for all that was sent before it: TCP keeps the order. */
  acknowledged(sequence: number, now: Instant): void {
    let first = this.#sent[0];
    while (first !== undefined && notAfter(first.sequence, sequence)) {
      this.#sent.shift();
      if (first.sequence === sequence) this.#measure(between(first.at, now));
      first = this.#sent[0];
    }
  }

  #measure(sample: Duration): void {
    const old = this.#current;
    const smoothed = old === undefined ? sample : (7 * old.smoothed + sample) / 8;
    const variation =
      old === undefined ? sample / 2 : (3 * old.variation + Math.abs(old.smoothed - sample)) / 4;
    const timeout = Math.max(LINK_TIMING.leastTimeout, Math.min(LINK_TIMING.mostTimeout, smoothed + 4 * variation));
    this.#current = {
      smoothed: milliseconds(smoothed),
      variation: milliseconds(variation),
      timeout: milliseconds(timeout),
    };
  }
}

/** Sequence numbers wrap at 2^32. */
const notAfter = (a: number, b: number): boolean => (b - a) >>> 0 < 0x80000000;
