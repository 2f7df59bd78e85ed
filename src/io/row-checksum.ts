import { crc32 } from "node:zlib";

/** Over the place and the whole StoredData structure: value, times, lifetime and signature. Finds every single flipped bit, and every burst of up to 32. */
export const checksumOf = (resource: string, kind: number, key: string, stored: Uint8Array): number =>
  crc32(stored, crc32(`${resource}|${kind}|${key}|`));
