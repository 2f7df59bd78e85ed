// Versions of one value that were written on both sides of a cut. The one with the later storage_time stands, on all
// boxes alike; those whose writers did not know of each other are kept beside it until somebody has seen them all and
// writes anew. The version that stands decides which of them are over; what one box has kept the others take from it.

import { equalBytes } from "../../base/bytes.ts";
import type { KindDefinition } from "../ports.ts";
import { encodeUnsignedStoredData } from "../wire/stored-data.ts";
import { decodeEntry, type StoredEntry } from "./entry.ts";
import { includes, versionName } from "./history.ts";
import type { EntryStore } from "./store.ts";

/** Siblings of one value; above, the oldest goes, and it is said. */
export const MAX_SIBLINGS = 16;

/** A sibling does not end of itself: one hundred years, seconds. */
const LIFETIME = 100 * 365 * 86_400;

/** The entry that keeps a version: the same bytes whichever box makes it. */
export function siblingOf(version: StoredEntry, kind: KindDefinition): StoredEntry | undefined {
  if (version.preface === undefined) return undefined;
  const bytes = encodeUnsignedStoredData({
    storageTime: version.storedAt,
    lifetime: LIFETIME,
    place: { model: "dictionary", key: versionName(version.preface.version) },
    exists: true,
    value: version.bytes,
  });
  const entry = decodeEntry(version.resource, kind, bytes);
  return entry.ok ? entry.value : undefined;
}

/** Whether a version is over: another one is the same, or was written by somebody who had seen it. */
const isSettledBy = (version: StoredEntry, other: StoredEntry): boolean =>
  version.preface !== undefined && other.preface !== undefined && other !== version && includes(other.preface, version.preface.version);

/**
 * Whether a sibling is over: the version that stands decides, and no other sibling. Which version stands is the same on
 * all boxes in the end, and so is what it settles; which siblings a box has seen on the way is not.
 */
export function isSettled(store: EntryStore, sibling: StoredEntry, values: KindDefinition): boolean {
  for (const standing of store.kind(sibling.resource, values.id)?.entries.values() ?? []) {
    if (isSettledBy(sibling, standing)) return true;
  }
  return false;
}

/** Siblings that a version which was just kept ends, and those above the bound. */
export function endedBy(store: EntryStore, version: StoredEntry, siblings: KindDefinition): { readonly settled: readonly StoredEntry[]; readonly surplus: readonly StoredEntry[] } {
  const all = [...(store.kind(version.resource, siblings.id)?.entries.values() ?? [])];
  const settled = version.sibling === undefined ? all.filter((sibling) => isSettledBy(sibling, version)) : [];
  const left = all.filter((sibling) => !settled.includes(sibling)).sort((a, b) => b.storedAt - a.storedAt || (a.key < b.key ? -1 : 1));
  return { settled, surplus: left.slice(MAX_SIBLINGS) };
}

/** Values with siblings that say something else than the value that stands. */
export function conflictsIn(store: EntryStore): number {
  const resources = new Set<string>();
  for (const { resource, sibling } of store.siblings) {
    const standing = sibling === undefined ? undefined : store.find(resource, sibling.kind, sibling.key);
    const isSame = standing?.exists === sibling?.exists && (standing?.exists !== true || (sibling !== undefined && equalBytes(standing.content, sibling.content)));
    if (!isSame && !(standing === undefined && sibling?.exists === false)) resources.add(resource);
  }
  return resources.size;
}

/** Of two values at one place the one that does not stand, if its writer and the other's did not know of each other. */
export const isConcurrent = (loser: StoredEntry, winner: StoredEntry): boolean =>
  loser.preface !== undefined && winner.preface !== undefined && !includes(winner.preface, loser.preface.version);
