import type { SipEffect, Ticket } from "./ports.ts";

/** Collects the effects of one step, in order, for all parts of the core; gives out tickets. */
export class Outbox {
  #effects: SipEffect[] = [];
  #tickets = 0;
  readonly #counts = new Map<string, number>();

  emit(effect: SipEffect): void {
    this.#effects.push(effect);
  }
  /** `event` is a name out of a fixed set, never anything received. */
  count(event: string): void {
    this.#counts.set(event, (this.#counts.get(event) ?? 0) + 1);
    this.#effects.push({ type: "count", event });
  }
  /** Never 0: that one asks for no answer. */
  nextTicket(): Ticket {
    this.#tickets += 1;
    return this.#tickets;
  }
  take(): readonly SipEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}

/** The ticket of a message whose fate nobody waits for. */
export const NO_TICKET: Ticket = 0;
