/** Luck, as an argument. Production fills it from the operating system, simulation from a seed. */
export interface Random {
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
  /** A whole number in [0, bound). `bound` at most 2^32. */
  below(bound: number): number;
  /** A real number in [0, 1). */
  fraction(): number;
}
