// A box that is being emptied: it takes no new calls and registrations, so that phones go to the others, and what runs
// through it goes on. It ends by itself: a box that somebody emptied and forgot serves again.

import { after, type Instant, minutes } from "../base/time.ts";

const DRAIN_LIVES = minutes(15);

export class Drain {
  #until: Instant | undefined;

  set(now: Instant, on: boolean): void {
    this.#until = on ? after(now, DRAIN_LIVES) : undefined;
  }
  tick(now: Instant): void {
    if (this.#until !== undefined && this.#until <= now) this.#until = undefined;
  }
  nextDeadline(): Instant | undefined {
    return this.#until;
  }
  get isOn(): boolean {
    return this.#until !== undefined;
  }
}
