// The disk of a simulated box: what is written takes time, and what was not yet written when the
// process or the power went is lost from some point on, never from the middle.

import type { Durability, OverlayEffect, StoredRow, Ticket } from "../../src/overlay/ports.ts";
import type { EventQueue } from "./event-queue.ts";
import type { SeededRandom } from "./seeded-random.ts";

type Persist = Extract<OverlayEffect, { type: "persist" }>;
export type DiskReport =
  | { readonly type: "persisted"; readonly ticket: Ticket }
  | { readonly type: "persist-failed"; readonly ticket: Ticket; readonly reason: string };

interface Write {
  readonly effect: Persist;
  readonly ready: number;
}

export interface DiskSettings {
  /** Milliseconds until a durable write is synced. */
  readonly syncLeast: number;
  readonly syncMost: number;
  /** Soft writes go to disk in batches, this often. */
  readonly batch: number;
}

const rowKey = (row: Omit<StoredRow, "stored">): string => `${row.resource} ${row.kind} ${row.key}`;

export class VirtualDisk {
  /** Refuses every write, as a full disk does. */
  full = false;
  readonly #queue: EventQueue;
  readonly #random: SeededRandom;
  readonly #settings: DiskSettings;
  readonly #rows = new Map<string, StoredRow>();
  #waiting: { readonly [Class in Durability]: Write[] } = { durable: [], soft: [] };
  /** Rises with each crash; writes of a life before are void. */
  #life = 0;
  #report: (report: DiskReport) => void = () => undefined;

  constructor(queue: EventQueue, random: SeededRandom, settings: DiskSettings) {
    this.#queue = queue;
    this.#random = random;
    this.#settings = settings;
  }

  /** What is on disk at the start of a process, which is told of its writes from now on. */
  open(report: (report: DiskReport) => void): readonly StoredRow[] {
    this.#report = report;
    return [...this.#rows.values()];
  }

  persist(effect: Persist): void {
    const waiting = this.#waiting[effect.durability];
    const last = waiting.at(-1)?.ready ?? 0;
    const life = this.#life;
    const { now } = this.#queue;
    const { batch, syncLeast, syncMost } = this.#settings;
    const ready =
      effect.durability === "durable"
        ? Math.max(last, now + this.#random.between(syncLeast, syncMost))
        : (Math.floor(now / batch) + 1) * batch;
    waiting.push({ effect, ready });
    this.#queue.at(ready, () => {
      if (this.#life === life) this.#finish(waiting);
    });
  }

  #finish(waiting: Write[]): void {
    const write = waiting.shift();
    if (write === undefined) return;
    const { ticket } = write.effect;
    if (!this.full) this.#apply(write.effect);
    if (ticket === undefined) return;
    this.#report(this.full ? { type: "persist-failed", ticket, reason: "disk full" } : { type: "persisted", ticket });
  }

  #apply({ puts, removals }: Persist): void {
    for (const row of removals) this.#rows.delete(rowKey(row));
    for (const row of puts) this.#rows.set(rowKey(row), row);
  }

  /** The process or the power goes: of each class of waiting writes some first ones got to the disk. */
  crash(): void {
    for (const waiting of [this.#waiting.durable, this.#waiting.soft]) {
      const lucky = this.#random.below(waiting.length + 1);
      if (!this.full) for (const write of waiting.slice(0, lucky)) this.#apply(write.effect);
    }
    this.#waiting = { durable: [], soft: [] };
    this.#life++;
    this.#report = () => undefined;
  }

  wipe(): void {
    this.#rows.clear();
  }

  row(place: Omit<StoredRow, "stored">): StoredRow | undefined {
    return this.#rows.get(rowKey(place));
  }
  rows(): IterableIterator<StoredRow> {
    return this.#rows.values();
  }
  get size(): number {
    return this.#rows.size;
  }
}
