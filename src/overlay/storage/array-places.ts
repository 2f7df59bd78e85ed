import type { StoredEntry } from "./entry.ts";
import { APPEND, decodeStoredData, encodeStoredData } from "../wire/stored-data.ts";

/**
 * Gives values that are to be appended to an array their index, the next behind the last one that was ever taken
 * (RFC 6940 section 7.2.2). The index is not signed. The same value once more, a repeated request, keeps its place.
 */
export function placeAppended(values: readonly Uint8Array[], held: Iterable<StoredEntry>): readonly Uint8Array[] {
  const taken = [...held];
  let next = taken.reduce((above, { key }) => Math.max(above, Number.parseInt(key, 16) + 1), 0);
  return values.map((bytes) => {
    const stored = decodeStoredData(bytes, "array");
    if (!stored.ok || stored.value.place.model !== "array" || stored.value.place.index !== APPEND) return bytes;
    const at = (index: number): Uint8Array => encodeStoredData({ ...stored.value, place: { model: "array", index } });
    const same = taken.find((entry) => entry.storedAt === stored.value.storageTime && sameBytes(entry.bytes, at(Number.parseInt(entry.key, 16))));
    return same === undefined ? at(next++) : same.bytes;
  });
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);
