/**
 * A map that never holds more than `limit` entries. At the bound `set` either refuses (returns
 * false) or, with `evict`, drops the entry that was inserted first.
 */
export class BoundedMap<Key, Value> {
  readonly limit: number;
  readonly #atLimit: "refuse" | "evict";
  readonly #entries = new Map<Key, Value>();
  /** Stands at the oldest entry: a fresh iterator would first pass over the places of all that went before it. */
  #oldest: MapIterator<Key> | undefined;

  constructor(limit: number, atLimit: "refuse" | "evict") {
    this.limit = limit;
    this.#atLimit = atLimit;
  }

  get size(): number {
    return this.#entries.size;
  }
  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }
  has(key: Key): boolean {
    return this.#entries.has(key);
  }
  /** Whether the value is now in the map. */
  set(key: Key, value: Value): boolean {
    if (this.#entries.size >= this.limit && !this.#entries.has(key)) {
      if (this.#atLimit === "refuse") return false;
      this.takeOldest();
    }
    this.#entries.set(key, value);
    return true;
  }
  delete(key: Key): boolean {
    return this.#entries.delete(key);
  }
  /** Removes and returns the key that was inserted first. */
  takeOldest(): Key | undefined {
    let next = this.#oldest?.next();
    if (next === undefined || next.done === true) {
      this.#oldest = this.#entries.keys();
      next = this.#oldest.next();
    }
    if (next.done === true) return undefined;
    this.#entries.delete(next.value);
    return next.value;
  }
  clear(): void {
    this.#entries.clear();
    this.#oldest = undefined;
  }
  keys(): MapIterator<Key> {
    return this.#entries.keys();
  }
  values(): MapIterator<Value> {
    return this.#entries.values();
  }
  entries(): MapIterator<[Key, Value]> {
    return this.#entries.entries();
  }
  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.#entries.entries();
  }
}
