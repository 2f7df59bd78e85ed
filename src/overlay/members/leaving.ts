import { seconds } from "../../base/time.ts";
import { ArcSync, type SyncTask } from "../replicas/arc-sync.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Membership } from "./membership.ts";
import type { NodeId } from "../ports.ts";
import type { Holdings } from "../storage/holdings.ts";
import type { LeaveReq } from "../wire/message-body.ts";

/** Handing over takes no longer than this; the replicas have everything in any case. */
const LONGEST = seconds(60);

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly exchanges: Exchanges;
  readonly holdings: Holdings;
}

/** The way out: every copy this box holds is held by those that will, then it says good-bye (RFC 6940 section 10.9). */
export class Leaving {
  readonly #parts: Parts;
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #handedOver: () => void;
  #sync: ArcSync | undefined;
  #over = false;

  constructor(parts: Parts, handedOver: () => void) {
    this.#parts = parts;
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#handedOver = handedOver;
  }

  begin(): void {
    this.#context.later("leave", LONGEST, () => this.#sayGoodBye());
    this.#handOver(this.#tasks());
  }

  /** To whoever will hold the pieces that this box holds now. */
  #tasks(): readonly SyncTask[] {
    const { self } = this.#context;
    const { view } = this.#membership;
    const heirs = view.without(self);
    return view
      .placements()
      .filter(({ arc }) => this.#parts.holdings.store.digest(arc).count > 0)
      .flatMap(({ arc }) => heirs.placementsIn(arc))
      .flatMap(({ arc, holders }) => holders.map((partner): SyncTask => ({ partner, arc, pull: false, push: true })));
  }

  #handOver(tasks: readonly SyncTask[]): void {
    const [task, ...rest] = tasks;
    if (this.#over) return;
    if (task === undefined) return this.#sayGoodBye();
    this.#sync = new ArcSync(this.#parts, task, ({ complete }) => {
      if (complete) return this.#context.soon(() => this.#handOver(rest));
      // The ring has changed, or somebody is slow: from the start, which is quick where nothing differs.
      this.#context.later("hand over", this.#context.settings.timing.attempt, () => this.#handOver(this.#tasks()));
    });
    this.#sync.start();
  }

  #sayGoodBye(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sync?.abandon();
    this.#context.agenda.cancel("leave");
    this.#context.agenda.cancel("hand over");
    const members = [...this.#membership.members].filter(({ links }) => links.length > 0).map(({ nodeId }) => nodeId);
    let waiting = members.length;
    const answered = (): void => {
      if (--waiting === 0) this.#handedOver();
    };
    if (waiting === 0) this.#handedOver();
    for (const hop of members) {
      this.#parts.exchanges.request({ hop, body: this.#leaveFor(hop), timeout: this.#context.settings.timing.attempt }, answered);
    }
  }

  /** A predecessor hears of our successors, a successor of our predecessors. */
  #leaveFor(member: NodeId): LeaveReq {
    const { self } = this.#context;
    const { view } = this.#membership;
    const successors = view.successors(self, 3);
    const predecessors = view.predecessors(self, 3);
    const leave = predecessors.includes(member)
      ? ({ type: "from_succ", neighbors: successors } as const)
      : ({ type: "from_pred", neighbors: predecessors } as const);
    return { type: "leave_req", nodeId: self, leave };
  }
}
