import { BoundedMap } from "../../base/bounded-map.ts";
import { assert } from "../../base/assert.ts";
import type { CoreContext } from "../core-context.ts";
import type { Durability, StoredRow, Ticket } from "../ports.ts";
import type { StoredEntry } from "../storage/entry.ts";

type Removal = Omit<StoredRow, "stored">;

interface Batch {
  readonly puts: StoredEntry[];
  readonly removals: Removal[];
}

interface Waiting {
  readonly puts: readonly StoredEntry[];
  readonly told: readonly ((onDisk: boolean) => void)[];
}

/**
 * Gathers the rows of one step into at most two writes: one that nobody waits for (soft), one with a
 * ticket (durable), so that all answers of a batch wait for one synchronisation of the disk.
 */
export class Persistence {
  readonly #context: CoreContext;
  #soft: Batch = { puts: [], removals: [] };
  #durable: Batch = { puts: [], removals: [] };
  #told: ((onDisk: boolean) => void)[] = [];
  /** BOUNDED: one per step whose write is not finished; above, the oldest is taken for failed. */
  readonly #waiting = new BoundedMap<Ticket, Waiting>(65_536, "refuse");
  /** Durable entries that are not on disk because a write failed. BOUNDED: further ones are not tried again. */
  readonly #failed = new BoundedMap<StoredEntry, true>(65_536, "refuse");

  constructor(context: CoreContext) {
    this.#context = context;
  }

  /** Of what happens to one place in one step the last counts: the writes of a step have no order. */
  put(entry: StoredEntry, durability: Durability): void {
    const { puts, removals } = durability === "durable" ? this.#durable : this.#soft;
    takeOut(removals, entry);
    puts.push(entry);
  }
  remove(entry: StoredEntry, durability: Durability): void {
    const { puts, removals } = durability === "durable" ? this.#durable : this.#soft;
    takeOut(puts, entry);
    removals.push({ resource: entry.resource, kind: entry.kind, key: entry.key });
  }
  /** Says when the durable rows put in this step are on disk, or that they will not be. */
  whenOnDisk(told: (onDisk: boolean) => void): void {
    this.#told.push(told);
  }

  /** The writes of this step. */
  flush(): void {
    this.#flushSoft();
    this.#flushDurable();
  }
  written(ticket: Ticket): void {
    const waiting = this.#take(ticket);
    if (waiting === undefined) return;
    for (const entry of waiting.puts) this.#failed.delete(entry);
    for (const told of waiting.told) told(true);
  }
  failed(ticket: Ticket, reason: string): void {
    const waiting = this.#take(ticket);
    if (waiting === undefined) return;
    this.#context.report("warning", `Subscriber changes could not be written to disk: ${reason}`);
    for (const entry of waiting.puts) this.#failed.set(entry, true);
    for (const told of waiting.told) told(false);
  }
  /** Writes again what could not be written, as far as it still stands. */
  retry(stands: (entry: StoredEntry) => boolean): void {
    for (const entry of [...this.#failed.keys()]) {
      this.#failed.delete(entry);
      if (stands(entry)) this.#durable.puts.push(entry);
    }
  }

  #take(ticket: Ticket): Waiting | undefined {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    return waiting;
  }

  #flushSoft(): void {
    const { puts, removals } = this.#soft;
    if (puts.length === 0 && removals.length === 0) return;
    this.#context.emit({ type: "persist", ticket: undefined, durability: "soft", puts: puts.map(rowOf), removals });
    this.#soft = { puts: [], removals: [] };
  }

  #flushDurable(): void {
    const { puts, removals } = this.#durable;
    if (puts.length === 0 && removals.length === 0 && this.#told.length === 0) return;
    const ticket = this.#context.newTicket();
    const kept = this.#waiting.set(ticket, { puts, told: this.#told });
    assert(kept, "65,536 writes wait for the disk");
    this.#context.emit({ type: "persist", ticket, durability: "durable", puts: puts.map(rowOf), removals });
    this.#durable = { puts: [], removals: [] };
    this.#told = [];
  }
}

function takeOut(rows: Removal[], { resource, kind, key }: Removal): void {
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i];
    if (row?.resource === resource && row.kind === kind && row.key === key) rows.splice(i, 1);
  }
}

const rowOf = ({ resource, kind, key, bytes }: StoredEntry): StoredRow => ({ resource, kind, key, stored: bytes });
