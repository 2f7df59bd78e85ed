import { between, type Duration, hours, type Instant, milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";

/**
 * A box that the ring has lived without for longer comes back as a blank one: the ring may have forgotten that
 * something was deleted which this box still has. A day less than deletions are remembered.
 */
const LONGEST_ABSENCE = hours(24 * 29);

/** What is on disk may be older by so much: little beside a day, and few writes for a card that wears. */
const KEPT_EVERY = hours(1);

/**
 * How long the ring has lived, as far as this box knows: the time for which any of its boxes served. It stands still
 * while all are off, so that a fleet that was switched off for a season comes back with all it had.
 */
export class RingAge {
  readonly #context: CoreContext;
  /** `undefined`: it was never in a ring, or nothing on disk says so. */
  #known: number | undefined;
  /** Counting from here on. */
  #since: Instant | undefined;

  constructor(context: CoreContext) {
    this.#context = context;
    this.#known = context.settings.ringAge;
  }

  get value(): Duration {
    return milliseconds(Math.floor((this.#known ?? 0) + (this.#since === undefined ? 0 : between(this.#since, this.#context.now))));
  }

  /** Whether a ring of that age has lived without this box for too long. */
  isAwayFrom(age: number): boolean {
    return this.#known !== undefined && age - this.value > LONGEST_ABSENCE;
  }

  /** A box that is in the ring has told the age. */
  heard(age: number): void {
    if (age <= this.value) return;
    this.#known = age;
    if (this.#since !== undefined) this.#since = this.#context.now;
  }

  begin(): void {
    this.#since ??= this.#context.now;
    this.#known ??= 0;
    this.#keep();
  }
  stop(): void {
    this.#known = this.value;
    this.#since = undefined;
    this.#context.agenda.cancel("ring age");
  }

  #keep(): void {
    this.#context.emit({ type: "ring-age", age: this.value });
    this.#context.later("ring age", KEPT_EVERY, () => this.#keep());
  }
}
