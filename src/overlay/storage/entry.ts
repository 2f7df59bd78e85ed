import type { Result } from "../../base/result.ts";
import { fault, ok } from "../../base/result.ts";
import type { WallTime } from "../../base/time.ts";
import type { KindDefinition, KindId, ResourceId } from "../ports.ts";
import { decodeStoredData, type StoredData, type StoredPlace } from "../wire/stored-data.ts";
import type { WireFault } from "../wire/wire-fault.ts";
import { hashEntry } from "./digest.ts";
import { type Preface, splitPreface, versionName } from "./history.ts";

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
  /** The value without its preface; of a sibling, that of the version in it. */
  readonly content: Uint8Array;
  /** Of kinds that keep siblings, and of siblings. */
  readonly preface: Preface | undefined;
  /** Of siblings: the version that did not stand. */
  readonly sibling: StoredEntry | undefined;
  /** 64 bits of hash over place and bytes, in two halves. */
  readonly high: number;
  readonly low: number;
  /** Whose Store brought it here, if it counts against anybody's part; see `EntryStore`. */
  broughtBy: Bringer | undefined;
}

/** What one box has brought by its own Stores and is still held. */
export interface Bringer {
  entries: number;
  bytes: number;
}

export function decodeEntry(resource: ResourceId, kind: KindDefinition, bytes: Uint8Array): Result<StoredEntry, WireFault> {
  const decoded = decodeStoredData(bytes, kind.model);
  return decoded.ok ? entryFrom(resource, kind, bytes, decoded.value) : decoded;
}

export function entryFrom(resource: ResourceId, kind: KindDefinition, bytes: Uint8Array, stored: StoredData): Result<StoredEntry, WireFault> {
  if (kind.siblings !== undefined) return versionFrom(resource, kind.id, bytes, stored);
  if (kind.siblingsOf !== undefined) return siblingFrom(resource, kind.id, kind.siblingsOf, bytes, stored);
  return ok(entryWith(resource, kind.id, bytes, stored, stored.value, undefined, undefined));
}

function versionFrom(resource: ResourceId, kind: KindId, bytes: Uint8Array, stored: StoredData): Result<StoredEntry, WireFault> {
  const split = splitPreface(stored.value);
  if (!split.ok) return split;
  const { preface, content } = split.value;
  // RFC 6940 section 7.1: no signature covers the lifetime of the structure, so it is said again where one does.
  if (preface.lifetime !== stored.lifetime) return fault({ error: "Error_Forbidden", reason: "the lifetime is not the writer's" });
  return ok(entryWith(resource, kind, bytes, stored, content, preface, undefined));
}

/** Its value is the structure of the version that did not stand, byte for byte. */
function siblingFrom(resource: ResourceId, kind: KindId, of: KindId, bytes: Uint8Array, stored: StoredData): Result<StoredEntry, WireFault> {
  const inner = decodeStoredData(stored.value, "single");
  const version = inner.ok ? versionFrom(resource, of, stored.value, inner.value) : inner;
  if (!version.ok) return version;
  const { preface, content } = version.value;
  const isNamed = preface !== undefined && keyOf(stored.place) === versionName(preface.version);
  if (!isNamed || !stored.exists) return fault({ error: "Error_Forbidden", reason: "not the sibling it is named for" });
  return ok(entryWith(resource, kind, bytes, stored, content, preface, version.value));
}

function entryWith(
  resource: ResourceId,
  kind: KindId,
  bytes: Uint8Array,
  stored: StoredData,
  content: Uint8Array,
  preface: Preface | undefined,
  sibling: StoredEntry | undefined,
): StoredEntry {
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
    content,
    preface,
    sibling,
    high,
    low,
    broughtBy: undefined,
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
