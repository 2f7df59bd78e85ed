import { BoundedMap } from "../../base/bounded-map.ts";
import { after, type Instant } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Member, Membership } from "./membership.ts";
import type { NodeId, ResourceId } from "../ports.ts";
import { SUCCESSORS } from "../ring/chord-rules.ts";
import { fingerStarts, routingTable, usefulStarts } from "../ring/fingers.ts";
import { inArc, type RingView, shareOf } from "../ring/ring.ts";

/** Boxes with links from each to each; beyond, a box keeps its neighbors and fingers (and whoever keeps it). */
const MESH_LIMIT = 500;

/** Boxes that were sought for a purpose, whose links are spared for a while. */
const MAX_KEPT = 256;

/** A ring that has become so many times smaller than the limit is a mesh again. */
const SMALLER = 2;

interface Events {
  /** Find whoever is responsible for a finger's place, and be linked with it. */
  seekFinger(start: ResourceId): void;
}

/** With whom this box wants links: with everybody up to the mesh limit, with its routing table beyond. */
export class Neighborhood {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #events: Events;
  readonly #limit: number;
  readonly #starts: readonly ResourceId[];
  /** Boxes whose links are spared, until when. At the bound the oldest is spared no more. */
  readonly #kept = new BoundedMap<NodeId, Instant>(MAX_KEPT, "evict");
  #isPartial = false;
  #serves = false;

  constructor(parts: { context: CoreContext; membership: Membership }, events: Events) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#events = events;
    this.#limit = parts.context.settings.meshLimit ?? MESH_LIMIT;
    this.#starts = fingerStarts(parts.context.self);
  }

  /** This box knows only a part of the ring. */
  get isPartial(): boolean {
    return this.#isPartial;
  }

  /** Whether we want a link to it: to everybody, or because it is a neighbor or a finger. */
  wants(nodeId: NodeId): boolean {
    return !this.#isPartial || routingTable(this.#viewWith(nodeId), this.#context.self, this.#starts).has(nodeId);
  }
  /** Whether a link to it is dialed again when it breaks: in a mesh to everybody; a lost finger is sought, not dialed. */
  isNeighbor(nodeId: NodeId): boolean {
    if (!this.#isPartial) return true;
    const view = this.#viewWith(nodeId);
    const { self } = this.#context;
    return view.successors(self, SUCCESSORS).includes(nodeId) || view.predecessors(self, SUCCESSORS).includes(nodeId);
  }

  /** A member says that it knows only a part of its ring. */
  othersArePartial(): void {
    if (!this.#isTooSmall()) this.#become(true);
  }

  /** This box is in the ring: from now on it seeks its fingers. */
  begin(): void {
    this.#serves = true;
    if (this.#isPartial) this.#seekAll();
  }
  stop(): void {
    this.#serves = false;
    for (const name of ["seek fingers", "seek a finger", "shed links", "shed links that were kept"]) this.#context.agenda.cancel(name);
  }

  viewChanged(): void {
    if (!this.#isPartial && this.#membership.view.size > this.#limit) this.#become(true);
    else if (this.#isPartial && this.#isTooSmall()) this.#become(false);
    if (this.#isPartial && this.#serves) this.#shedLater();
  }
  /** Whoever was sought for a purpose is spared for as long as that may take. */
  keep(nodeId: NodeId): void {
    const { antiEntropy } = this.#context.settings.timing;
    this.#kept.set(nodeId, after(this.#context.now, antiEntropy));
    if (this.#isPartial && this.#serves) this.#context.later("shed links that were kept", antiEntropy, () => this.#shed());
  }
  /** A link has closed: whoever was behind it may have been a finger. */
  lost(): void {
    if (this.#isPartial && this.#serves) this.#seekSoon();
  }

  #viewWith(nodeId: NodeId): RingView {
    return this.#membership.view.with(this.#context.self).with(nodeId);
  }

  /** How large the ring is, by how close our neighbors stand: a guess within some tens of percent. */
  #isTooSmall(): boolean {
    const { self } = this.#context;
    const view = this.#membership.view.with(self);
    const first = view.predecessors(self, SUCCESSORS).at(-1);
    const last = view.successors(self, SUCCESSORS).at(-1);
    if (first === undefined || last === undefined || view.size <= 2 * SUCCESSORS) return false;
    return (2 * SUCCESSORS) / shareOf({ after: first, upTo: last }) < this.#limit / SMALLER;
  }

  #become(partial: boolean): void {
    if (this.#isPartial === partial) return;
    this.#isPartial = partial;
    this.#context.report("info", partial ? "The ring is large: this box keeps links to its neighbors and fingers only." : "The ring is small: this box keeps links to everybody.");
    this.#context.soon(() => this.#membership.spreadOverZones(!partial));
    if (partial && this.#serves) this.#seekSoon();
  }

  #seekSoon(): void {
    if (this.#context.agenda.isSet("seek fingers")) return;
    this.#context.later("seek fingers", this.#context.jittered(this.#context.settings.timing.holdDown), () => this.#seekAll());
  }
  /** All at once after a change; later one by one, the far ones first as often as the near ones. */
  #seekAll(): void {
    if (!this.#isPartial || !this.#serves) return;
    for (const start of this.#useful()) this.#events.seekFinger(start);
    this.#seekOneLater();
  }
  #seekOneLater(): void {
    this.#context.later("seek a finger", this.#context.jittered(this.#context.settings.timing.antiEntropy), () => {
      const starts = this.#useful();
      const start = starts[starts.length === 0 ? 0 : this.#context.random.below(starts.length)];
      if (start !== undefined && this.#isPartial && this.#serves) this.#events.seekFinger(start);
      if (this.#serves) this.#seekOneLater();
    });
  }
  #useful(): readonly ResourceId[] {
    return usefulStarts(this.#membership.view, this.#context.self, this.#starts);
  }

  #shedLater(): void {
    if (this.#context.agenda.isSet("shed links")) return;
    this.#context.later("shed links", this.#context.jittered(this.#context.settings.timing.holdDown), () => this.#shed());
  }
  /** Above the limit: the links that neither side wants. Both ends come to the same end by their own knowledge. */
  #shed(): void {
    if (!this.#isPartial || !this.#serves) return;
    const linked = [...this.#membership.members].filter(({ links }) => links.length > 0);
    if (linked.length <= this.#limit) return;
    const table = routingTable(this.#membership.view, this.#context.self, this.#starts);
    for (const [nodeId, until] of [...this.#kept]) if (until <= this.#context.now) this.#kept.delete(nodeId);
    const spare = linked.filter((member) => member.state === "serving" && !table.has(member.nodeId) && !this.#kept.has(member.nodeId) && !this.#isWantedBy(member));
    for (const member of spare) this.#membership.close(member, "a ring this large needs no link between us");
  }
  /** We are its neighbor, or one of its fingers begins in our arc. */
  #isWantedBy({ nodeId }: Member): boolean {
    const { view } = this.#membership;
    const { self } = this.#context;
    if (view.successors(nodeId, SUCCESSORS).includes(self) || view.predecessors(nodeId, SUCCESSORS).includes(self)) return true;
    const arc = view.arcOf(self);
    return fingerStarts(nodeId).some((start) => inArc(arc, start));
  }
}
