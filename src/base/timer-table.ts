import { after, type Duration, type Instant } from "./time.ts";

/** The named timers of one machine (RFC names where there are any). Ending the machine is `stopAll`. */
export class TimerTable<Name extends string> {
  readonly #deadlines = new Map<Name, Instant>();

  start(name: Name, now: Instant, delay: Duration): void {
    this.#deadlines.set(name, after(now, delay));
  }
  stop(name: Name): void {
    this.#deadlines.delete(name);
  }
  stopAll(): void {
    this.#deadlines.clear();
  }
  isRunning(name: Name): boolean {
    return this.#deadlines.has(name);
  }
  next(): Instant | undefined {
    let next: Instant | undefined;
    for (const at of this.#deadlines.values()) if (next === undefined || at < next) next = at;
    return next;
  }
  /** Stops and returns the timer that is due first, if one is due. Call until it returns `undefined`. */
  takeDue(now: Instant): Name | undefined {
    let due: Name | undefined;
    let dueAt = now;
    for (const [name, at] of this.#deadlines) {
      if (at < dueAt || (at === dueAt && due === undefined)) {
        due = name;
        dueAt = at;
      }
    }
    if (due !== undefined) this.#deadlines.delete(due);
    return due;
  }
}
