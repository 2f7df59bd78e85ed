import type { Random } from "../base/random.ts";
/** Luck from the operating system. */
export declare class SystemRandom implements Random {
  bytes(length: number): Uint8Array;
  below(bound: number): number;
  fraction(): number;
}
