// What happened, newest first, over all boxes: each box's agent writes its own entries, and hears those of others.

import { BoundedMap } from "../base/bounded-map.ts";
import type { TimeLineEvent } from "./report.ts";

/** The oldest goes. */
const EVENTS_MAX = 500;

export class TimeLine {
  /** By id. */
  readonly #events = new BoundedMap<string, TimeLineEvent>(EVENTS_MAX, "evict");

  /** Whether it is new. */
  add(event: TimeLineEvent): boolean {
    if (this.#events.has(event.id)) return false;
    this.#events.set(event.id, event);
    return true;
  }

  /** Newest first. */
  list(limit: number): TimeLineEvent[] {
    return [...this.#events.values()].sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1)).slice(0, limit);
  }
}
