// What happened, newest first, over all boxes: each box's agent writes its own entries, and hears those of others.

import { BoundedMap } from "../base/bounded-map.ts";
import type { TimeLineEvent } from "./report.ts";

/** The oldest goes. */
const EVENTS_MAX = 500;

export class TimeLine {
  /** By id. */
  readonly #events = new BoundedMap<string, TimeLineEvent>(EVENTS_MAX, "evict");

  /** Not yet asked for by `fresh`; the oldest goes. */
  readonly #fresh = new BoundedMap<string, TimeLineEvent>(EVENTS_MAX, "evict");

  add(event: TimeLineEvent): void {
    if (this.#events.has(event.id)) return;
    this.#events.set(event.id, event);
    this.#fresh.set(event.id, event);
  }

  /** What was written down by an earlier run of the agent. */
  restore(events: readonly TimeLineEvent[]): void {
    for (const event of events) this.#events.set(event.id, event);
  }

  /** What is new since this was asked last, oldest first: to be written down. */
  fresh(): TimeLineEvent[] {
    const found = [...this.#fresh.values()];
    this.#fresh.clear();
    return found;
  }

  /** Newest first. */
  list(limit: number): TimeLineEvent[] {
    return [...this.#events.values()].sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1)).slice(0, limit);
  }
}
