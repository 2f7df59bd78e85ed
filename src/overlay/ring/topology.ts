import type { Membership } from "../members/membership.ts";
import type { Neighborhood } from "../members/neighborhood.ts";
import type { NodeId, ResourceId } from "../ports.ts";
import { isNearby, nextHopIn } from "./fingers.ts";
import type { RingId, RingView } from "./ring.ts";

/** The questions routing asks. */
export interface Topology {
  /** The linked peer that is nearer to a place or peer than this box; `undefined`: none is known. */
  nextHop(destination: RingId): NodeId | undefined;
  isResponsible(resource: ResourceId): boolean;
  /** Every box knows every box. */
  readonly isWhole: boolean;
  /** Whether the view names the responsible peer for certain: always, where every box knows every box. */
  isCertain(resource: ResourceId): boolean;
}

/** Up to the mesh limit every box knows every box: one hop. Beyond, neighbors and fingers (RFC 6940 section 10.3). */
export class RingTopology implements Topology {
  readonly #self: NodeId;
  readonly #membership: Membership;
  readonly #neighborhood: Neighborhood;

  constructor(self: NodeId, membership: Membership, neighborhood: Neighborhood) {
    this.#self = self;
    this.#membership = membership;
    this.#neighborhood = neighborhood;
  }

  nextHop(destination: RingId): NodeId | undefined {
    if (this.#membership.isLinked(destination as NodeId)) return destination as NodeId;
    const { view } = this.#membership;
    const hop = this.#neighborhood.isPartial ? this.#towards(destination) : view.owner(destination);
    return hop !== this.#self && hop !== undefined && this.#membership.isLinked(hop) ? hop : undefined;
  }
  isResponsible(resource: ResourceId): boolean {
    return this.#membership.view.owner(resource) === this.#self;
  }
  get isWhole(): boolean {
    return !this.#neighborhood.isPartial;
  }
  isCertain(resource: ResourceId): boolean {
    return !this.#neighborhood.isPartial || isNearby(this.#membership.view, this.#self, resource);
  }

  /** Past those that are silent, if another way leads on. */
  #towards(destination: RingId): NodeId | undefined {
    const first = nextHopIn(this.#membership.view, this.#self, destination);
    let view: RingView = this.#membership.view;
    let hop = first;
    while (hop !== undefined && this.#membership.isSilent(hop) && !this.isCertain(destination as ResourceId)) {
      view = view.without(hop);
      hop = nextHopIn(view, this.#self, destination);
    }
    return hop ?? first;
  }
}
