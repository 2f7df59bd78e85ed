import { setTimeout as pause } from "node:timers/promises";

/** What `until` found, and how long it took. */
export interface Found<T> {
  readonly value: T;
  readonly seconds: number;
}

/**
 * How long what is not a promise of its own may take, seconds: far above what it takes, so that only what never comes meets it,
 * however slow the machine is and whatever else it does.
 */
export const PATIENCE = 120;

/** Between two looks, milliseconds. */
const BETWEEN = 100;

/**
 * Looks again and again until a look does not throw, at most `seconds` long (measured from `since`, `performance.now()`).
 * Fails with the last look's own words.
 */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => T | Promise<T>,
  since: number = performance.now(),
): Promise<Found<T>> {
  for (;;) {
    const asked = performance.now();
    try {
      const value = await look();
      const took = (asked - since) / 1000;
      if (took <= seconds) return { value, seconds: took };
      throw new Error(`true only after ${took.toFixed(1)} s`);
    } catch (error) {
      if (performance.now() - since > seconds * 1000) {
        throw new Error(`not within ${seconds} s: ${what}\n  last seen: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    await pause(BETWEEN);
  }
}

/** Fails at the deadline if a promise is not settled by then. */
export async function within<T>(what: string, seconds: number, promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = pause(seconds * 1000, undefined, { signal: timer.signal, ref: true }).then(() => {
    throw new Error(`not within ${seconds} s: ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => undefined);
    timer.abort();
  }
}
