import type { Instant } from "./time.ts";

/**
 * Deadlines by key, with a cheap minimum: a binary heap with lazy deletion. Equal deadlines come out
 * in the order in which they were set. BOUNDED: by its owner, one deadline per key.
 */
export class DeadlineQueue<Key> {
  readonly #current = new Map<Key, Entry<Key>>();
  readonly #heap: Entry<Key>[] = [];
  #order = 0;

  get size(): number {
    return this.#current.size;
  }

  /** Sets or moves the deadline of `key`. */
  set(key: Key, at: Instant): void {
    const old = this.#current.get(key);
    if (old !== undefined) old.live = false;
    const entry: Entry<Key> = { key, at, order: this.#order++, live: true };
    this.#current.set(key, entry);
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    if (this.#heap.length > 64 && this.#heap.length > 4 * this.#current.size) this.#compact();
  }

  delete(key: Key): void {
    const entry = this.#current.get(key);
    if (entry === undefined) return;
    entry.live = false;
    this.#current.delete(key);
  }

  get(key: Key): Instant | undefined {
    return this.#current.get(key)?.at;
  }

  next(): Instant | undefined {
    this.#dropDead();
    return this.#heap[0]?.at;
  }

  /** Removes and returns the earliest key whose deadline is at or before `now`. */
  takeDue(now: Instant): Key | undefined {
    this.#dropDead();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#pop();
    this.#current.delete(first.key);
    return first.key;
  }

  #dropDead(): void {
    while (this.#heap[0]?.live === false) this.#pop();
  }

  #compact(): void {
    const live = this.#heap.filter((entry) => entry.live).sort(byDeadline);
    this.#heap.length = 0;
    for (const entry of live) this.#heap.push(entry);
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down();
  }

  /** Moves the gap instead of swapping: each entry on the way is written once. */
  #up(start: number): void {
    const heap = this.#heap;
    const entry = heap[start] as Entry<Key>;
    let gap = start;
    while (gap > 0) {
      const parent = (gap - 1) >> 1;
      const above = heap[parent] as Entry<Key>;
      if (byDeadline(entry, above) >= 0) break;
      heap[gap] = above;
      gap = parent;
    }
    heap[gap] = entry;
  }

  #down(): void {
    const heap = this.#heap;
    const entry = heap[0] as Entry<Key>;
    let gap = 0;
    for (let child = 1; child < heap.length; child = 2 * gap + 1) {
      const right = child + 1;
      if (right < heap.length && byDeadline(heap[right] as Entry<Key>, heap[child] as Entry<Key>) < 0) child = right;
      const below = heap[child] as Entry<Key>;
      if (byDeadline(below, entry) >= 0) break;
      heap[gap] = below;
      gap = child;
    }
    heap[gap] = entry;
  }
}

interface Entry<Key> {
  readonly key: Key;
  readonly at: Instant;
  readonly order: number;
  live: boolean;
}

const byDeadline = (a: Entry<unknown>, b: Entry<unknown>): number => a.at - b.at || a.order - b.order;
