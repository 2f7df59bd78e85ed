import { randomFillSync } from "node:crypto";
import type { Random } from "../base/random.ts";

const POOL_BYTES = 4_096;

/** Luck from the operating system, drawn in pools: one system call for many small draws. */
export class SystemRandom implements Random {
  readonly #pool = Buffer.allocUnsafe(POOL_BYTES);
  #used = POOL_BYTES;

  bytes(length: number): Uint8Array {
    if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
    return Uint8Array.from(this.#pool.subarray(this.#take(length), this.#used));
  }

  below(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const draw = this.#pool.readUInt32LE(this.#take(4));
      if (draw < limit) return draw % bound;
    }
  }

  fraction(): number {
    return this.#pool.readUIntLE(this.#take(6), 6) / 2 ** 48;
  }

  #take(length: number): number {
    if (this.#used + length > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    return at;
  }
}
