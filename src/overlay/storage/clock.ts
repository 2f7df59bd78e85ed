import { type Instant, type WallTime, wallTime } from "../../base/time.ts";

/** Values from further ahead are refused: one box in 2099 must not outdate everybody's writes. */
export const FUTURE_TOLERANCE_MS = 5 * 60_000;

/** A wall clock before this was never set (no battery): 2025-01-01. */
export const CLOCK_FLOOR = wallTime(1_735_689_600_000);

/** A clock that differs more than this from what most members say is corrected. */
const AGREEMENT_MS = 60_000;

/**
 * The hybrid logical clock that stamps writes: wall time, but never at or before a stamp seen.
 * The wall clock is corrected by an offset learned from the other members when it is plainly wrong.
 */
export class HybridClock {
  readonly #wall: () => WallTime;
  #offset = 0;
  #last = 0;
  /** Wall clock less the monotonic one, when last compared. */
  #lead: number | undefined;

  constructor(wall: () => WallTime) {
    this.#wall = wall;
  }

  /**
   * In every step. A wall clock that is set while this box goes by the others' time changes nothing: what
   * it was corrected by is corrected with it (a box without a battery joins in 1970 and is set a minute later).
   */
  begin(now: Instant): void {
    const lead = this.#wall() - now;
    const jump = this.#lead === undefined ? 0 : lead - this.#lead;
    this.#lead = lead;
    if (this.#offset !== 0 && Math.abs(jump) > AGREEMENT_MS) this.#offset -= jump;
  }

  /** What this box takes the time to be; for expiry. */
  now(): WallTime {
    return wallTime(this.#wall() + this.#offset);
  }

  /** A new stamp, above every stamp seen. */
  stamp(): WallTime {
    this.#last = Math.max(this.now(), this.#last + 1);
    return wallTime(this.#last);
  }

  /** A stamp was seen on a value that was accepted. */
  observe(stamp: WallTime): void {
    if (this.now() < CLOCK_FLOOR && stamp > this.now()) this.#offset = stamp - this.#wall();
    if (stamp > this.#last) this.#last = stamp;
  }

  isTooFarAhead(stamp: WallTime): boolean {
    return this.now() >= CLOCK_FLOOR && stamp > this.now() + FUTURE_TOLERANCE_MS;
  }

  /**
   * What the members' clocks show, as differences from `now()`: the middle one counts, of two the later,
   * so that stamps never go back. A box in the ring puts its own among them (0); a newcomer does not.
   * A clock that was never set is no witness against one that was.
   */
  agreeWith(differences: readonly number[]): boolean {
    const own = this.now();
    const witnesses = own < CLOCK_FLOOR ? differences : differences.filter((difference) => own + difference >= CLOCK_FLOOR);
    const sorted = [...witnesses].sort((a, b) => a - b);
    const middle = sorted[sorted.length >> 1] ?? 0;
    if (Math.abs(middle) <= AGREEMENT_MS) return false;
    this.#offset += middle;
    return true;
  }

  /**
   * To be called when the time has just been compared with the others'. Stamps of a time when this box's clock was
   * far ahead do not count any more: nobody would take one above them. Whether there were any.
   */
  forgetFutureStamps(): boolean {
    if (!this.isTooFarAhead(wallTime(this.#last))) return false;
    this.#last = 0;
    return true;
  }
}
