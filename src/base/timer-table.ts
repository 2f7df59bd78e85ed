import { after, type Duration, type Instant } from "./time.ts";

interface Running<Name> {
  readonly name: Name;
  readonly at: Instant;
  next: Running<Name> | undefined;
}

/**
 * The named timers of one machine (RFC names where there are any). Ending the machine is `stopAll`.
 * A chain, because a machine has two or three timers and there are tens of thousands of machines.
 * BOUNDED: by the names.
 */
export class TimerTable<Name extends string> {
  #first: Running<Name> | undefined;

  start(name: Name, now: Instant, delay: Duration): void {
    this.stop(name);
    this.#first = { name, at: after(now, delay), next: this.#first };
  }
  stop(name: Name): void {
    let before: Running<Name> | undefined;
    for (let timer = this.#first; timer !== undefined; before = timer, timer = timer.next) {
      if (timer.name !== name) continue;
      if (before === undefined) this.#first = timer.next;
      else before.next = timer.next;
      return;
    }
  }
  stopAll(): void {
    this.#first = undefined;
  }
  isRunning(name: Name): boolean {
    for (let timer = this.#first; timer !== undefined; timer = timer.next) if (timer.name === name) return true;
    return false;
  }
  next(): Instant | undefined {
    let next: Instant | undefined;
    for (let timer = this.#first; timer !== undefined; timer = timer.next) if (next === undefined || timer.at < next) next = timer.at;
    return next;
  }
  /** Stops and returns the timer that is due first, of equals the one started first. Call until it returns `undefined`. */
  takeDue(now: Instant): Name | undefined {
    let due: Running<Name> | undefined;
    // The chain begins with the timer started last.
    for (let timer = this.#first; timer !== undefined; timer = timer.next) {
      if (timer.at <= now && (due === undefined || timer.at <= due.at)) due = timer;
    }
    if (due !== undefined) this.stop(due.name);
    return due?.name;
  }
}
