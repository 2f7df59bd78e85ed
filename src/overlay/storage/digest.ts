// Order-independent digests: the XOR of one 64-bit hash per entry, so that adding and removing are
// the same cheap step. No cryptography: all boxes that compare digests are enrolled.

import type { KindId, ResourceId } from "../ports.ts";

/** The XOR of the hashes of some entries, in two halves, and how many there are. */
export interface Digest {
  readonly high: number;
  readonly low: number;
  readonly count: number;
}

export const sameDigest = (a: Digest, b: Digest): boolean =>
  a.high === b.high && a.low === b.low && a.count === b.count;

const hex8 = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
export const digestHex = ({ high, low }: Digest): string => hex8(high) + hex8(low);

/** Two lanes of FNV-1a with different starts, each mixed at the end (the finalizer of MurmurHash3). */
export function hashEntry(resource: ResourceId, kind: KindId, bytes: Uint8Array): { high: number; low: number } {
  let high = 0x811c9dc5 ^ kind;
  let low = 0x9747b28c ^ bytes.length;
  for (let i = 0; i < resource.length; i++) {
    const code = resource.charCodeAt(i);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ code, 0x01000193);
  }
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    high = Math.imul(high ^ byte, 0x01000193);
    low = Math.imul(low ^ byte, 0x5bd1e995);
  }
  return { high: mix(high ^ kind), low: mix(low) };
}

function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
