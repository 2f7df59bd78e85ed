import type { Membership } from "../members/membership.ts";
import type { NodeId, ResourceId } from "../ports.ts";
import type { RingId } from "./ring.ts";

/** The two questions routing asks. A topology that knows only part of the ring can answer them too. */
export interface Topology {
  /** The linked peer that is nearer to a place or peer than this box; `undefined`: none is known. */
  nextHop(destination: RingId): NodeId | undefined;
  isResponsible(resource: ResourceId): boolean;
}

/** Every box knows every box: one hop. */
export class FullMesh implements Topology {
  readonly #self: NodeId;
  readonly #membership: Membership;

  constructor(self: NodeId, membership: Membership) {
    this.#self = self;
    this.#membership = membership;
  }

  nextHop(destination: RingId): NodeId | undefined {
    if (this.#membership.isLinked(destination as NodeId)) return destination as NodeId;
    const owner = this.#membership.view.owner(destination);
    return owner !== this.#self && owner !== undefined && this.#membership.isLinked(owner) ? owner : undefined;
  }
  isResponsible(resource: ResourceId): boolean {
    return this.#membership.view.owner(resource) === this.#self;
  }
}
