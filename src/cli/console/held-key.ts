// A key that must be held: a keyboard repeats it many times a second; a hand that slips, or a key that somebody tries, does
// not last so long.

import { after, between, type Duration, type Instant, seconds } from "../../base/time.ts";

/** How long it is held. */
export const HELD_FOR: Duration = seconds(5);
/** Longer than any keyboard waits before its first repetition. */
const LONGEST_GAP: Duration = seconds(1);

export class HeldKey {
  readonly #key: string;
  #since: Instant | undefined;
  #last: Instant | undefined;

  constructor(key: string) {
    this.#key = key;
  }

  /** What is left of the time after this key at `now`: 0 when it was held for long enough, once; `undefined` for another key, which ends the holding. */
  press(key: string, now: Instant): Duration | undefined {
    if (key.toLowerCase() !== this.#key) {
      this.#since = undefined;
      return undefined;
    }
    if (this.#since === undefined || this.#last === undefined || now > after(this.#last, LONGEST_GAP)) this.#since = now;
    this.#last = now;
    const ends = after(this.#since, HELD_FOR);
    if (now < ends) return between(now, ends);
    this.#since = undefined;
    return between(now, now);
  }
}
