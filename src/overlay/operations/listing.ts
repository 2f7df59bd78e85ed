import { type EntryNote, encodeSummaryRequest, summaryIn } from "../replicas/arc-summary.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Membership } from "../members/membership.ts";
import type { Operations } from "./operations.ts";
import type { KindId, Listed, NodeId, OperationFault, OverlayEffect, OverlayInput, ResourceId, Ticket } from "../ports.ts";
import { type Arc, inArc, nextId, type Placement, type RingId } from "../ring/ring.ts";
import type { Topology } from "../ring/topology.ts";
import { notesIn } from "../replicas/summaries.ts";
import type { Holdings } from "../storage/holdings.ts";

/** Fetches of one listing under way at once. */
const WINDOW = 32;

/** Resources in one listing; above, the rest is left out. */
const MAX_FOUND = 200_000;

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly exchanges: Exchanges;
  readonly holdings: Holdings;
  readonly operations: Operations;
  readonly topology: Topology;
  /** Finds the responsible peer of a place and gets linked with it. */
  readonly seek: (place: ResourceId, found: (nodeId: NodeId) => void) => void;
}

/** The next responsible peer is sought so many times. */
const ATTEMPTS = 5;

/** Every resource with a living entry of a kind: each responsible peer says which, then they are fetched. */
export class Listing {
  readonly #parts: Parts;
  readonly #ticket: Ticket;
  readonly #kind: KindId;
  readonly #also: readonly KindId[];
  readonly #found = new Map<ResourceId, Listed>();
  /** Holders still to be asked, by arc. BOUNDED: by the ring. */
  readonly #places: Placement[];
  readonly #isWhole: boolean;
  readonly #toFetch: ResourceId[] = [];
  #underWay = 0;
  #then: (() => void) | undefined;
  #over = false;
  /** How far it has come, where the view is not whole, and where it began. */
  #last: RingId;
  readonly #start: RingId;

  constructor(parts: Parts, { ticket, kind, also }: Omit<Extract<OverlayInput, { type: "list" }>, "type">) {
    this.#parts = parts;
    this.#ticket = ticket;
    this.#kind = kind;
    this.#also = also ?? [];
    const { view } = parts.membership;
    const { self } = parts.context;
    this.#isWhole = parts.topology.isWhole;
    this.#places = this.#isWhole ? [...view.placements()] : [{ arc: view.with(self).arcOf(self), holders: [self] }];
    this.#start = this.#places[0]?.arc.after ?? self;
    this.#last = this.#start;
  }

  start(): void {
    this.#nextArc();
  }

  #nextArc(): void {
    const place = this.#places.shift();
    if (place !== undefined) {
      const isLast = inArc({ after: this.#last, upTo: place.arc.upTo }, this.#start);
      this.#last = isLast ? this.#start : place.arc.upTo;
      return this.#list(place.arc, place.arc.after, place.holders);
    }
    if (!this.#isWhole && this.#last !== this.#start) return this.#nextOwner(1);
    const found = [...this.#found.values()].sort((a, b) => (a.resource < b.resource ? -1 : 1));
    this.#tell({ ok: true, found });
  }

  /** From one responsible peer to the next, round to where it began. */
  #nextOwner(attempt: number): void {
    const { context, membership, topology, seek } = this.#parts;
    const place = nextId(this.#last);
    let owner = topology.isCertain(place) ? membership.view.owner(place) : undefined;
    if (owner === undefined) seek(place, (found) => (owner = found));
    context.later(this, context.settings.timing.attempt, () => {
      if (owner !== undefined && (owner === context.self || membership.isLinked(owner))) {
        this.#places.push({ arc: { after: this.#last, upTo: owner }, holders: [owner] });
        return this.#nextArc();
      }
      if (attempt < ATTEMPTS) return this.#nextOwner(attempt + 1);
      this.#tell({ ok: false, fault: { reason: "timeout" } });
    });
  }

  #tell(outcome: Extract<OverlayEffect, { type: "listed" }>["outcome"]): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.context.emit({ type: "listed", ticket: this.#ticket, outcome });
  }

  /** One page from the first holder that answers, its resources, then the next page. */
  #list(arc: Arc, cursor: RingId, holders: readonly NodeId[]): void {
    const [holder, ...others] = holders;
    if (holder === undefined) return this.#tell({ ok: false, fault: { reason: "timeout" } satisfies OperationFault });
    if (holder === this.#parts.context.self) {
      const { entries, next } = notesIn(this.#parts.holdings.store, arc, cursor, this.#kind);
      return this.#fetchAll(entries, () => (next === undefined ? this.#nextArc() : this.#list(arc, next, holders)));
    }
    const { context, membership } = this.#parts;
    const request = encodeSummaryRequest({ type: "list", time: context.clock.now(), view: membership.view.tag, arc, cursor, kind: this.#kind });
    const body = { type: "exp_a_req", body: request } as const;
    this.#parts.exchanges.request({ hop: holder, body, timeout: context.settings.timing.attempt }, (outcome) => {
      const answer = summaryIn(outcome);
      if (answer?.type !== "listed") return this.#list(arc, cursor, others);
      const { entries, next } = answer;
      this.#fetchAll(entries, () => (next === undefined ? this.#nextArc() : this.#list(arc, next, holders)));
    });
  }

  #fetchAll(notes: readonly EntryNote[], then: () => void): void {
    const wanted = new Set(notes.filter(({ exists }) => exists).map(({ resource }) => resource));
    for (const resource of wanted) if (this.#found.size + this.#toFetch.length < MAX_FOUND) this.#toFetch.push(resource);
    this.#then = then;
    this.#pump();
  }

  #pump(): void {
    if (this.#over) return;
    while (this.#underWay < WINDOW) {
      const resource = this.#toFetch.pop();
      if (resource === undefined) break;
      this.#underWay++;
      this.#parts.operations.fetchThen(resource, [this.#kind, ...this.#also], (outcome) => {
        this.#underWay--;
        if (!outcome.ok) return this.#tell({ ok: false, fault: outcome.fault });
        const [listed, ...also] = outcome.kinds;
        const entries = listed?.entries ?? [];
        if (entries.length > 0) this.#found.set(resource, { resource, entries, also });
        this.#parts.context.soon(() => this.#pump());
      });
    }
    if (this.#underWay > 0 || this.#toFetch.length > 0) return;
    const then = this.#then;
    this.#then = undefined;
    then?.();
  }
}
