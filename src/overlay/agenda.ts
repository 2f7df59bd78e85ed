import { DeadlineQueue } from "../base/deadline-queue.ts";
import type { Instant } from "../base/time.ts";

/** A name, or the very thing that waits: an object costs no string to be made and compared. */
export type AgendaKey = string | object;

/**
 * What the core means to do later, by name: setting a name again moves it. BOUNDED: by the parts
 * that use it (one name per member, exchange, operation or periodic work).
 */
export class Agenda {
  readonly #queue = new DeadlineQueue<AgendaKey>();
  readonly #actions = new Map<AgendaKey, () => void>();

  set(name: AgendaKey, at: Instant, action: () => void): void {
    this.#queue.set(name, at);
    this.#actions.set(name, action);
  }
  cancel(name: AgendaKey): void {
    this.#queue.delete(name);
    this.#actions.delete(name);
  }
  isSet(name: AgendaKey): boolean {
    return this.#actions.has(name);
  }
  next(): Instant | undefined {
    return this.#queue.next();
  }
  clear(): void {
    for (const name of [...this.#actions.keys()]) this.cancel(name);
  }

  /** The action that is due first, taken off; call until `undefined`. */
  takeDue(now: Instant): (() => void) | undefined {
    const name = this.#queue.takeDue(now);
    if (name === undefined) return undefined;
    const action = this.#actions.get(name);
    this.#actions.delete(name);
    return action;
  }
}
