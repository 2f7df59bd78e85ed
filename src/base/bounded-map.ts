/**
 * A map that never holds more than `limit` entries. At the bound `set` either refuses (returns
 * false) or, with `evict`, drops the entry that was inserted first.
 */
export class BoundedMap<Key, Value> {
  readonly limit: number;
  readonly #atLimit: "refuse" | "evict";
  readonly #entries = new Map<Key, Value>();

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
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, value);
    return true;
  }
  delete(key: Key): boolean {
    return this.#entries.delete(key);
  }
  clear(): void {
    this.#entries.clear();
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
