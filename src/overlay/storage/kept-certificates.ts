import { BoundedMap } from "../../base/bounded-map.ts";
import { toHex } from "../../base/bytes.ts";
import { wallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { KindDefinition, ResourceId, StoredRow } from "../ports.ts";
import type { Persistence } from "../replicas/persistence.ts";
import { encodeUnsignedStoredData } from "../wire/stored-data.ts";
import { decodeEntry, type StoredEntry } from "./entry.ts";

/** Certificates of writers; above, the one that was met first is forgotten. */
const MAX_CERTIFICATES = 4_096;

/** Rows of this kind lie on this box's disk only; they are no part of the ring, and nobody can fetch them. */
export const KEPT_CERTIFICATE: KindDefinition = {
  id: 0xf000ff01, name: "KEPT-CERTIFICATE", model: "single", durability: "durable", signed: false, maxEntries: 1, maxValueBytes: 65_535,
};

/**
 * The certificates by which signed values are verified, found by the hash that a signature names. Those of durable
 * values are on disk as long as the values are (RFC 6940 section 6.3.4): a writer may be long gone by then.
 */
export class KeptCertificates {
  readonly #context: CoreContext;
  readonly #persistence: Persistence;
  readonly #known = new BoundedMap<string, Uint8Array>(MAX_CERTIFICATES, "evict");
  /** As they lie on disk. */
  readonly #kept = new BoundedMap<string, StoredEntry>(MAX_CERTIFICATES, "evict");

  constructor(context: CoreContext, persistence: Persistence) {
    this.#context = context;
    this.#persistence = persistence;
  }

  isRow({ kind }: Pick<StoredRow, "kind">): boolean {
    return kind === KEPT_CERTIFICATE.id;
  }
  get rows(): Iterable<StoredEntry> {
    return this.#kept.values();
  }
  isKept(entry: StoredEntry): boolean {
    return this.#kept.get(entry.resource) === entry;
  }
  /** A row that was damaged is written anew; whether it could be. */
  mend(resource: ResourceId): boolean {
    const entry = this.#kept.get(resource);
    if (entry !== undefined) this.#persistence.put(entry, "durable");
    return entry !== undefined;
  }

  know(certificate: Uint8Array): void {
    if (certificate.length > 0) this.#known.set(toHex(this.#context.crypto.sha256(certificate)), certificate);
  }
  /** By its SHA-256, hex; `offered` came with the value. */
  named(hash: string, offered: readonly Uint8Array[] = []): Uint8Array | undefined {
    const known = this.#known.get(hash);
    if (known !== undefined) return known;
    for (const certificate of offered) if ("nodeId" in this.#context.trust.inspect(certificate, "author")) this.know(certificate);
    return this.#known.get(hash);
  }

  /** From disk: believed like one from the network, not more. */
  restore(row: StoredRow): void {
    const entry = decodeEntry(row.resource, KEPT_CERTIFICATE, row.stored);
    if (!entry.ok || !("nodeId" in this.#context.trust.inspect(entry.value.value, "author"))) return this.#context.count("certificate-unreadable");
    this.know(entry.value.value);
    this.#kept.set(row.resource, entry.value);
  }
  /** A durable value that is signed with it is on its way to the disk: so is it. */
  keep(hash: string): void {
    const resource = placeOf(hash);
    const certificate = this.#known.get(hash);
    if (certificate === undefined || this.#kept.has(resource)) return;
    const bytes = encodeUnsignedStoredData({ storageTime: wallTime(0), lifetime: 0, place: { model: "single" }, exists: true, value: certificate });
    const entry = decodeEntry(resource, KEPT_CERTIFICATE, bytes);
    if (!entry.ok) return;
    this.#kept.set(resource, entry.value);
    this.#persistence.put(entry.value, "durable");
  }
  /** What no value on disk is signed with need not be there either. */
  forgetAllBut(hashes: ReadonlySet<string>): void {
    const wanted = new Set([...hashes].map(placeOf));
    for (const entry of [...this.#kept.values()]) {
      if (wanted.has(entry.resource)) continue;
      this.#kept.delete(entry.resource);
      this.#persistence.remove(entry, "durable");
    }
  }
}

const placeOf = (hash: string): ResourceId => hash.slice(0, 32) as ResourceId;
