import { BoundedMap } from "../../base/bounded-map.ts";
import { after, type Instant, milliseconds } from "../../base/time.ts";
import { groupByKind } from "./arc-sync.ts";
import type { Awakening } from "../members/awakening.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import type { Membership } from "../members/membership.ts";
import type { Persistence } from "./persistence.ts";
import type { KindId, NodeId, ResourceId } from "../ports.ts";
import { COPIES, type RingView } from "../ring/ring.ts";
import { NOT_RESPONSIBLE } from "../routing/router.ts";
import { compareEntries, type StoredEntry } from "../storage/entry.ts";
import type { Holdings } from "../storage/holdings.ts";
import type { StoreKindData } from "../wire/message-body.ts";

/** Copies before a write is acknowledged; as many as there are boxes in a smaller ring. */
const ACKNOWLEDGED_COPIES = 2;

/** Writes on their way to their replicas; above, further ones are refused. */
const MAX_PENDING = 65_536;

/** A joining peer that takes no writes is not receiving its share: its link is closed. */
const ATTEMPTS = 3;

/** Before a member that sees another box responsible is asked again. */
const DISPUTE = milliseconds(50);

export type Replicated =
  | { readonly ok: true; readonly copies: readonly NodeId[] }
  | { readonly ok: false; readonly reason: "timeout" | "not-durable" }
  /** A member sees another box responsible. */
  | { readonly ok: false; readonly reason: "disputed"; readonly by: NodeId };

const NOBODY: readonly NodeId[] = [];

interface Write {
  readonly id: number;
  readonly resource: ResourceId;
  readonly entries: readonly StoredEntry[];
  readonly durable: boolean;
  /** Boxes that have it, on disk where that was promised. */
  readonly copies: Set<NodeId>;
  /** Those that were sent it and have not answered, with the number of the attempt. */
  readonly waitingFor: Map<NodeId, number>;
  /** Those that were not in the ring yet when they were sent it: they may be responsible by the time it arrives. */
  readonly newcomers: Set<NodeId>;
  readonly refused: Set<NodeId>;
  told: ((outcome: Replicated) => void) | undefined;
}

/** The responsible peer's part of a Store: to its replicas at once, acknowledged when enough have it. */
export class Replication {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #holdings: Holdings;
  readonly #persistence: Persistence;
  readonly #awakening: Awakening;
  readonly #missed: () => void;
  readonly #writes = new BoundedMap<number, Write>(MAX_PENDING, "refuse");
  /** The ring as it will be when a joining peer serves. Emptied when the ring changes. */
  readonly #future = new Map<NodeId, RingView>();
  #lastId = 0;
  #leaving = false;
  /** The former responsible peer of our arc, until it knows that it is ours. */
  #predecessorInOffice: NodeId | undefined;

  constructor(
    parts: { context: CoreContext; membership: Membership; exchanges: Exchanges; holdings: Holdings; persistence: Persistence; awakening: Awakening },
    missed: () => void,
  ) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#holdings = parts.holdings;
    this.#persistence = parts.persistence;
    this.#awakening = parts.awakening;
    this.#missed = missed;
  }

  get pending(): number {
    return this.#writes.size;
  }
  /** Whether writes also go to those that will hold them without this box. */
  leave(isLeaving: boolean): void {
    this.#leaving = isLeaving;
    this.#future.clear();
  }

  /** Holders of a resource now, and joining peers that will be. */
  targets(resource: ResourceId): { readonly holders: readonly NodeId[]; readonly joining: readonly NodeId[] } {
    const { view } = this.#membership;
    const { self } = this.#context;
    if (!this.#leaving && this.#membership.inState("joining").length === 0) return { holders: view.holders(resource), joining: NOBODY };
    const heirs = this.#leaving ? this.#futureWith(self, view.without(self)).holders(resource) : [];
    const joining = this.#membership
      .inState("joining")
      .filter(({ nodeId }) => this.#futureWith(nodeId, view.with(nodeId)).isHolder(nodeId, resource))
      .map(({ nodeId }) => nodeId);
    return { holders: view.holders(resource), joining: [...joining, ...heirs.filter((id) => !view.isHolder(id, resource))] };
  }

  /** The entries were found good; they are kept here and sent on. `told` is never called within this call. */
  write(resource: ResourceId, entries: readonly StoredEntry[], durable: boolean, told: (outcome: Replicated) => void): void {
    for (const entry of entries) this.#holdings.accept(entry);
    const id = ++this.#lastId;
    const write: Write = { id, resource, entries, durable, copies: new Set(), waitingFor: new Map(), newcomers: new Set(), refused: new Set(), told };
    if (!this.#writes.set(id, write)) return this.#context.soon(() => told({ ok: false, reason: "timeout" }));
    const { self } = this.#context;
    if (durable) this.#persistence.whenOnDisk((onDisk) => this.#answered(write, self, onDisk));
    else this.#context.soon(() => this.#answered(write, self, true));
    if (durable) write.waitingFor.set(self, 1);
    this.#context.agenda.set(write, this.#deadline(), () => this.#fail(write, { ok: false, reason: "timeout" }));
    this.#spread(write);
  }

  /**
   * This box has just joined: whoever was responsible for its arc may not know yet and still answer for
   * it. Until it does, no write is acknowledged without it.
   */
  takeOverFrom(former: NodeId | undefined): void {
    this.#predecessorInOffice = former;
  }
  takenOver(): void {
    this.#predecessorInOffice = undefined;
  }
  /** Whether it may still send us writes as the responsible peer, which were on their way when we took over. */
  isInOffice(peer: NodeId): boolean {
    return peer === this.#predecessorInOffice;
  }

  viewChanged(): void {
    this.#future.clear();
    for (const write of [...this.#writes.values()]) {
      this.#spread(write);
      this.#judge(write);
    }
  }
  /** Others have confirmed that this box is where it believes to be: see `Awakening`. */
  awake(): void {
    for (const write of [...this.#writes.values()]) this.#judge(write);
  }
  /** A peer has begun to join: what is under way must reach it too. */
  joinBegan(): void {
    this.#future.clear();
    for (const write of [...this.#writes.values()]) this.#spread(write);
  }

  #deadline(): Instant {
    return after(this.#context.now, milliseconds(this.#context.settings.timing.operation * 0.9));
  }

  #futureWith(key: NodeId, view: RingView): RingView {
    const known = this.#future.get(key);
    if (known !== undefined) return known;
    this.#future.set(key, view);
    return view;
  }

  /** Sends it to all that should have it and were not sent it yet. */
  #spread(write: Write): void {
    const { holders, joining } = this.targets(write.resource);
    let kinds: readonly StoreKindData[] | undefined;
    let index = -1;
    for (const target of joining.length === 0 ? holders : [...holders, ...joining]) {
      index++;
      if (target === this.#context.self || write.copies.has(target) || write.waitingFor.has(target) || write.refused.has(target)) continue;
      kinds ??= this.#kindData(write);
      if (index >= holders.length) write.newcomers.add(target);
      this.#send(write, target, kinds, Math.min(Math.max(1, index), COPIES - 1), 1);
    }
  }

  #kindData({ resource, entries }: Write): readonly StoreKindData[] {
    return groupByKind(entries, (kind: KindId) => this.#holdings.store.kind(resource, kind)?.generation ?? 1);
  }

  #send(write: Write, target: NodeId, kinds: readonly StoreKindData[], replicaNumber: number, attempt: number): void {
    write.waitingFor.set(target, attempt);
    const request = {
      hop: target,
      body: { type: "store_req", resource: write.resource, replicaNumber, kinds } as const,
      certificates: this.#holdings.certificatesFor(kinds),
      timeout: this.#context.settings.timing.attempt,
    };
    this.#exchanges.request(request, (outcome) => this.#replicaAnswered(write, target, kinds, replicaNumber, attempt, outcome));
  }

  #replicaAnswered(
    write: Write,
    target: NodeId,
    kinds: readonly StoreKindData[],
    replicaNumber: number,
    attempt: number,
    outcome: Outcome,
  ): void {
    if (outcome.type === "error" && outcome.text === NOT_RESPONSIBLE) return this.#disputed(write, target, kinds, replicaNumber, attempt);
    if (outcome.type !== "answer") {
      this.#missed();
      if (attempt >= ATTEMPTS || outcome.type === "error") this.#refuseJoin(target);
    }
    // Until the write is acknowledged or its time is over: the verdict on a silent box may come before.
    const again = attempt < ATTEMPTS || write.told !== undefined;
    if (outcome.type === "timeout" && again && this.#writes.has(write.id)) {
      return this.#send(write, target, kinds, replicaNumber, attempt + 1);
    }
    // A link that closed may come back: then the box is sent it again.
    if (outcome.type === "unreachable") write.waitingFor.delete(target);
    this.#answered(write, target, outcome.type === "answer", outcome.type !== "unreachable");
  }

  /** It may hear of the same change of the ring a moment later; or it knows better. */
  #disputed(write: Write, target: NodeId, kinds: readonly StoreKindData[], replicaNumber: number, attempt: number): void {
    this.#missed();
    if (attempt >= ATTEMPTS || !this.#writes.has(write.id)) {
      if (write.told !== undefined) this.#fail(write, { ok: false, reason: "disputed", by: target });
      else this.#answered(write, target, false);
      return;
    }
    this.#context.later(`disputed ${write.id} ${target}`, DISPUTE, () => {
      if (this.#writes.has(write.id)) this.#send(write, target, kinds, replicaNumber, attempt + 1);
    });
  }

  #refuseJoin(target: NodeId): void {
    const member = this.#membership.find(target);
    if (member?.state === "joining") this.#membership.close(member, "it takes no writes");
  }

  #answered(write: Write, by: NodeId, stored: boolean, final = true): void {
    write.waitingFor.delete(by);
    if (stored) write.copies.add(by);
    else if (final) write.refused.add(by);
    this.#judge(write);
  }

  #judge(write: Write): void {
    const { view } = this.#membership;
    const lateNewcomer = [...write.newcomers].some((id) => write.waitingFor.has(id) && this.#membership.isLinked(id));
    const former = this.#predecessorInOffice;
    const unknowing = former !== undefined && write.waitingFor.has(former) && this.#membership.isLinked(former);
    const copies = [...write.copies].filter((id) => view.has(id));
    const needed = Math.min(ACKNOWLEDGED_COPIES, Math.max(1, view.size));
    if (write.told !== undefined && this.#awakening.isAwake && copies.length >= needed && !lateNewcomer && !unknowing) {
      const { told } = write;
      write.told = undefined;
      this.#context.agenda.cancel(write);
      told({ ok: true, copies });
    }
    if (write.told === undefined) return this.#release(write);
    if (write.refused.size > 0 && write.waitingFor.size === 0) this.#fail(write, { ok: false, reason: write.durable ? "not-durable" : "timeout" });
  }

  /** Acknowledged; it is remembered until the last copy is there too. */
  #release(write: Write): void {
    if (write.waitingFor.size === 0) this.#writes.delete(write.id);
  }

  #fail(write: Write, outcome: Replicated): void {
    this.#context.agenda.cancel(write);
    this.#writes.delete(write.id);
    const { told } = write;
    write.told = undefined;
    this.#missed();
    told?.(outcome);
  }
}

/** Whether a value may take the place of what is held: strictly newer, or the very same (RFC 6940 section 7.4.1.1). */
export const mayReplace = (entry: StoredEntry, held: StoredEntry | undefined): boolean =>
  held === undefined || entry.storedAt > held.storedAt || compareEntries(entry, held) === 0;
