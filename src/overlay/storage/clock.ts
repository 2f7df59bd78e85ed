import { type Instant, type WallTime, wallTime } from "../../base/time.ts";

/** Values from further ahead are refused: one box in 2099 must not outdate everybody's writes. */
export const FUTURE_TOLERANCE_MS = 5 * 60_000;

/** A wall clock before this was never set (no battery): 2025-01-01. */
export const CLOCK_FLOOR = wallTime(1_735_689_600_000);

/** A clock that differs more than this from what most members say is corrected. */
const AGREEMENT_MS = 1_000;

/** A wall clock that is set by more than this, or is further from the ring's time, is not followed. */
const FOLLOWED_MS = 60_000;

/** The wall clock is followed no faster than this, as a part of the time that goes by: 5 ms a second. */
const SLEW = 1 / 200;

/**
 * The hybrid logical clock that stamps writes: the ring's time, but never at or before a stamp seen. The ring's time
 * begins as the wall clock of its first box, runs with the monotonic clock, and is led slowly towards the wall clock
 * while that is near; what most members say corrects it at once. So a wall clock that jumps changes nothing.
 */
export class HybridClock {
  readonly #wall: () => WallTime;
  /** The ring's time less the monotonic clock; before the first step that is 0. */
  #lead: number | undefined;
  #monotonic = 0;
  #last = 0;
  /** The wall clock less the monotonic one, when last compared; and what is added to it to have the ring's time. */
  #wallLead = 0;
  #offset = 0;

  constructor(wall: () => WallTime) {
    this.#wall = wall;
  }

  /** In every step. */
  begin(now: Instant): void {
    const wallLead = this.#wall() - now;
    const elapsed = now - this.#monotonic;
    const isFirst = this.#lead === undefined;
    const jump = wallLead - this.#wallLead;
    this.#monotonic = now;
    this.#wallLead = wallLead;
    if (isFirst || (this.now() < CLOCK_FLOOR && this.#wall() >= CLOCK_FLOOR)) return this.#setLead(wallLead);
    if (Math.abs(jump) > FOLLOWED_MS) this.#offset -= jump;
    const behind = wallLead + this.#offset - (this.#lead ?? 0);
    if (Math.abs(behind) <= FOLLOWED_MS) this.#lead = (this.#lead ?? 0) + Math.max(-elapsed * SLEW, Math.min(elapsed * SLEW, behind));
  }

  /** From here on the wall clock is followed from where it is. */
  #setLead(lead: number): void {
    this.#lead = lead;
    this.#offset = lead - this.#wallLead;
  }

  /** What this box takes the time to be; for expiry. */
  now(): WallTime {
    return this.#lead === undefined ? this.#wall() : wallTime(Math.floor(this.#monotonic + this.#lead));
  }

  /** The wall clock of this box less the ring's time, milliseconds. */
  get wallError(): number {
    return this.#wall() - this.now();
  }

  /** A new stamp, above every stamp seen. */
  stamp(): WallTime {
    this.#last = Math.max(this.now(), this.#last + 1);
    return wallTime(this.#last);
  }

  /** A stamp was seen on a value that was accepted. A clock that was never set takes it for the time. */
  observe(stamp: WallTime): void {
    if (this.now() < CLOCK_FLOOR && stamp > this.now()) this.#setLead(stamp - this.#monotonic);
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
    this.#setLead(own + middle - this.#monotonic);
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
