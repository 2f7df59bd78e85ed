import type { CoreContext } from "../core-context.ts";
import type { Membership } from "../members/membership.ts";
import type { NodeId, ResourceId } from "../ports.ts";
import { nextId, type Placement, previousId } from "../ring/ring.ts";
import type { Topology } from "../ring/topology.ts";
import type { Holdings } from "../storage/holdings.ts";
import type { SyncTask } from "./arc-sync.ts";

/** Finds the responsible peer of a resource and gets linked with it. */
type Seek = (resource: ResourceId, found: (nodeId: NodeId) => void) => void;

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly holdings: Holdings;
  readonly topology: Topology;
  readonly seek: Seek;
}

/** What this box holds of arcs where it holds no copy by the ring, and to whom it is offered. */
export class Surplus {
  readonly #parts: Parts;
  /** Responsible peers that were found since the last turn. BOUNDED: emptied in every turn. */
  readonly #found = new Map<ResourceId, NodeId>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `waiting`: for some of it the responsible peer is still sought. */
  offers(): { readonly tasks: readonly SyncTask[]; readonly waiting: boolean } {
    const { self } = this.#parts.context;
    const { store } = this.#parts.holdings;
    const foreign = this.#foreignArcs();
    const tasks = foreign.flatMap(({ arc, holders: [owner = self] }): readonly SyncTask[] => {
      const [first] = store.resourcesIn(arc);
      const isWhole = first === undefined || (this.#parts.topology.isCertain(nextId(arc.after)) && this.#parts.topology.isCertain(first));
      return isWhole ? [{ partner: owner, arc, pull: false, push: true }] : this.#fromFirst(first);
    });
    this.#found.clear();
    return { tasks, waiting: tasks.length < foreign.length };
  }

  #foreignArcs(): readonly Placement[] {
    const { self } = this.#parts.context;
    const { store } = this.#parts.holdings;
    const { view } = this.#parts.membership;
    const own = view.has(self) ? view.heldBy(self) : [];
    // Nearly always everything is where it should be, and then the many other arcs need not be looked at.
    if (own.reduce((count, { arc }) => count + store.digest(arc).count, 0) === store.size) return [];
    return view.placements().filter(({ arc, holders }) => !holders.includes(self) && store.digest(arc).count > 0);
  }

  /**
   * Where the view is not whole, the responsible peer of the first resource is asked for; all up to that
   * peer is its own as well. Until it is found and linked nothing is offered: others would have no use for it.
   */
  #fromFirst(first: ResourceId): readonly SyncTask[] {
    const owner = this.#found.get(first);
    if (owner !== undefined && this.#parts.membership.isLinked(owner)) {
      return [{ partner: owner, arc: { after: previousId(first), upTo: owner }, pull: false, push: true }];
    }
    this.#parts.seek(first, (nodeId) => this.#found.set(first, nodeId));
    return [];
  }
}
