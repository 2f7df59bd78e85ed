import { BoundedMap } from "../../base/bounded-map.ts";
import { between, type Instant, milliseconds, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { DiskStatus, Durability, StoredRow, Ticket } from "../ports.ts";
import type { StoredEntry } from "../storage/entry.ts";

type Removal = Omit<StoredRow, "stored">;
type Told = (onDisk: boolean) => void;

/** Writes under way to the disk; above, further ones are told no and kept to be written later. */
const MAX_WAITING = 65_536;

/** Durable entries that could not be written; above, everything is written again when the disk works. */
const MAX_UNWRITTEN = 65_536;

/** A disk that has not answered for so long is given nothing more, and whoever waits for it is told no at once. */
const STALL = seconds(5);

interface Batch {
  readonly puts: StoredEntry[];
  readonly removals: Removal[];
}

interface Waiting {
  readonly since: Instant;
  readonly puts: readonly StoredEntry[];
  readonly told: readonly Told[];
}

/**
 * Gathers the rows of one step into at most two writes: one that nobody waits for (soft), one with a
 * ticket (durable), so that all answers of a batch wait for one synchronisation of the disk.
 */
export class Persistence {
  readonly #context: CoreContext;
  readonly #troubled: () => void;
  #soft: Batch = { puts: [], removals: [] };
  #durable: Batch = { puts: [], removals: [] };
  #told: Told[] = [];
  /** In the order in which they were given to the disk. */
  readonly #waiting = new BoundedMap<Ticket, Waiting>(MAX_WAITING, "refuse");
  /** Durable entries that are not on disk because a write failed or was not begun. */
  readonly #unwritten = new BoundedMap<StoredEntry, true>(MAX_UNWRITTEN, "refuse");
  /** More are unwritten than could be remembered. */
  #lostCount = false;

  /** `troubled`: a durable write was refused, or the disk does not answer. */
  constructor(context: CoreContext, troubled: () => void) {
    this.#context = context;
    this.#troubled = troubled;
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
  whenOnDisk(told: Told): void {
    this.#told.push(told);
  }

  get state(): DiskStatus["state"] {
    if (this.#isStalled()) return "stalled";
    return this.unwritten > 0 ? "failing" : "ok";
  }
  /** Durable entries that are in memory only, those on their way to the disk left out. */
  get unwritten(): number {
    return this.#unwritten.size + (this.#lostCount ? 1 : 0);
  }
  /** Whether every durable entry that was put so far is on disk. */
  get isComplete(): boolean {
    return this.#waiting.size === 0 && this.unwritten === 0 && this.#durable.puts.length === 0;
  }

  /** The writes of this step. */
  flush(): void {
    this.#flushSoft();
    this.#flushDurable();
  }
  written(ticket: Ticket): void {
    const waiting = this.#take(ticket);
    if (waiting === undefined) return;
    const failedBefore = this.unwritten > 0;
    for (const entry of waiting.puts) this.#unwritten.delete(entry);
    if (failedBefore && this.unwritten === 0) this.#context.report("info", "The disk takes subscriber changes again; all of them are on it.");
    for (const told of waiting.told) told(true);
  }
  failed(ticket: Ticket, reason: string): void {
    const waiting = this.#take(ticket);
    if (waiting === undefined) return;
    this.#keep(waiting.puts, reason);
    this.#troubled();
    for (const told of waiting.told) told(false);
  }
  /**
   * Puts again what could not be written, as far as it still stands. False: it is not known what that is, and
   * everything has to be put again.
   */
  retry(stands: (entry: StoredEntry) => boolean): boolean {
    if (this.#isStalled()) return true;
    const entries = [...this.#unwritten.keys()];
    const known = !this.#lostCount;
    this.#unwritten.clear();
    this.#lostCount = false;
    for (const entry of entries) if (stands(entry)) this.#durable.puts.push(entry);
    return known;
  }

  #take(ticket: Ticket): Waiting | undefined {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    return waiting;
  }

  #isStalled(): boolean {
    const [oldest] = this.#waiting.values();
    return oldest !== undefined && between(oldest.since, this.#context.now) > STALL;
  }

  #keep(entries: readonly StoredEntry[], reason: string): void {
    if (this.unwritten === 0 && entries.length > 0) this.#context.report("warning", `Subscriber changes could not be written to disk: ${reason}`);
    for (const entry of entries) if (!this.#unwritten.set(entry, true)) this.#lostCount = true;
  }

  #flushSoft(): void {
    const { puts, removals } = this.#soft;
    if (puts.length === 0 && removals.length === 0) return;
    this.#context.emit({ type: "persist", ticket: undefined, durability: "soft", puts: puts.map(rowOf), removals });
    this.#soft = { puts: [], removals: [] };
  }

  #flushDurable(): void {
    const { puts, removals } = this.#durable;
    const told = this.#told;
    if (puts.length === 0 && removals.length === 0 && told.length === 0) return;
    this.#durable = { puts: [], removals: [] };
    this.#told = [];
    const ticket = this.#context.newTicket();
    if (this.#isStalled() || !this.#waiting.set(ticket, { since: this.#context.now, puts, told })) return this.#refuse(ticket, puts, told);
    this.#context.emit({ type: "persist", ticket, durability: "durable", puts: puts.map(rowOf), removals });
    // So that a stall is noticed also by a box that has nothing else to do.
    this.#context.later("disk stalls", milliseconds(STALL + 1), () => {
      if (this.#isStalled()) this.#troubled();
    });
  }

  /** Removals are not remembered: what is over is removed at the next start. */
  #refuse(ticket: Ticket, puts: readonly StoredEntry[], told: readonly Told[]): void {
    this.#keep(puts, "the disk does not answer");
    this.#context.count("durable-write-refused");
    if (told.length === 0) return;
    this.#context.later(`refuse write ${ticket}`, milliseconds(0), () => {
      for (const each of told) each(false);
    });
  }
}

function takeOut(rows: Removal[], { resource, kind, key }: Removal): void {
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i];
    if (row?.resource === resource && row.kind === kind && row.key === key) rows.splice(i, 1);
  }
}

const rowOf = ({ resource, kind, key, bytes }: StoredEntry): StoredRow => ({ resource, kind, key, stored: bytes });
