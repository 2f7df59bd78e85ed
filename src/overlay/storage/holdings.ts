import { BoundedMap } from "../../base/bounded-map.ts";
import { utf8Octets } from "../../base/bytes.ts";
import { fault, ok, type Result } from "../../base/result.ts";
import { after, type Instant, instant, milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Persistence } from "../replicas/persistence.ts";
import type { KindDefinition, KindId, NodeId, ResourceId, StoredRow } from "../ports.ts";
import type { ErrorName } from "../wire/code-points.ts";
import { unknownKinds } from "../wire/error-info.ts";
import type { StoreKindData } from "../wire/message-body.ts";
import { decodeStoredData, encodeUnsignedStoredData, signStoredData, type StoredData, verifyStoredData } from "../wire/stored-data.ts";
import { type Bringer, decodeEntry, entryFrom, placeOf, type StoredEntry } from "./entry.ts";
import { mayWrite } from "./access-policy.ts";
import { KeptCertificates } from "./kept-certificates.ts";
import { DiskRepair } from "./disk-repair.ts";
import { seenIn, withPreface } from "./history.ts";
import { endedBy, isConcurrent, isSettled, siblingOf } from "./siblings.ts";
import { EntryStore, type MergeOutcome } from "./store.ts";

/** Values from disk whose signatures are verified at once, and the pause between two such portions. */
const VERIFIED_AT_ONCE = 200;
const VERIFYING_PAUSE = milliseconds(50);

/** Ours are hashes; a page of a summary must hold those of one resource. */
const MAX_KEY_BYTES = 255;

/** Boxes whose part is counted. */
const MAX_BRINGERS = 1_024;

const WRONG_SIGNATURE = "wrong signature";

/** The same of all signatures that an entry has in it: its own, and that of the version inside a sibling. */
function writersOf(entry: StoredEntry, kind: KindDefinition): readonly string[] {
  const own = kind.signed ? writerOf(entry, kind) : undefined;
  const inside = entry.sibling === undefined ? undefined : writerOf(entry.sibling, { model: "single" });
  return [own, inside].flatMap((hash) => hash ?? []);
}

/** SHA-256 of the certificate that a value is signed with, hex. */
function writerOf({ bytes }: Pick<StoredEntry, "bytes">, { model }: Pick<KindDefinition, "model">): string | undefined {
  const stored = decodeStoredData(bytes, model);
  return stored.ok && stored.value.signature.identity.type === "cert_hash" ? stored.value.signature.identity.hash : undefined;
}

/** Expiry is looked at once a second. */
const EXPIRY_GRAIN_MS = 1_000;

/** `beside`: what is held is newer, and the entry is kept as its sibling. */
export type AcceptOutcome = MergeOutcome | "expired" | "beside";

/** Whether this box holds something now that it did not hold before. */
export const isNews = (outcome: AcceptOutcome): boolean => outcome === "stored" || outcome === "beside";

export interface Refusal {
  readonly error: ErrorName;
  readonly info: string | Uint8Array;
}

/** What this box holds, in memory and on disk: every way in goes through `accept`. */
export class Holdings {
  readonly store = new EntryStore();
  readonly disk: DiskRepair;
  readonly #context: CoreContext;
  readonly #persistence: Persistence;
  readonly #certificates: KeptCertificates;
  /** BOUNDED: as many as members; beyond it the part of the oldest begins anew. */
  readonly #bringers = new BoundedMap<NodeId, Bringer>(MAX_BRINGERS, "evict");
  /** Told of values that are kept without a certificate to check their signatures by. */
  readonly #ofUnknownWriter: (entry: StoredEntry) => void;

  constructor(context: CoreContext, persistence: Persistence, ofUnknownWriter: (entry: StoredEntry) => void) {
    this.#context = context;
    this.#ofUnknownWriter = ofUnknownWriter;
    this.#persistence = persistence;
    this.#certificates = new KeptCertificates(context, persistence);
    this.disk = new DiskRepair(context, persistence, this.store, this.#certificates);
  }

  /** What was on disk; a row that cannot be read is left where it is and counted. */
  restore(rows: readonly StoredRow[], now: Instant): void {
    const writers = new Set<string>();
    const signed: StoredEntry[] = [];
    for (const row of rows) if (this.#certificates.isRow(row)) this.#certificates.restore(row);
    for (const row of rows) {
      if (this.#certificates.isRow(row)) continue;
      const kind = this.#context.kind(row.kind);
      const entry = kind === undefined ? undefined : decodeEntry(row.resource, kind, row.stored);
      if (entry === undefined || !entry.ok) {
        this.#context.count("row-unreadable");
        continue;
      }
      this.#context.clock.observe(entry.value.storedAt);
      const expires = this.#expiryOf(entry.value, now);
      if (expires === undefined) this.#persistence.remove(entry.value, this.#durability(row.kind));
      else this.store.merge(entry.value, expires, this.#context.clock.now());
      const hashes = kind === undefined || expires === undefined ? [] : writersOf(entry.value, kind);
      if (hashes.length === 0) continue;
      for (const hash of hashes) writers.add(hash);
      signed.push(entry.value);
    }
    // The version that settled one may have reached the disk, and its own removal not.
    this.dropSettled();
    this.#certificates.forgetAllBut(writers);
    this.#verifyRestored(signed);
  }

  /** A disk is believed no more than a neighbor; a portion at a time, so that a box with many values starts as fast. */
  #verifyRestored(entries: StoredEntry[]): void {
    for (const entry of entries.splice(0, VERIFIED_AT_ONCE)) if (!this.prove(entry)) this.#ofUnknownWriter(entry);
    if (entries.length > 0) this.#context.later("verify what was on disk", VERIFYING_PAUSE, () => this.#verifyRestored(entries));
  }

  /**
   * Checks the signature of a value that is held; one that is wrong is dropped, and asked back from the others.
   * False if there is no certificate to check it by.
   */
  prove(entry: StoredEntry): boolean {
    const { resource, kind: id, key, bytes } = entry;
    const kind = this.#context.kind(id);
    if (kind === undefined || this.store.find(resource, id, key) !== entry) return true;
    const writers = writersOf(entry, kind);
    if (!writers.every((hash) => this.#certificates.named(hash) !== undefined)) return false;
    const refused = this.#decodeOne(resource, kind, bytes, []);
    if (refused.ok || refused.fault.info !== WRONG_SIGNATURE) {
      this.#keepCertificateOf(entry, kind.durability);
      return true;
    }
    this.store.remove(entry);
    this.#context.count("row-wrongly-signed");
    this.disk.damaged(entry);
    return true;
  }

  /** Why this box would not keep an entry even if it is the newest: then it must not say that it has it. */
  unfit(entry: StoredEntry): Refusal | undefined {
    if (this.#expiryOf(entry, this.#context.now) === undefined) return { error: "Error_Request_Timeout", info: "over by this box's clock" };
    const overflowing = this.store.overflowing(entry, entry.broughtBy, this.store.find(entry.resource, entry.kind, entry.key));
    if (overflowing === undefined) return undefined;
    return { error: "Error_Data_Too_Large", info: overflowing === "all" ? "this box is full" : "too much from one box" };
  }

  /** From here on these count against the part of whoever sends them. */
  attribute(entries: readonly StoredEntry[], sender: NodeId): void {
    if (sender === this.#context.self) return;
    let bringer = this.#bringers.get(sender);
    if (bringer === undefined) this.#bringers.set(sender, (bringer = { entries: 0, bytes: 0 }));
    for (const entry of entries) entry.broughtBy = bringer;
  }

  /** Keeps an entry if it is newer than what is held, and has it written to disk. */
  accept(entry: StoredEntry, generation = 0): AcceptOutcome {
    const expires = this.#expiryOf(entry, this.#context.now);
    if (expires === undefined) return "expired";
    if (entry.sibling !== undefined && this.#isSettled(entry)) return "older";
    const held = entry.preface === undefined ? undefined : this.store.find(entry.resource, entry.kind, entry.key);
    if (held !== undefined && this.#isProved(held) && !this.#isProved(entry)) {
      this.#context.count("unproved-value-refused");
      return "older";
    }
    const outcome = this.store.merge(entry, expires, this.#context.clock.now());
    if (outcome === "stored") {
      this.#context.clock.observe(entry.storedAt);
      this.store.raiseGeneration(entry.resource, entry.kind, generation);
    }
    const durability = this.#durability(entry.kind);
    // The same again, or an older one: what stands in its place may still be on its way to the disk, or have failed.
    const standing = outcome === "stored" ? entry : durability === "durable" ? this.store.find(entry.resource, entry.kind, entry.key) : undefined;
    if (standing !== undefined) {
      this.#persistence.put(standing, durability);
      this.#keepCertificateOf(standing, durability);
      this.disk.received(standing);
    }
    return entry.preface === undefined ? outcome : this.#sortOut(entry, held, outcome);
  }

  #isSettled(sibling: StoredEntry): boolean {
    const siblings = this.#context.kind(sibling.kind);
    const values = siblings?.siblingsOf === undefined ? undefined : this.#context.kind(siblings.siblingsOf);
    return siblings !== undefined && values !== undefined && isSettled(this.store, sibling, values);
  }

  /** What two versions that meet leave behind: see siblings.ts. */
  #sortOut(entry: StoredEntry, held: StoredEntry | undefined, outcome: MergeOutcome): AcceptOutcome {
    const kind = this.#context.kind(entry.kind);
    const siblings = kind?.siblings === undefined ? kind : this.#context.kind(kind.siblings);
    if (siblings === undefined) return outcome;
    const [loser, winner] = outcome === "older" ? [entry, held] : [held, entry];
    const isLost = entry.sibling === undefined && outcome !== "same" && loser !== undefined && winner !== undefined && isConcurrent(loser, winner);
    const sibling = isLost ? siblingOf(loser, siblings) : undefined;
    const kept = sibling === undefined ? "same" : this.accept(sibling);
    if (kept === "full") this.#context.count("sibling-not-kept");
    if (outcome !== "stored") return kept === "stored" ? "beside" : outcome;
    const { settled, surplus } = endedBy(this.store, entry, siblings);
    for (const over of [...settled, ...surplus]) this.drop(over);
    if (surplus.length > 0) {
      this.#context.count("sibling-dropped");
      this.#context.report("warning", "A value was written at once by more boxes than are remembered; the oldest version was dropped.");
    }
    return outcome;
  }

  /**
   * To be called when the time has just been compared with the others'. Values that were stamped while this box's
   * clock was far ahead would be refused by every other box, and could not be replaced by anybody: they are
   * stamped anew, in this box's name.
   */
  mendFutureStamps(): void {
    if (!this.#context.clock.forgetFutureStamps()) return;
    const { self, clock } = this.#context;
    for (const entry of [...this.store.entriesFrom(self)]) if (clock.isTooFarAhead(entry.storedAt)) this.#stampAnew(entry);
  }
  #stampAnew(old: StoredEntry): void {
    const kind = this.#context.kind(old.kind);
    if (kind === undefined) return;
    const { resource, lifetime, exists, content, preface } = old;
    const { clock, self } = this.#context;
    const storageTime = clock.stamp();
    const follows = preface === undefined ? [] : seenIn([preface]).filter(({ stamp }) => !clock.isTooFarAhead(stamp));
    const value = kind.siblings === undefined ? old.value : withPreface({ lifetime, version: { writer: self, stamp: storageTime }, follows }, content);
    const stored = { storageTime, lifetime, place: placeOf(kind, old.key), exists, value };
    const bytes = kind.signed ? signStoredData(resource, kind.id, stored, this.#context.signer) : encodeUnsignedStoredData(stored);
    const entry = decodeEntry(resource, kind, bytes);
    if (!entry.ok || !this.store.remove(old)) return;
    this.accept(entry.value);
    this.#context.count("value-stamped-anew");
  }

  /** The time is another one than was thought when the entries came: their ends are reckoned anew. */
  clockCorrected(): void {
    const { self, now } = this.#context;
    for (const entry of [...this.store.entriesFrom(self)]) {
      const expires = this.#expiryOf(entry, now);
      if (expires === undefined) this.drop(entry);
      else this.store.expireAt(entry, expires);
    }
  }

  /** This box begins anew, as a blank one: what it held is kept on disk beside the database. */
  setAside(): void {
    this.#context.emit({ type: "set-aside" });
    this.#certificates.forgetAllBut(new Set());
    for (const entry of [...this.store.entriesFrom(this.#context.self)]) this.drop(entry);
  }

  /** Siblings of which a version that is held tells that its writer knew them: nobody would take one from us. */
  dropSettled(): void {
    for (const sibling of [...this.store.siblings]) if (this.#isSettled(sibling)) this.drop(sibling);
  }

  drop(entry: StoredEntry): void {
    if (this.store.remove(entry)) this.#persistence.remove(entry, this.#durability(entry.kind));
  }

  expire(): void {
    for (let entry = this.store.takeExpired(this.#context.now); entry !== undefined; ) {
      this.#persistence.remove(entry, this.#durability(entry.kind));
      entry = this.store.takeExpired(this.#context.now);
    }
  }
  nextExpiry(): Instant | undefined {
    return this.store.nextExpiry();
  }

  knowCertificate(certificate: Uint8Array): void {
    this.#certificates.know(certificate);
  }
  #keepCertificateOf(entry: StoredEntry, durability: KindDefinition["durability"]): void {
    const kind = this.#context.kind(entry.kind);
    if (kind === undefined || durability !== "durable") return;
    const hashes = writersOf(entry, kind);
    for (const hash of hashes) this.#certificates.keep(hash);
    if (!hashes.every((hash) => this.#certificates.named(hash) !== undefined)) this.#ofUnknownWriter(entry);
  }
  /** A certificate that was published as this box's: believed if it is. */
  offerCertificate(certificate: Uint8Array, nodeId: NodeId): void {
    const inspected = this.#context.trust.inspect(certificate, "author");
    if ("nodeId" in inspected && inspected.nodeId === nodeId) this.knowCertificate(certificate);
  }
  /** The certificates that values of these resources are signed with, as far as they are known. */
  certificatesFor(kinds: readonly StoreKindData[]): readonly Uint8Array[] {
    const found = new Set<Uint8Array>();
    for (const { kind: id, values } of kinds) {
      const kind = this.#context.kind(id);
      if (kind?.signed !== true) continue;
      for (const value of values) {
        const stored = decodeStoredData(value, kind.model);
        const identity = stored.ok ? stored.value.signature.identity : undefined;
        const certificate = identity?.type === "cert_hash" ? this.#certificates.named(identity.hash) : undefined;
        if (certificate !== undefined && found.size < 16) found.add(certificate);
      }
    }
    return [...found];
  }

  /** The values of a request or answer as entries, checked as far as any box can (RFC 6940 section 7.4.1.1). */
  decode(
    resource: ResourceId,
    kinds: readonly StoreKindData[],
    certificates: readonly Uint8Array[],
  ): Result<readonly StoredEntry[], Refusal> {
    const unknown = kinds.filter(({ kind }) => this.#context.kind(kind) === undefined).map(({ kind }) => kind);
    if (unknown.length > 0) return fault({ error: "Error_Unknown_Kind", info: unknownKinds(unknown) });
    const entries: StoredEntry[] = [];
    const seen = new Set<KindId>();
    for (const { kind: id, values } of kinds) {
      const kind = this.#context.kind(id);
      if (kind === undefined) continue;
      if (seen.has(id)) return fault({ error: "Error_Invalid_Message", info: "a kind twice" });
      seen.add(id);
      for (const bytes of values) {
        const entry = this.#decodeOne(resource, kind, bytes, certificates);
        if (!entry.ok) return entry;
        const refusal = this.#policyRefusal(kind, entry.value);
        if (refusal !== undefined) return fault(refusal);
        entries.push(entry.value);
      }
    }
    return ok(entries);
  }

  #decodeOne(
    resource: ResourceId,
    kind: KindDefinition,
    bytes: Uint8Array,
    certificates: readonly Uint8Array[],
  ): Result<StoredEntry, Refusal> {
    const stored = decodeStoredData(bytes, kind.model);
    if (!stored.ok) return fault({ error: "Error_Invalid_Message", info: stored.fault.reason });
    const { storageTime, value } = stored.value;
    if (value.length > kind.maxValueBytes) return fault({ error: "Error_Data_Too_Large", info: "value" });
    const { place } = stored.value;
    if (place.model === "dictionary" && place.key.length > 2 * MAX_KEY_BYTES) return fault({ error: "Error_Data_Too_Large", info: "key" });
    if (this.#context.clock.isTooFarAhead(storageTime)) return fault({ error: "Error_Forbidden", info: "storage_time lies in the future" });
    const refusal = kind.signed ? this.#signatureRefusal(resource, kind.id, stored.value, certificates) : undefined;
    if (refusal !== undefined) return fault(refusal);
    const entry = entryFrom(resource, kind, bytes, stored.value);
    if (!entry.ok) return fault({ error: entry.fault.error ?? "Error_Invalid_Message", info: entry.fault.reason });
    if (entry.value.sibling === undefined || kind.siblingsOf === undefined) return entry;
    const version = decodeStoredData(entry.value.sibling.bytes, "single");
    const inner = version.ok && this.#context.kind(kind.siblingsOf)?.signed === true ? this.#signatureRefusal(resource, kind.siblingsOf, version.value, certificates) : undefined;
    return inner === undefined ? entry : fault(inner);
  }

  #signatureRefusal(resource: ResourceId, kind: KindId, stored: StoredData, certificates: readonly Uint8Array[]): Refusal | undefined {
    const { identity } = stored.signature;
    if (identity.type !== "cert_hash") return { error: "Error_Forbidden", info: "not signed" };
    const known = this.#certificates.named(identity.hash, certificates);
    // Without the writer's certificate the hop between two enrolled boxes has to be enough.
    if (known === undefined) this.#context.count("value-of-unknown-writer");
    else if (!verifyStoredData(resource, kind, stored, [known], this.#context.crypto)) return { error: "Error_Forbidden", info: WRONG_SIGNATURE };
    else if (this.#isFromRevoked(known, stored.storageTime)) return { error: "Error_Forbidden", info: "its writer was revoked" };
    return undefined;
  }

  /** What a box signed before it was revoked stays valid. */
  #isFromRevoked(certificate: Uint8Array, storedAt: number): boolean {
    const { trust, rules } = this.#context;
    if (rules.epoch === 0) return false;
    const writer = trust.inspect(certificate, "author");
    const revokedAt = "nodeId" in writer ? rules.revokedAt(writer.nodeId) : undefined;
    return revokedAt !== undefined && storedAt >= revokedAt;
  }

  /** Whether a box may make such a request (RFC 6940 section 7.4.1.1); of values, whoever signed them. */
  mayWrite(kind: KindDefinition, { resource, key }: StoredEntry, nodeId: NodeId): boolean {
    if (kind.access === undefined) return true;
    const { settings, crypto } = this.#context;
    const userName = utf8Octets(`${nodeId}@${settings.overlayName}`);
    return mayWrite(kind.access, { resource, key, signer: { nodeId, userName }, maxNodeMultiple: kind.maxNodeMultiple ?? 1 }, crypto);
  }
  /** Whose certificate it is signed with, and whether that is known: a new value comes with its writer's certificate. */
  isOfKnownWriter(kind: KindDefinition, entry: StoredEntry): boolean {
    return !kind.signed || this.#writerNodeId(kind, entry) !== undefined;
  }
  /** Its writer's certificate is known, so that its signature was verified. */
  #isProved(entry: StoredEntry): boolean {
    const kind = this.#context.kind(entry.kind);
    return kind !== undefined && writersOf(entry, kind).every((hash) => this.#certificates.named(hash) !== undefined);
  }
  #policyRefusal(kind: KindDefinition, entry: StoredEntry): Refusal | undefined {
    if (kind.access === undefined) return undefined;
    const nodeId = this.#writerNodeId(kind, entry);
    return nodeId !== undefined && this.mayWrite(kind, entry, nodeId) ? undefined : { error: "Error_Forbidden", info: `access policy ${kind.access}` };
  }
  #writerNodeId(kind: KindDefinition, entry: StoredEntry): NodeId | undefined {
    const hash = writerOf(entry, kind);
    const certificate = hash === undefined ? undefined : this.#certificates.named(hash);
    const writer = certificate === undefined ? undefined : this.#context.trust.inspect(certificate, "author");
    return writer !== undefined && "nodeId" in writer ? writer.nodeId : undefined;
  }

  #durability(kind: KindId): KindDefinition["durability"] {
    return this.#context.kind(kind)?.durability ?? "soft";
  }

  /** By the monotonic clock from here on: a wall clock that jumps expires nothing. `undefined`: over already. */
  #expiryOf({ storedAt, lifetime }: StoredEntry, now: Instant): Instant | undefined {
    const whole = lifetime * 1_000;
    const left = Math.min(whole, storedAt + whole - this.#context.clock.now());
    if (left <= 0) return undefined;
    return instant(Math.ceil(after(now, milliseconds(left)) / EXPIRY_GRAIN_MS) * EXPIRY_GRAIN_MS);
  }
}
