import { between, type Instant } from "../../base/time.ts";

/** Fetches and Stores of one comparison under way at once: at first, at least, and at most. */
const FIRST = 8;
const LEAST = 2;
const MOST = 16;

/** An answer that takes this many times the quickest, and this much longer, says that somebody has too much to do. */
const SLOWER = 2;
const SLACK_MS = 4;

/**
 * How many exchanges whoever asks keeps under way: a little more as long as the answers come as quickly as ever, half
 * as many when they do not (additive increase, multiplicative decrease). What is late may be late here or there: phones
 * wait for both, as each write of a joining box's share waits for it too.
 */
export class Pace {
  #window = FIRST;
  #quickest = Number.POSITIVE_INFINITY;
  /** What was sent before has been judged. */
  #loweredAt = Number.NEGATIVE_INFINITY;

  get window(): number {
    return Math.floor(this.#window);
  }

  /** `count`: what the answer brought. */
  answered(sent: Instant, now: Instant, count = 1): void {
    const took = between(sent, now);
    this.#quickest = Math.min(this.#quickest, took);
    if (took <= SLOWER * this.#quickest + SLACK_MS) this.#window = Math.min(MOST, this.#window + count / this.#window);
    else this.lost(sent, now);
  }

  /** Once for all that were under way together. */
  lost(sent: Instant, now: Instant): void {
    if (sent < this.#loweredAt) return;
    this.#loweredAt = now;
    this.#window = Math.max(LEAST, this.#window / 2);
  }
}
