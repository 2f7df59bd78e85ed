// Which changes of soft rows go to disk at once, and which may wait. A phone that refreshes every minute would wear out
// a card in a year if each refresh were written: what it changes is when the row ends, and the row on disk has not ended.

import { milliseconds, minutes, type WallTime, wallAfter } from "../base/time.ts";
import type { StoredRow } from "../overlay/ports.ts";
import { decodeStoredData, type StoredData } from "../overlay/wire/stored-data.ts";
import { decodeBinding, isSameReach } from "../peer/binding-codec.ts";
import { EDGE_BINDING, EVENT_STATE } from "../peer/kinds.ts";
import type { Change } from "./stored-rows.ts";

/** Refreshes are written so often, all in one commit: each page of the database is then written once for all its rows. */
export const REFRESHES_WRITTEN_EVERY = minutes(20);
/** While the box runs, a row that ends sooner is not written again: its phone comes back by itself before anybody would miss it. */
export const WORTH_WRITING = minutes(20);
/** The state of a call lives shorter than this (decision 28): it is not written at all, and a box that starts has no use for it. */
const BRIEF = minutes(5);
/** Changes that wait for the disk; above, they are dropped: phones refresh. */
const MAX_PROMPT = 50_000;
/** Refreshes that wait; above, those that came first are not written. */
const MAX_REFRESHES = 20_000;

export type RowOnDisk = (row: Omit<StoredRow, "stored">) => Uint8Array | undefined;

export class SoftWrites {
  /** BOUNDED: MAX_PROMPT. */
  readonly #prompt = new Map<string, Change>();
  /** BOUNDED: MAX_REFRESHES. */
  readonly #refreshes = new Map<string, StoredRow>();
  readonly #onDisk: RowOnDisk;

  constructor(onDisk: RowOnDisk) {
    this.#onDisk = onDisk;
  }

  collect(change: Change): void {
    const name = nameOf(change);
    this.#refreshes.delete(name);
    if (!this.#prompt.has(name) && this.#isBrief(change)) return;
    if ("put" in change && !this.#prompt.has(name) && this.#isRefresh(change.put)) this.#keepRefresh(name, change.put);
    else this.#prompt.set(name, change);
  }

  /** What is to be written now. */
  get prompt(): readonly Change[] {
    return [...this.#prompt.values()];
  }
  promptWritten(): void {
    this.#prompt.clear();
  }
  /** False: there was no room for what could not be written, and it is forgotten. */
  promptFailed(): boolean {
    if (this.#prompt.size < MAX_PROMPT) return true;
    this.#prompt.clear();
    return false;
  }

  /** Refreshes go with the next commit: those of rows that end after this. */
  releaseRefreshes(end: WallTime): void {
    for (const [name, put] of this.#refreshes) {
      const stored = decodeBindingRow(put.stored);
      if (stored !== undefined && endOf(stored) > end) this.#prompt.set(name, { put });
    }
    this.#refreshes.clear();
  }

  /** Whether it comes and goes without being worth a write, and nothing on disk has to make way for it. */
  #isBrief(change: Change): boolean {
    const place = "put" in change ? change.put : change.remove;
    if (place.kind !== EVENT_STATE.id || this.#onDisk(place) !== undefined) return false;
    if ("remove" in change) return true;
    const stored = decodeStoredData(change.put.stored, EVENT_STATE.model);
    return stored.ok && stored.value.lifetime * 1_000 < BRIEF;
  }

  #keepRefresh(name: string, row: StoredRow): void {
    const [oldest] = this.#refreshes.keys();
    if (this.#refreshes.size >= MAX_REFRESHES && oldest !== undefined) this.#refreshes.delete(oldest);
    this.#refreshes.set(name, row);
  }

  /** Whether the row is one that is on disk already but for when it was stored and when it ends. */
  #isRefresh(row: StoredRow): boolean {
    if (row.kind !== EDGE_BINDING.id) return false;
    const bytes = this.#onDisk(row);
    const before = bytes === undefined ? undefined : decodeBindingRow(bytes);
    const after = decodeBindingRow(row.stored);
    if (before === undefined || after === undefined || !before.exists || !after.exists) return false;
    const [old, fresh] = [decodeBinding(row.key, before.value), decodeBinding(row.key, after.value)];
    return old !== undefined && fresh !== undefined && isSameReach(old, fresh);
  }
}

const nameOf = (change: Change): string => {
  const { resource, kind, key } = "put" in change ? change.put : change.remove;
  return `${resource}|${kind}|${key}`;
};

function decodeBindingRow(bytes: Uint8Array): StoredData | undefined {
  const stored = decodeStoredData(bytes, EDGE_BINDING.model);
  return stored.ok ? stored.value : undefined;
}

const endOf = ({ storageTime, lifetime }: StoredData): WallTime => wallAfter(storageTime, milliseconds(lifetime * 1_000));
