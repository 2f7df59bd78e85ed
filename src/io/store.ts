import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { OverlayEffect, OverlayInput, StoredRow } from "../overlay/ports.ts";
import type { FromWorker, ToWorker, WriteRequest } from "./store-messages.ts";
import type { RowKey } from "./stored-rows.ts";

export type PersistCommand = Extract<OverlayEffect, { type: "persist" }>;
export type PersistEvent = Extract<OverlayInput, { type: "persisted" | "persist-failed" }>;
export type DiskEvent = Extract<OverlayInput, { type: "row-damaged" | "disk-renewed" }>;

/** The databases cannot be used at all; the message is a sentence for the operator. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

interface StoreSettings {
  /** The data directory. */
  readonly directory: string;
  readonly onInput: (input: PersistEvent | DiskEvent) => void;
  readonly onReport: (level: "info" | "warning", text: string) => void;
}

/** Soft rows nobody waits for are gathered this long: a phone that comes twice is written once, and the thread is not called for each. */
const GATHER_MS = 1_000;
/** What it hands through is young and soon over. By itself V8 would take more for it. MiB. */
const YOUNG_MB = 8;
/** At this many they go at once. */
const MAX_GATHERED = 10_000;

/** The two databases of a box, written by a thread of their own. */
export class Store {
  readonly #settings: StoreSettings;
  #worker: Worker | undefined;
  /** Tickets the thread has not answered: if it dies, they fail. BOUNDED: by the core, one for each store under way. */
  readonly #pending = new Set<number>();
  /** The last change of each soft row. BOUNDED: MAX_GATHERED. */
  readonly #gathered = new Map<string, SoftChange>();
  #gatherTimer: NodeJS.Timeout | undefined;
  #closing = false;
  #damaged: readonly RowKey[] = [];

  constructor(settings: StoreSettings) {
    this.#settings = settings;
  }

  /** Opens or makes the databases and returns every row that is whole. Rejects with `StoreError`. */
  open(): Promise<readonly StoredRow[]> {
    const worker = new Worker(workerFile(), { workerData: this.#settings.directory, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
    this.#worker = worker;
    const rows = new Promise<readonly StoredRow[]>((resolve, reject) => {
      worker.on("message", (message: FromWorker) => {
        if (message.type === "opened") {
          this.#damaged = message.damaged;
          resolve(message.rows);
        }
        else if (message.type === "unusable") reject(new StoreError(`the databases in ${this.#settings.directory} cannot be used: ${message.reason}`));
        else this.#accept(message);
      });
      worker.on("error", (error) => reject(new StoreError(`the store's thread stopped: ${error.message}`)));
      worker.on("exit", () => {
        reject(new StoreError("the store's thread ended before it had opened the databases"));
        this.#ended();
      });
    });
    return rows.catch(async (error: unknown) => {
      this.#closing = true;
      await worker.terminate();
      throw error;
    });
  }

  /** Rows that were not as they were written when the databases were opened. */
  get damagedAtStart(): readonly RowKey[] {
    return this.#damaged;
  }

  persist(commands: readonly PersistCommand[]): void {
    if (commands.length === 0) return;
    for (const { ticket } of commands) if (ticket !== undefined) this.#pending.add(ticket);
    if (this.#worker === undefined) return this.#failPending();
    const requests: WriteRequest[] = [];
    for (const command of commands) {
      if (command.durability === "soft" && command.ticket === undefined) this.#gather(command);
      else requests.push(toRequest(command));
    }
    if (requests.length > 0) this.#say({ type: "write", requests });
  }

  /** What is on disk now is copied to files that are not read again. */
  setAside(): void {
    this.#say({ type: "set-aside" });
  }

  /** Writes what waits, and closes. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#closing = true;
    this.#sayGathered();
    const exit = once(worker, "exit");
    this.#say({ type: "close" });
    await exit;
  }

  #gather({ puts, removals }: PersistCommand): void {
    for (const put of puts) this.#gathered.set(nameOf(put), { put });
    for (const remove of removals) this.#gathered.set(nameOf(remove), { remove });
    if (this.#gathered.size >= MAX_GATHERED) this.#sayGathered();
    else this.#gatherTimer ??= setTimeout(() => this.#sayGathered(), GATHER_MS);
  }

  #sayGathered(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    const puts: StoredRow[] = [];
    const removals: RowKey[] = [];
    for (const change of this.#gathered.values()) {
      if ("put" in change) puts.push(change.put);
      else removals.push(change.remove);
    }
    this.#gathered.clear();
    if (puts.length + removals.length === 0) return;
    this.#say({ type: "write", requests: [{ ticket: undefined, durability: "soft", puts: puts.map(ownBytes), removals }] });
  }

  #accept(message: FromWorker): void {
    switch (message.type) {
      case "persisted":
        for (const ticket of message.tickets) this.#answer({ type: "persisted", ticket });
        return;
      case "failed":
        for (const ticket of message.tickets) this.#answer({ type: "persist-failed", ticket, reason: message.reason });
        return;
      case "damaged":
        for (const row of message.rows) this.#settings.onInput({ type: "row-damaged", row });
        return;
      case "renewed":
        return this.#settings.onInput({ type: "disk-renewed", durability: message.durability });
      case "report":
        return this.#settings.onReport(message.level, message.text);
      case "closed":
        void this.#worker?.terminate();
        return;
      default:
        return;
    }
  }

  #answer(event: PersistEvent): void {
    this.#pending.delete(event.ticket);
    this.#settings.onInput(event);
  }

  #ended(): void {
    this.#worker = undefined;
    if (!this.#closing) this.#settings.onReport("warning", "the store's thread stopped: nothing is written to disk any more");
    this.#failPending();
  }

  #failPending(): void {
    for (const ticket of [...this.#pending]) this.#answer({ type: "persist-failed", ticket, reason: "the store has stopped" });
  }

  #say(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }
}

type SoftChange = { readonly put: StoredRow } | { readonly remove: RowKey };

const nameOf = ({ resource, kind, key }: RowKey): string => `${resource}|${kind}|${key}`;

/** Beside a bundle the thread is a bundle of its own; from source it is the source. */
const workerFile = (): URL =>
  new URL(import.meta.url.endsWith(".ts") ? "./store-worker.ts" : "./store-worker.mjs", import.meta.url);

const toRequest = ({ ticket, durability, puts, removals }: PersistCommand): WriteRequest => ({
  ticket, durability, puts: puts.map(ownBytes), removals,
});

/** A view is sent with all of the buffer it looks into; a row's bytes may be a view of a whole packet. */
function ownBytes(row: StoredRow): StoredRow {
  return row.stored.byteLength === row.stored.buffer.byteLength ? row : { ...row, stored: row.stored.slice() };
}
