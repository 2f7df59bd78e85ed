import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { WallTime } from "../../base/time.ts";
import type { KindDefinition, KindId, ResourceId } from "../ports.ts";
import { decodeStoredData, type StoredData, type StoredPlace } from "../wire/stored-data.ts";
import type { WireFault } from "../wire/wire-fault.ts";
import { hashEntry } from "./digest.ts";

/** One stored value with what is looked at often; `bytes` is the StoredData structure as it came. */
export interface StoredEntry {
  readonly resource: ResourceId;
  readonly kind: KindId;
  /** Dictionary key, hex; array index as 8 hex digits; empty for a single value. */
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly storedAt: WallTime;
  /** Seconds, counted from `storedAt`, so that the bytes are the same on every replica. */
  readonly lifetime: number;
  /** False: a tombstone, the memory of a deletion. */
  readonly exists: boolean;
  readonly value: Uint8Array;
  /** 64 bits of hash over place and bytes, in two halves. */
  readonly high: number;
  readonly low: number;
}

export function decodeEntry(resource: ResourceId, kind: KindDefinition, bytes: Uint8Array): Result<StoredEntry, WireFault> {
  const decoded = decodeStoredData(bytes, kind.model);
  return decoded.ok ? ok(entryFrom(resource, kind.id, bytes, decoded.value)) : decoded;
}

export function entryFrom(resource: ResourceId, kind: KindId, bytes: Uint8Array, stored: StoredData): StoredEntry {
  const { high, low } = hashEntry(resource, kind, bytes);
  return {
    resource,
    kind,
    key: keyOf(stored.place),
    bytes,
    storedAt: stored.storageTime,
    lifetime: stored.lifetime,
    exists: stored.exists,
    value: stored.value,
    high,
    low,
  };
}

export function keyOf(place: StoredPlace): string {
  switch (place.model) {
    case "single":
      return "";
    case "array":
      return place.index.toString(16).padStart(8, "0");
    case "dictionary":
      return place.key;
  }
}

export function placeOf(kind: KindDefinition, key: string): StoredPlace {
  switch (kind.model) {
    case "single":
      return { model: "single" };
    case "array":
      return { model: "array", index: Number.parseInt(key, 16) >>> 0 };
    case "dictionary":
      return { model: "dictionary", key };
  }
}

/**
 * Which of two values of one place stands: above 0 if `a`. The later storage_time; at equal times the
 * hashes of the bytes decide, so that every box decides alike, also one that knows no more than the hash.
 */
export function compareEntries(a: StoredEntry, b: StoredEntry): number {
  return compareNotes(a, b) || compareBytes(a.bytes, b.bytes);
}

/** The same of what a summary tells of values. */
export function compareNotes(a: Stamped, b: Stamped): number {
  return a.storedAt - b.storedAt || (a.high >>> 0) - (b.high >>> 0) || (a.low >>> 0) - (b.low >>> 0);
}

export interface Stamped {
  readonly storedAt: WallTime;
  readonly high: number;
  readonly low: number;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
