import { ArcSync, type SyncTask } from "../replicas/arc-sync.ts";
import { milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Introductions } from "./introductions.ts";
import type { Membership, ViewChange } from "./membership.ts";
import type { Neighborhood } from "./neighborhood.ts";
import type { NodeId } from "../ports.ts";
import { nextId } from "../ring/ring.ts";
import type { Holdings } from "../storage/holdings.ts";
import { ShareCount } from "./share-count.ts";

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly exchanges: Exchanges;
  readonly holdings: Holdings;
  readonly introductions: Introductions;
  readonly neighborhood: Neighborhood;
}

/**
 * The way into the ring (RFC 6940 section 10.5, with the order of this profile): linked to all members,
 * known to all as joining, so that every new write of the future share comes here too; then the share
 * itself is fetched; and only then this box says that it is ready.
 */
export class Joining {
  readonly #parts: Parts;
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #ready: () => void;
  readonly #count: ShareCount;
  #active = false;
  /** Members that answered our Join, and those that were sent it. BOUNDED: by members. */
  readonly #admitted = new Set<NodeId>();
  readonly #asked = new Set<NodeId>();
  #through: NodeId;
  /** Responsible for our place before us; ourselves until it is found. */
  #admittingPeer: NodeId;
  #sync: ArcSync | undefined;
  /** Rises with every change of the ring: what was fetched before may not be all. */
  #round = 0;

  constructor(parts: Parts, ready: () => void) {
    this.#parts = parts;
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#ready = ready;
    this.#count = new ShareCount(parts.context, parts.exchanges, parts.holdings.store, () => parts.membership.view.tag);
    this.#through = parts.context.self;
    this.#admittingPeer = parts.context.self;
  }

  /** Entries of the share that are here, and that it has; `undefined` while that is not known. */
  get progress(): { readonly received: number; readonly expected: number } | undefined {
    return this.#active ? this.#count.progress : undefined;
  }

  begin(through: NodeId): void {
    this.#active = true;
    this.#count.begin();
    this.#admitted.clear();
    this.#asked.clear();
    this.#through = through;
    this.#seekAdmittingPeer();
    this.proceed();
  }
  /** Where not all know all, our neighbors are whom it names: nothing can be fetched before it is met. */
  #seekAdmittingPeer(): void {
    if (this.#context.agenda.isSet("admitting peer")) return;
    const { view } = this.#membership;
    const through = view.has(this.#through) ? this.#through : (view.ids[0] ?? this.#through);
    this.#parts.introductions.findAdmittingPeer(nextId(this.#context.self), through, (nodeId) => (this.#admittingPeer = nodeId));
    this.#context.later("admitting peer", milliseconds(2 * this.#context.settings.timing.attempt), () => this.proceed());
  }
  stop(): void {
    this.#active = false;
    this.#count.end();
    this.#abandonSync();
  }

  viewChanged({ before, added, orderly }: ViewChange): void {
    if (!this.#active) return;
    const { view } = this.#membership;
    const { self } = this.#context;
    for (const id of [...this.#admitted]) if (!view.has(id)) this.#admitted.delete(id);
    // Boxes from another ring may have what will be ours wherever they stand; others only if they are near.
    const mayBeFar = orderly || added.length === 0 || this.#parts.neighborhood.isPartial;
    const isFarAway = this.#sync === undefined || (mayBeFar && before.with(self).isSameAround(self, view.with(self)));
    if (!isFarAway) this.#abandonSync();
    this.proceed();
  }

  /** The next step, if everything it needs is there. */
  proceed(): void {
    if (!this.#active || this.#parts.introductions.unsettled > 0) return;
    const { view } = this.#membership;
    let waiting = view.size === 0;
    for (const { nodeId, links, introducedAs } of this.#membership.members) {
      if (links.length === 0 || this.#admitted.has(nodeId)) continue;
      // Whoever has not introduced itself yet, or is in the ring and its Update is late, is waited for.
      if (introducedAs !== undefined && introducedAs !== "in the ring" && !view.has(nodeId)) continue;
      waiting = true;
      if (view.has(nodeId)) this.#sendJoin(nodeId);
    }
    if (waiting || this.#sync !== undefined) return;
    if (this.#parts.neighborhood.isPartial && !view.has(this.#admittingPeer)) return this.#seekAdmittingPeer();
    this.#fetchShare();
  }

  #sendJoin(nodeId: NodeId): void {
    if (this.#asked.has(nodeId)) return;
    this.#asked.add(nodeId);
    const body = { type: "join_req", nodeId: this.#context.self, overlayData: new Uint8Array(0) } as const;
    this.#parts.exchanges.request({ hop: nodeId, body, timeout: this.#context.settings.timing.attempt }, (outcome) => {
      this.#asked.delete(nodeId);
      if (!this.#active) return;
      if (outcome.type === "answer") this.#admitted.add(nodeId);
      // Until all have answered there is nothing more to do: whoever comes meanwhile is heard of, and asked then.
      if (outcome.type === "answer" && this.#asked.size > 0) return;
      if (outcome.type === "answer" || outcome.type === "timeout") return this.proceed();
      this.#context.later("join again", this.#context.settings.timing.attempt, () => this.proceed());
    });
  }

  #abandonSync(): void {
    this.#sync?.abandon();
    this.#sync = undefined;
    this.#round++;
  }

  /**
   * From every box that holds a piece of it now; what this box still had from before is given back. What is
   * received must not be taken for expired by a clock that is wrong: first, what time it is there.
   */
  #fetchShare(): void {
    this.#takeTime();
    const { self } = this.#context;
    const { view } = this.#membership;
    const push = this.#parts.holdings.store.size > 0;
    const future = view.with(self).heldBy(self);
    const donors = future.flatMap(({ arc }) => view.placementsIn(arc));
    this.#count.ask(donors);
    const tasks = donors.flatMap(({ arc, holders }) => holders.map((partner): SyncTask => ({ partner, arc, pull: true, push })));
    this.#runAll(tasks, this.#round);
  }

  #takeTime(): void {
    const differences = this.#membership.clockDifferences();
    const corrected = this.#context.clock.agreeWith(differences);
    if (differences.length > 0) this.#parts.holdings.mendFutureStamps();
    if (!corrected) return;
    this.#membership.forgetClocks();
    this.#parts.holdings.clockCorrected();
    this.#context.report("warning", "This box's clock differs from the others'; theirs is used.");
  }

  #runAll(tasks: readonly SyncTask[], round: number): void {
    const [task, ...rest] = tasks;
    if (task === undefined) return this.#finishOrGoOn();
    this.#sync = new ArcSync(this.#parts, task, ({ complete }) => {
      if (round !== this.#round || !this.#active) return;
      if (complete) return this.#context.soon(() => this.#continue(rest, round));
      // The donor has gone or is slow: the whole round again, which is quick where nothing differs.
      this.#abandonSync();
      this.#context.later("join again", this.#context.settings.timing.attempt, () => this.proceed());
    });
    this.#sync.start();
  }
  #continue(tasks: readonly SyncTask[], round: number): void {
    if (round === this.#round && this.#active) this.#runAll(tasks, round);
  }

  /** Somebody was named meanwhile: that box is met first, and what it knows is fetched too. */
  #finishOrGoOn(): void {
    this.#sync = undefined;
    if (this.#parts.introductions.unsettled > 0) return;
    this.#active = false;
    this.#count.end();
    this.#ready();
  }
}
