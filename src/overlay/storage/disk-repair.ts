import { BoundedMap } from "../../base/bounded-map.ts";
import { milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Durability, KindId, ResourceId, StoredRow } from "../ports.ts";
import type { Persistence } from "../replicas/persistence.ts";
import type { RingId } from "../ring/ring.ts";
import type { StoredEntry } from "./entry.ts";
import type { KeptCertificates } from "./kept-certificates.ts";
import type { EntryStore } from "./store.ts";

/** Damaged rows that nobody has given back yet; above, the oldest is not waited for any more. */
const MAX_MISSING = 4_096;

/** Resources written at once when everything is written anew, and the pause between two such portions. */
const PORTION = 500;
const PAUSE = milliseconds(20);

type Row = Omit<StoredRow, "stored">;

/** Brings a disk back to what memory and the neighbors know: rows that were damaged, files that were in doubt. */
export class DiskRepair {
  readonly #context: CoreContext;
  readonly #persistence: Persistence;
  readonly #store: EntryStore;
  readonly #certificates: KeptCertificates;
  /** Durable rows that were damaged and of which this box has nothing in memory either. */
  readonly #missing = new BoundedMap<string, true>(MAX_MISSING, "evict");
  readonly #renewing = new Set<Durability>();

  constructor(context: CoreContext, persistence: Persistence, store: EntryStore, certificates: KeptCertificates) {
    this.#context = context;
    this.#persistence = persistence;
    this.#store = store;
    this.#certificates = certificates;
  }

  get missing(): number {
    return this.#missing.size;
  }
  /** Whether all that must be on disk is there, as far as this box knows. */
  get isWhole(): boolean {
    return this.#persistence.isComplete && !this.#renewing.has("durable");
  }

  /** Whether the neighbors have to be asked for it. */
  damaged(row: Row): boolean {
    this.#context.count("row-damaged");
    if (this.#certificates.isRow(row)) {
      if (this.#certificates.mend(row.resource)) this.#context.count("row-repaired");
      return false;
    }
    const held = this.#store.find(row.resource, row.kind, row.key);
    if (held !== undefined) {
      this.#persistence.put(held, this.#durabilityOf(row.kind));
      this.#context.count("row-repaired");
      return false;
    }
    if (this.#durabilityOf(row.kind) === "durable") this.#missing.set(nameOf(row), true);
    return true;
  }
  /** An entry has come in. */
  received(entry: StoredEntry): void {
    if (this.#missing.size > 0 && this.#missing.delete(nameOf(entry))) this.#context.count("row-repaired");
  }

  /** Writes again what could not be written, as far as it still stands. */
  retry(): void {
    const known = this.#persistence.retry((entry) => this.#store.find(entry.resource, entry.kind, entry.key) === entry || this.#certificates.isKept(entry));
    if (!known) this.renew("durable");
  }
  /** Writes everything of a class once more, a portion at a time. */
  renew(durability: Durability): void {
    this.#renewing.add(durability);
    if (durability === "durable") for (const certificate of this.#certificates.rows) this.#persistence.put(certificate, "durable");
    this.#renewFrom(durability, this.#context.self);
  }

  #renewFrom(durability: Durability, cursor: RingId): void {
    const { self } = this.#context;
    let count = 0;
    let last: ResourceId | undefined;
    for (const resource of this.#store.resourcesIn({ after: self, upTo: self }, cursor)) {
      for (const [kind, { entries }] of this.#store.kindsOf(resource)) {
        if (this.#durabilityOf(kind) === durability) for (const entry of entries.values()) this.#persistence.put(entry, durability);
      }
      last = resource;
      if (++count >= PORTION) break;
    }
    const next = last;
    if (next === undefined || count < PORTION) this.#renewing.delete(durability);
    else this.#context.later(`write ${durability} rows anew`, PAUSE, () => this.#renewFrom(durability, next));
  }

  #durabilityOf(kind: KindId): Durability {
    return this.#context.kind(kind)?.durability ?? "soft";
  }
}

const nameOf = ({ resource, kind, key }: Row): string => `${resource} ${kind} ${key}`;
