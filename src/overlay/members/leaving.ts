import { seconds } from "../../base/time.ts";
import { ArcSync, type SyncTask } from "../replicas/arc-sync.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Membership } from "./membership.ts";
import type { NodeId } from "../ports.ts";
import type { Holdings } from "../storage/holdings.ts";
import { EXTENSION } from "../wire/code-points.ts";
import type { MessageExtension } from "../wire/message.ts";
import type { LeaveReq } from "../wire/message-body.ts";

/** Handing over takes no longer than this; the replicas have everything in any case. */
const LONGEST = seconds(60);

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly exchanges: Exchanges;
  readonly holdings: Holdings;
}

/** Whether it goes for good, or stays linked as one that holds nothing (see `StandingAside`). */
export type Farewell = "for good" | "aside";

/**
 * The way out: every copy this box holds is held by those that will, then it says good-bye (RFC 6940 section 10.9).
 * One that only stands aside goes when everything is handed over and nobody objects, or not at all.
 */
export class Leaving {
  readonly #parts: Parts;
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #farewell: Farewell;
  readonly #ended: (isOut: boolean) => void;
  #sync: ArcSync | undefined;
  #over = false;
  #isSayingGoodBye = false;

  /** `ended`: whether this box is out of the ring now. */
  constructor(parts: Parts, farewell: Farewell, ended: (isOut: boolean) => void) {
    this.#parts = parts;
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#farewell = farewell;
    this.#ended = ended;
  }

  /** Good-bye was said and is not answered by all: whoever has heard it counts this box out, unless he hears otherwise. */
  get isSayingGoodBye(): boolean {
    return this.#isSayingGoodBye;
  }

  begin(): void {
    this.#context.later("leave", LONGEST, () => (this.#farewell === "aside" ? this.#stay() : this.#sayGoodBye()));
    this.#handOver(this.#tasks());
  }

  /** It ends otherwise. */
  abandon(): void {
    this.#over = true;
    this.#sync?.abandon();
    this.#context.agenda.cancel("leave");
    this.#context.agenda.cancel("hand over");
  }

  #stay(): void {
    this.abandon();
    this.#ended(false);
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
    this.abandon();
    const members = [...this.#membership.members].filter(({ links }) => links.length > 0).map(({ nodeId }) => nodeId);
    const extensions = this.#farewell === "aside" ? [STAYS_LINKED] : [];
    let waiting = members.length;
    let refused = false;
    this.#isSayingGoodBye = waiting > 0;
    if (waiting === 0) this.#ended(true);
    for (const hop of members) {
      this.#parts.exchanges.request({ hop, body: this.#leaveFor(hop), extensions, timeout: this.#context.settings.timing.attempt }, ({ type }) => {
        refused ||= type === "error";
        if (--waiting > 0) return;
        this.#isSayingGoodBye = false;
        this.#ended(this.#farewell === "for good" || !refused);
      });
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

const STAYS_LINKED: MessageExtension = { type: EXTENSION.aside, critical: false, contents: new Uint8Array(0) };
