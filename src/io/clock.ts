import { type Instant, type WallTime, instant, wallTime } from "../base/time.ts";

/** The two clocks of a box. */
export interface Clock {
  now(): Instant;
  wall(): WallTime;
}

export const systemClock: Clock = {
  now: () => instant(performance.now()),
  wall: () => wallTime(Date.now()),
};
