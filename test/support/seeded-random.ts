import type { Random } from "../../src/base/random.ts";

/** Luck from a seed (the sfc32 generator): the same seed, the same luck, on every machine. */
export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** Two streams of one seed with different names have nothing in common. */
  constructor(seed: number, stream = "") {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = textSeed(stream);
    for (let i = 0; i < 15; i++) this.uint32();
  }

  /** A generator of its own, whose luck does not depend on how much is drawn elsewhere afterwards. */
  fork(stream: string): SeededRandom {
    return new SeededRandom(this.uint32() * 0x10_0000 + (this.uint32() & 0xfffff), stream);
  }

  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  fraction(): number {
    return this.uint32() / 0x1_0000_0000;
  }
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() >>> 24;
    return bytes;
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }
  /** A whole number of milliseconds until the next of events that happen, on average, every `mean`. */
  exponential(mean: number): number {
    return Math.ceil(-Math.log(1 - this.fraction()) * mean);
  }
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }
  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = shuffled[i] as Item;
      shuffled[i] = shuffled[j] as Item;
      shuffled[j] = held;
    }
    return shuffled;
  }
}

/** FNV-1a of a text. */
function textSeed(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
