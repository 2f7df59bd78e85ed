import type { Instant } from "./time.ts";

/**
 * A protocol that is told what time it is. It takes an input, returns what should happen, and says
 * when it next wants to be woken. It never opens a socket, reads a clock, rolls a die or awaits a
 * promise. A machine is woken by an input of its own that says nothing but "the time has come".
 */
export interface Machine<Input, Effect> {
  step(now: Instant, input: Input): readonly Effect[];
  /** When to wake the machine if nothing else happens before; `undefined`: not at all. */
  nextDeadline(): Instant | undefined;
}
