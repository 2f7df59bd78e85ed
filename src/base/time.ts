// Two clocks. `Instant` is for deadlines and never jumps; `WallTime` is for what a protocol prints
// or compares between boxes (Date header, storage_time, expiry) and may be wrong.

declare const instantBrand: unique symbol;
declare const durationBrand: unique symbol;
declare const wallBrand: unique symbol;

/** Milliseconds on a monotonic clock of this process; only differences mean something. */
export type Instant = number & { readonly [instantBrand]: true };

/** A length of time in milliseconds. */
export type Duration = number & { readonly [durationBrand]: true };

/** Milliseconds since 1970-01-01 UTC. */
export type WallTime = number & { readonly [wallBrand]: true };

export const milliseconds = (count: number): Duration => count as Duration;
export const seconds = (count: number): Duration => (count * 1_000) as Duration;
export const minutes = (count: number): Duration => (count * 60_000) as Duration;
export const hours = (count: number): Duration => (count * 3_600_000) as Duration;

export const instant = (ms: number): Instant => ms as Instant;
export const wallTime = (ms: number): WallTime => ms as WallTime;

export const after = (start: Instant, delay: Duration): Instant => (start + delay) as Instant;
export const between = (earlier: Instant, later: Instant): Duration => (later - earlier) as Duration;
export const wallAfter = (start: WallTime, delay: Duration): WallTime => (start + delay) as WallTime;

/** The earlier of two deadlines, where `undefined` means "none". */
export function earliest(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return a < b ? a : b;
}
