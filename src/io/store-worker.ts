// The thread that writes. A commit waits for the disk, 50 ms and more on a slow card; SIP must not.
//
// durable.db: everything that has arrived goes into one commit, and only then are its tickets answered
// (group commit). soft.db: changes come gathered, about once a second; what cannot be written is tried again with them.

import { basename, join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { describeSqlite } from "./sqlite.ts";
import type { FromWorker, ToWorker, WriteRequest } from "./store-messages.ts";
import { type Change, type Loaded, StoredRows } from "./stored-rows.ts";

const SOFT_RETRY_MS = 1_000;
/** At this many soft rows that cannot be written they are dropped: phones refresh. */
const MAX_SOFT_CHANGES = 50_000;

class StoreThread {
  readonly #say: (message: FromWorker) => void;
  readonly #durable: StoredRows;
  readonly #soft: StoredRows;
  #waiting: WriteRequest[] = [];
  readonly #softChanges = new Map<string, Change>(); // BOUNDED: MAX_SOFT_CHANGES
  #softTickets: number[] = [];
  #softTimer: NodeJS.Timeout | undefined;
  #softFails = false;

  constructor(directory: string, say: (message: FromWorker) => void) {
    this.#say = say;
    this.#durable = new StoredRows(join(directory, "durable.db"), "FULL");
    this.#soft = new StoredRows(join(directory, "soft.db"), "NORMAL");
  }

  open(): void {
    try {
      const durable = this.#opened("durable.db", this.#durable.open());
      const soft = this.#opened("soft.db", this.#soft.open());
      this.#say({ type: "opened", rows: [...durable, ...soft] });
    } catch (error) {
      this.#say({ type: "unusable", reason: describeSqlite(error) });
    }
  }

  accept(message: ToWorker): void {
    if (message.type === "close") return this.#close();
    // What has queued up behind this message while the last commit ran is taken along.
    if (this.#waiting.length === 0) setImmediate(() => this.#writeWaiting());
    this.#waiting.push(...message.requests);
  }

  #opened(name: string, { rows, damagedRows, movedTo }: Loaded): Loaded["rows"] {
    if (movedTo !== undefined) {
      this.#say({
        type: "report",
        level: "warning",
        text: `${name} was damaged and is now ${basename(movedTo)}; ${rows.length} rows of it could be read, the rest comes from the neighbors`,
      });
    }
    if (damagedRows > 0) {
      this.#say({ type: "report", level: "warning", text: `${name}: ${damagedRows} rows were not as they were written and are left out` });
    }
    return rows;
  }

  #writeWaiting(): void {
    const requests = this.#waiting;
    this.#waiting = [];
    const tickets: number[] = [];
    const changes: Change[] = [];
    for (const request of requests) {
      if (request.durability === "soft") this.#collect(request);
      else {
        changes.push(...changesOf(request));
        if (request.ticket !== undefined) tickets.push(request.ticket);
      }
    }
    if (changes.length > 0 || tickets.length > 0) this.#commitDurable(changes, tickets);
    if (requests.some(({ durability }) => durability === "soft")) this.#writeSoft();
  }

  #commitDurable(changes: readonly Change[], tickets: readonly number[]): void {
    try {
      this.#durable.commit(changes);
      if (tickets.length > 0) this.#say({ type: "persisted", tickets });
    } catch (error) {
      // Whoever waits is told no; a write that failed once is never tried again behind his back.
      const reason = describeSqlite(error);
      this.#say({ type: "report", level: "warning", text: `durable.db: ${changes.length} changes could not be written: ${reason}` });
      this.#say({ type: "failed", tickets, reason });
    }
  }

  #collect(request: WriteRequest): void {
    for (const change of changesOf(request)) {
      const { resource, kind, key } = "put" in change ? change.put : change.remove;
      this.#softChanges.set(`${resource}|${kind}|${key}`, change);
    }
    if (request.ticket !== undefined) this.#softTickets.push(request.ticket);
  }

  #writeSoft(): void {
    clearTimeout(this.#softTimer);
    this.#softTimer = undefined;
    const tickets = this.#softTickets;
    this.#softTickets = [];
    try {
      this.#soft.commit([...this.#softChanges.values()]);
      this.#softChanges.clear();
      this.#softFails = false;
      if (tickets.length > 0) this.#say({ type: "persisted", tickets });
    } catch (error) {
      this.#softFailed(describeSqlite(error), tickets);
    }
  }

  /** Soft rows nobody waits for stay collected, to be written when the disk allows; the failure is told once. */
  #softFailed(reason: string, tickets: readonly number[]): void {
    if (!this.#softFails) this.#say({ type: "report", level: "warning", text: `soft.db: registrations are not written to disk: ${reason}` });
    this.#softFails = true;
    if (tickets.length > 0) this.#say({ type: "failed", tickets, reason });
    if (this.#softChanges.size >= MAX_SOFT_CHANGES) this.#softChanges.clear();
    else this.#softTimer ??= setTimeout(() => this.#writeSoft(), SOFT_RETRY_MS);
  }

  #close(): void {
    this.#writeWaiting();
    this.#writeSoft();
    clearTimeout(this.#softTimer);
    this.#durable.close();
    this.#soft.close();
    this.#say({ type: "closed" });
  }
}

const changesOf = ({ puts, removals }: WriteRequest): readonly Change[] => [
  ...puts.map((put) => ({ put })),
  ...removals.map((remove) => ({ remove })),
];

const port = parentPort;
if (port !== null) {
  const thread = new StoreThread(String(workerData), (message) => port.postMessage(message));
  thread.open();
  port.on("message", (message: ToWorker) => thread.accept(message));
}
