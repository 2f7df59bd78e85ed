import { InvariantBroken } from "../support/world.ts";

interface Attempt {
  /** `undefined`: a deletion. */
  readonly value: string | undefined;
  readonly at: number;
  /** In true time; `Infinity` if it does not expire. */
  readonly expiresAt: number;
}

/** What one key may read as: what was acknowledged last, or any attempt of which nobody knows. */
interface Account {
  acknowledged: Attempt;
  /** Acknowledged before that, newest first. */
  earlier: Attempt[];
  attempts: Attempt[];
}

/** Nothing promises more; two are enough, and a few more cost little. */
const EARLIER_KEPT = 8;

/** An attempt of unknown fate may still be under way for this long, and win by its clock when it arrives. */
const UNDER_WAY = 90_000;
const NOTHING: Attempt = { value: undefined, at: 0, expiresAt: Number.POSITIVE_INFINITY };

/**
 * What has been written by whom and what came of it. A value is a text; `undefined` is "not there".
 * Each key has one writer at a time, so there is one truth about it.
 */
export class Ledger {
  readonly #accounts = new Map<string, Account>();

  keys(): IterableIterator<string> {
    return this.#accounts.keys();
  }
  get size(): number {
    return this.#accounts.size;
  }

  /** A write is on its way: from now on both the old and the new may be read. */
  attempted(key: string, value: string | undefined, at: number, expiresAt = Number.POSITIVE_INFINITY): Attempt {
    const attempt = { value, at, expiresAt };
    const account = this.#accounts.get(key);
    if (account === undefined) this.#accounts.set(key, { acknowledged: NOTHING, earlier: [], attempts: [attempt] });
    else account.attempts.push(attempt);
    return attempt;
  }

  acknowledged(key: string, attempt: Attempt): void {
    const { acknowledged, earlier, attempts } = this.#accounts.get(key) ?? { acknowledged: NOTHING, earlier: [], attempts: [] };
    const open = attempts.filter((other) => other !== attempt && attempt.at - other.at < UNDER_WAY);
    this.#accounts.set(key, { acknowledged: attempt, earlier: [acknowledged, ...earlier].slice(0, EARLIER_KEPT), attempts: open });
  }

  /**
   * What a read found at a time that is right to within `skew`. `excused`: whether a write of that time is
   * beyond the promise. What is read from attempts of unknown fate is the truth from then on.
   */
  read(key: string, value: string | undefined, now: number, skew: number, excused: (at: number) => boolean): void {
    const account = this.#accounts.get(key);
    if (account === undefined) {
      if (value !== undefined) throw new InvariantBroken(`${key} reads ${value}, and nobody ever wrote it`);
      return;
    }
    const { acknowledged, earlier, attempts } = account;
    if (isRightReading(acknowledged, value, now, skew)) return;
    const attempt = attempts.find((one) => isRightReading(one, value, now, skew));
    if (attempt !== undefined) return this.acknowledged(key, attempt);
    // The one before may be the truth again, and ends when it would have ended.
    if (excused(acknowledged.at)) return this.acknowledged(key, earlier.find((one) => isRightReading(one, value, now, skew)) ?? { ...NOTHING, value });
    throw new InvariantBroken(
      `${key} reads ${value ?? "nothing"} at ${now}; acknowledged was ${JSON.stringify(acknowledged)}, unknown are ${JSON.stringify(attempts)}`,
    );
  }
}

function isRightReading(attempt: Attempt, value: string | undefined, now: number, skew: number): boolean {
  if (value === undefined) return attempt.value === undefined || attempt.expiresAt <= now + skew;
  return attempt.value === value && attempt.expiresAt > now - skew;
}
