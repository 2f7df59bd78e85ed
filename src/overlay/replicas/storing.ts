import type { CoreContext } from "../core-context.ts";
import type { Doubles } from "../members/doubles.ts";
import { OFFERED } from "./arc-sync.ts";
import type { Membership } from "../members/membership.ts";
import type { Persistence } from "./persistence.ts";
import type { KindDefinition, KindId, NodeId, ResourceId } from "../ports.ts";
import { mayReplace, type Replication } from "./replication.ts";
import { NOT_RESPONSIBLE, type Received } from "../routing/router.ts";
import { placeAppended } from "../storage/array-places.ts";
import type { StoredEntry } from "../storage/entry.ts";
import { type Holdings, isNews, type Refusal } from "../storage/holdings.ts";
import type { ErrorName } from "../wire/code-points.ts";
import { currentGenerations } from "../wire/error-info.ts";
import type { StoreKindData, StoreReq } from "../wire/message-body.ts";

export type StoreResult =
  | { readonly ok: true; readonly copies: readonly NodeId[]; readonly generations: readonly { readonly kind: KindId; readonly generation: number }[] }
  | {
      readonly ok: false;
      readonly error: ErrorName;
      readonly info: string | Uint8Array;
      /** A member that sees another box responsible, and can forward to it. */
      readonly disputedBy?: NodeId;
    };

/** The text that tells "fewer disks than promised" from other failures of Error_Exp_A. */
export const NOT_DURABLE = "not durable";

/** Places of one resource and kind, the remembered deletions included: that many times the living entries. */
const PLACES_PER_ENTRY = 4;

/** Stores as the responsible peer and as a replica (RFC 6940 section 7.4.1). */
export class Storing {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #holdings: Holdings;
  readonly #persistence: Persistence;
  readonly #replication: Replication;
  readonly #doubles: Doubles;
  readonly #news: () => void;

  constructor(parts: { context: CoreContext; membership: Membership; holdings: Holdings; persistence: Persistence; replication: Replication; doubles: Doubles }, news: () => void) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#holdings = parts.holdings;
    this.#persistence = parts.persistence;
    this.#replication = parts.replication;
    this.#doubles = parts.doubles;
    this.#news = news;
  }

  /** All or nothing. `told` may be called within this call if the request is refused. */
  asOwner(
    resource: ResourceId,
    asked: readonly StoreKindData[],
    certificates: readonly Uint8Array[],
    told: (result: StoreResult) => void,
    sender = this.#context.self,
  ): void {
    const kinds = asked.map((kind) => this.#placed(resource, kind));
    const decoded = this.#holdings.decode(resource, kinds, certificates);
    if (!decoded.ok) return told({ ok: false, ...decoded.fault });
    this.#holdings.attribute(decoded.value, sender);
    const forbidden = decoded.value.map((entry) => this.#forbidden(entry, sender)).find((text) => text !== undefined);
    if (forbidden !== undefined) return told({ ok: false, error: "Error_Forbidden", info: forbidden });
    if (this.#doubles.isDouble && this.#isDurable(kinds)) return told({ ok: false, error: "Error_Exp_A", info: NOT_DURABLE });
    const refusal = this.#refusal(resource, kinds, decoded.value);
    if (refusal !== undefined) return told({ ok: false, ...refusal });
    this.#replication.write(resource, decoded.value, this.#isDurable(kinds), (outcome) => {
      if (outcome.ok) this.#context.count("store-acknowledged");
      if (outcome.ok) return told({ ok: true, copies: outcome.copies, generations: this.#generations(resource, kinds) });
      if (outcome.reason === "not-durable") return told({ ok: false, error: "Error_Exp_A", info: NOT_DURABLE });
      if (outcome.reason === "disputed") return told({ ok: false, error: "Error_Forbidden", info: NOT_RESPONSIBLE, disputedBy: outcome.by });
      told({ ok: false, error: "Error_Request_Timeout", info: "too few copies in time" });
    });
  }

  receive(received: Received, { resource, replicaNumber, kinds }: StoreReq, certificates: readonly Uint8Array[]): void {
    if (replicaNumber > 0 && replicaNumber < OFFERED && !this.#isPlausible(received.sender, resource)) {
      return received.refuse("Error_Forbidden", NOT_RESPONSIBLE);
    }
    if (replicaNumber > 0) return this.#asReplica(received, { resource, replicaNumber, kinds }, certificates);
    this.asOwner(resource, kinds, certificates, (result) => {
      if (!result.ok) return received.refuse(result.error, result.info);
      const answers = result.generations.map(({ kind, generation }) => ({ kind, generation, replicas: result.copies }));
      received.respond({ type: "store_ans", kinds: answers });
    }, received.sender);
  }

  /** The responsible peer says where in an array an appended value lies. */
  #placed(resource: ResourceId, data: StoreKindData): StoreKindData {
    if (this.#context.kind(data.kind)?.model !== "array") return data;
    return { ...data, values: placeAppended(data.values, this.#holdings.store.kind(resource, data.kind)?.entries.values() ?? []) };
  }

  #forbidden(entry: StoredEntry, sender: NodeId): string | undefined {
    const kind = this.#context.kind(entry.kind);
    if (kind === undefined) return undefined;
    if (!this.#holdings.isOfKnownWriter(kind, entry)) return "the writer's certificate is missing";
    return this.#holdings.mayWrite(kind, entry, sender) ? undefined : `access policy ${kind.access}`;
  }

  /**
   * RFC 6940 section 7.4.1.1, check of the sender: while this box has a link to another one that is
   * responsible, nobody else gets a write acknowledged with its help. So there are not two for long.
   */
  #isPlausible(sender: NodeId, resource: ResourceId): boolean {
    const { view } = this.#membership;
    const owner = view.owner(resource);
    if (!view.has(this.#context.self) || owner === undefined || owner === sender) return true;
    return owner === this.#context.self ? this.#replication.isInOffice(sender) : this.#membership.isSilent(owner);
  }

  /**
   * From the responsible peer, or from a box that holds what is not its own: the newest of both is
   * kept. An older value is no error: the sender will see ours when it compares.
   */
  #asReplica(received: Received, { resource, replicaNumber, kinds }: Omit<StoreReq, "type">, certificates: readonly Uint8Array[]): void {
    const decoded = this.#holdings.decode(resource, kinds, certificates);
    if (!decoded.ok) return received.refuse(decoded.fault.error, decoded.fault.info);
    const { sender } = received;
    if (replicaNumber >= OFFERED) this.#holdings.attribute(decoded.value, sender);
    // A copy that counts is one that is kept; what is merely offered may be over by now.
    const over = replicaNumber < OFFERED ? decoded.value.map((entry) => this.#holdings.unfit(entry)).find((unfit) => unfit !== undefined) : undefined;
    if (over !== undefined) return received.refuse(over.error, over.info);
    // Both halves of a cut may have filled a resource; beyond that nobody has honestly more.
    const crowded = kinds.some(({ kind: id }) => this.#isCrowded(resource, id, decoded.value));
    if (crowded) return received.refuse("Error_Data_Too_Large", "entries");
    if (this.#doubles.isDouble && this.#isDurable(kinds)) return received.refuse("Error_Exp_A", NOT_DURABLE);
    let brought = false;
    for (const entry of decoded.value) {
      const generation = kinds.find(({ kind }) => kind === entry.kind)?.generation ?? 0;
      const outcome = this.#holdings.accept(entry, generation);
      if (outcome === "full") return received.refuse("Error_Data_Too_Large", "no room");
      if (isNews(outcome)) brought = true;
    }
    // What others bring to the responsible peer its replicas do not have yet.
    if (brought && this.#membership.view.owner(resource) === this.#context.self) this.#news();
    const answer = (): void => {
      const answers = this.#generations(resource, kinds).map((generation) => ({ ...generation, replicas: [] }));
      received.respond({ type: "store_ans", kinds: answers });
    };
    if (!this.#isDurable(kinds)) return answer();
    this.#persistence.whenOnDisk((onDisk) => (onDisk ? answer() : received.refuse("Error_Exp_A", NOT_DURABLE)));
  }

  #isDurable(kinds: readonly StoreKindData[]): boolean {
    return kinds.some(({ kind }) => this.#context.kind(kind)?.durability === "durable");
  }
  #generations(resource: ResourceId, kinds: readonly StoreKindData[]): readonly { kind: KindId; generation: number }[] {
    return kinds.map(({ kind }) => ({ kind, generation: this.#holdings.store.kind(resource, kind)?.generation ?? 0 }));
  }

  #refusal(resource: ResourceId, kinds: readonly StoreKindData[], entries: readonly StoredEntry[]): Refusal | undefined {
    for (const { kind: id, generation } of kinds) {
      const current = this.#holdings.store.kind(resource, id)?.generation ?? 0;
      if (generation !== 0 && generation !== current) {
        return { error: "Error_Generation_Counter_Too_Low", info: currentGenerations([{ kind: id, generation: current, replicas: [] }]) };
      }
      const kind = this.#context.kind(id);
      if (kind === undefined) continue;
      const limits = this.#context.limited(kind);
      if (this.#isTooMany(resource, limits, entries)) return { error: "Error_Data_Too_Large", info: "entries" };
      if (entries.some((entry) => entry.kind === id && entry.exists && entry.value.length > limits.maxValueBytes)) return { error: "Error_Data_Too_Large", info: "value" };
    }
    for (const entry of entries) {
      const held = this.#holdings.store.find(entry.resource, entry.kind, entry.key);
      const unfit = this.#holdings.unfit(entry);
      if (unfit !== undefined) return unfit;
      if (!mayReplace(entry, held)) return { error: "Error_Data_Too_Old", info: String(held?.storedAt ?? 0) };
    }
    return undefined;
  }

  #isCrowded(resource: ResourceId, id: KindId, entries: readonly StoredEntry[]): boolean {
    const held = this.#holdings.store.kind(resource, id)?.entries;
    const added = new Set(entries.filter(({ kind, key }) => kind === id && held?.has(key) !== true).map(({ key }) => key)).size;
    const maxEntries = this.#context.kind(id)?.maxEntries ?? 0;
    return added > 0 && (held?.size ?? 0) + added > 2 * PLACES_PER_ENTRY * Math.max(16, maxEntries);
  }

  #isTooMany(resource: ResourceId, { id, maxEntries }: KindDefinition, entries: readonly StoredEntry[]): boolean {
    const living = new Map<string, boolean>();
    for (const held of this.#holdings.store.kind(resource, id)?.entries.values() ?? []) living.set(held.key, held.exists);
    const before = living.size;
    let added = false;
    for (const { kind, key, exists } of entries) {
      if (kind !== id) continue;
      if (exists && living.get(key) !== true) added = true;
      living.set(key, exists);
    }
    const count = [...living.values()].filter((exists) => exists).length;
    return (added && count > maxEntries) || (living.size > before && living.size > PLACES_PER_ENTRY * Math.max(16, maxEntries));
  }
}
