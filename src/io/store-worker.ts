// The thread that writes. A commit waits for the disk, 50 ms and more on a slow card; SIP must not.
//
// durable.db: everything that has arrived goes into one commit, and only then are its tickets answered
// (group commit). soft.db: changes come gathered, about once a second; what cannot be written is tried again with them.
// Refreshes of phones that are on disk wait for minutes and are written together.

import { basename, join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { type Duration, milliseconds, wallAfter, wallTime } from "../base/time.ts";
import type { Durability } from "../overlay/ports.ts";
import { REFRESHES_WRITTEN_EVERY, SoftWrites, WORTH_WRITING } from "./soft-writes.ts";
import { describeSqlite, isDamage, isDiskFault } from "./sqlite.ts";
import type { FromWorker, ToWorker, WriteRequest } from "./store-messages.ts";
import { type Change, type Loaded, type RowKey, StoredRows } from "./stored-rows.ts";

const SOFT_RETRY_MS = 1_000;

/** A database in doubt is opened again after this. */
const DOUBT_RETRY_MS = 2_000;

/** The scrub reads so many rows each second, that a large database takes an hour and nobody notices … */
const SCRUB_ROWS = 100;
const SCRUB_STEP_MS = 1_000;
/** … and rests between two rounds. */
const SCRUB_REST_MS = 20_000;

const FILES = { durable: "durable.db", soft: "soft.db" } as const satisfies Record<Durability, string>;

class StoreThread {
  readonly #say: (message: FromWorker) => void;
  readonly #files: { readonly [Class in Durability]: StoredRows };
  #waiting: WriteRequest[] = [];
  readonly #softWrites = new SoftWrites((row) => this.#onDisk(row));
  readonly #refreshTimer = setInterval(() => this.#writeRefreshes(WORTH_WRITING), REFRESHES_WRITTEN_EVERY);
  #softTickets: number[] = [];
  #softTimer: NodeJS.Timeout | undefined;
  #softFails = false;
  /** Why the last durable write failed; said once until one succeeds. */
  #durableFault: string | undefined;
  /** Databases that said something no database should: nothing is written to them until they were opened again. */
  readonly #doubted = new Map<Durability, NodeJS.Timeout>();
  #scrubTimer: NodeJS.Timeout | undefined;

  constructor(directory: string, say: (message: FromWorker) => void) {
    this.#say = say;
    this.#files = {
      durable: new StoredRows(join(directory, FILES.durable), "FULL"),
      soft: new StoredRows(join(directory, FILES.soft), "NORMAL"),
    };
  }

  open(): void {
    try {
      const durable = this.#opened("durable");
      const soft = this.#opened("soft");
      this.#say({ type: "opened", rows: [...durable.rows, ...soft.rows], damaged: [...durable.damaged, ...soft.damaged] });
      this.#scrubLater("durable", undefined, SCRUB_STEP_MS);
    } catch (error) {
      this.#say({ type: "unusable", reason: describeSqlite(error) });
    }
  }

  accept(message: ToWorker): void {
    if (message.type === "close") return this.#close();
    if (message.type === "set-aside") return this.#setAside();
    // What has queued up behind this message while the last commit ran is taken along.
    if (this.#waiting.length === 0) setImmediate(() => this.#writeWaiting());
    this.#waiting.push(...message.requests);
  }

  #opened(durability: Durability): Loaded {
    const loaded = this.#files[durability].open();
    const { rows, damaged, lostCommits, movedTo } = loaded;
    if (movedTo !== undefined) {
      this.#warn(`${FILES[durability]} was damaged and is now ${basename(movedTo)}; ${rows.length} rows of it could be read, the rest comes from the neighbors`);
    }
    if (lostCommits > 0) this.#warn(`${FILES[durability]}: its log was damaged, and the last ${lostCommits} commits in it are lost; the neighbors have them`);
    this.#tellDamaged(durability, damaged);
    return loaded;
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
    if (this.#doubted.has("durable")) return this.#say({ type: "failed", tickets, reason: this.#durableFault ?? "the disk reported an error" });
    try {
      this.#files.durable.commit(changes);
      this.#durableFault = undefined;
      if (tickets.length > 0) this.#say({ type: "persisted", tickets });
    } catch (error) {
      // Whoever waits is told no; a write that failed once is never tried again behind his back.
      const reason = describeSqlite(error);
      if (this.#durableFault !== reason) this.#warn(`durable.db: ${changes.length} changes could not be written: ${reason}`);
      this.#durableFault = reason;
      this.#say({ type: "failed", tickets, reason });
      if (isInDoubt(error)) this.#doubt("durable");
    }
  }

  /**
   * After a failed synchronization the kernel may take for written what is not, and will not say so again. The file
   * is closed, opened and read as a whole; then all that is to be in it is written once more.
   */
  #doubt(durability: Durability): void {
    if (this.#doubted.has(durability)) return;
    this.#warn(`${FILES[durability]}: nothing is acknowledged until the file was read again as a whole`);
    this.#openAgainLater(durability);
  }
  #openAgainLater(durability: Durability): void {
    this.#doubted.set(durability, setTimeout(() => this.#openAgain(durability), DOUBT_RETRY_MS));
  }
  #openAgain(durability: Durability): void {
    try {
      this.#files[durability].close();
      this.#opened(durability);
    } catch {
      return this.#openAgainLater(durability); // said when it began
    }
    this.#doubted.delete(durability);
    this.#say({ type: "report", level: "info", text: `${FILES[durability]} was read again as a whole; all that belongs into it is written anew` });
    this.#say({ type: "renewed", durability });
  }

  #collect(request: WriteRequest): void {
    for (const change of changesOf(request)) this.#softWrites.collect(change);
    if (request.ticket !== undefined) this.#softTickets.push(request.ticket);
  }

  #writeSoft(): void {
    clearTimeout(this.#softTimer);
    this.#softTimer = undefined;
    const tickets = this.#softTickets;
    this.#softTickets = [];
    try {
      this.#files.soft.commit(this.#softWrites.prompt);
      this.#softWrites.promptWritten();
      this.#softFails = false;
      if (tickets.length > 0) this.#say({ type: "persisted", tickets });
    } catch (error) {
      if (isDamage(error)) this.#doubt("soft");
      this.#softFailed(describeSqlite(error), tickets);
    }
  }

  /** Soft rows nobody waits for stay collected, to be written when the disk allows; the failure is told once. */
  #softFailed(reason: string, tickets: readonly number[]): void {
    if (!this.#softFails) this.#warn(`soft.db: registrations are not written to disk: ${reason}`);
    this.#softFails = true;
    if (tickets.length > 0) this.#say({ type: "failed", tickets, reason });
    if (this.#softWrites.promptFailed()) this.#softTimer ??= setTimeout(() => this.#writeSoft(), SOFT_RETRY_MS);
  }

  #writeRefreshes(worth: Duration): void {
    this.#softWrites.releaseRefreshes(wallAfter(wallTime(Date.now()), worth));
    this.#writeSoft();
  }

  /** What cannot be read is as if it were not there: it is written, and the write tells what is wrong. */
  #onDisk(row: RowKey): Uint8Array | undefined {
    try {
      return this.#files.soft.read(row);
    } catch {
      return undefined;
    }
  }

  #scrubLater(durability: Durability, behind: RowKey | undefined, delay: number): void {
    this.#scrubTimer = setTimeout(() => this.#scrub(durability, behind), delay);
  }
  #scrub(durability: Durability, behind: RowKey | undefined): void {
    let next: RowKey | undefined;
    try {
      const scrubbed = this.#doubted.has(durability) ? undefined : this.#files[durability].scrub(behind, SCRUB_ROWS);
      next = scrubbed?.next;
      if (scrubbed !== undefined && scrubbed.damaged.length > 0) {
        this.#tellDamaged(durability, scrubbed.damaged);
        this.#say({ type: "damaged", rows: scrubbed.damaged });
      }
    } catch (error) {
      this.#warn(`${FILES[durability]}: ${describeSqlite(error)}`);
      this.#doubt(durability);
    }
    if (next !== undefined) return this.#scrubLater(durability, next, SCRUB_STEP_MS);
    if (durability === "durable") this.#scrubLater("soft", undefined, SCRUB_STEP_MS);
    else this.#scrubLater("durable", undefined, SCRUB_REST_MS);
  }

  #setAside(): void {
    this.#writeWaiting();
    try {
      this.#warn(`what was in ${FILES.durable} is now ${basename(this.#files.durable.copyAside())}; this box begins anew`);
    } catch (error) {
      this.#warn(`${FILES.durable} could not be copied before this box began anew: ${describeSqlite(error)}`);
    }
  }

  #tellDamaged(durability: Durability, damaged: readonly RowKey[]): void {
    if (damaged.length > 0) this.#warn(`${FILES[durability]}: ${damaged.length} rows were not as they were written and are set aside`);
  }

  #warn(text: string): void {
    this.#say({ type: "report", level: "warning", text });
  }

  #close(): void {
    this.#writeWaiting();
    this.#writeRefreshes(milliseconds(0));
    clearTimeout(this.#softTimer);
    clearInterval(this.#refreshTimer);
    clearTimeout(this.#scrubTimer);
    for (const timer of this.#doubted.values()) clearTimeout(timer);
    this.#files.durable.close();
    this.#files.soft.close();
    this.#say({ type: "closed" });
  }
}

/** Errors after which a database may not be what it says it is. A full or read-only disk is none: it said no before anything changed. */
const isInDoubt = (error: unknown): boolean => isDiskFault(error) || isDamage(error);

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
