import { after, between, type Duration, type Instant, milliseconds, seconds } from "../../base/time.ts";
import { ArcSync, type SyncOutcome, type SyncTask } from "./arc-sync.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Membership, ViewChange } from "../members/membership.ts";
import type { NodeId, ResourceId } from "../ports.ts";
import { type Arc, intersect, type Placement, RingView } from "../ring/ring.ts";
import { sameDigest } from "../storage/digest.ts";
import type { Holdings } from "../storage/holdings.ts";
import type { Topology } from "../ring/topology.ts";
import type { Surplus } from "./surplus.ts";

/** What one partner brought has to reach the others too: so many rounds, then the next turn goes on. */
const MAX_ROUNDS = 4;

/** Boxes asked while it is unsettled who has what: replica sets of before, of now, and of the other side. */
export const MAX_ASKED = 8;

/** A box that stood alone after a restart asks whoever joins it, for so long. */
const REMEMBERING = seconds(60);

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly exchanges: Exchanges;
  readonly holdings: Holdings;
  readonly surplus: Surplus;
  readonly topology: Topology;
  readonly tellWhomWeKnow: (member: NodeId) => void;
}

/**
 * The one mechanism that makes replicas equal. The responsible peer compares its arc with each of its
 * replicas, takes what they have newer and gives what it has newer: after a change of the ring, and
 * every `antiEntropy`. A box that holds what is not its own offers it to the responsible peer, and
 * forgets it only when that one and its replicas have it.
 */
export class Repair {
  readonly #parts: Parts;
  readonly #context: CoreContext;
  readonly #membership: Membership;
  #running: ArcSync | undefined;
  /** The own arc's contents may be incomplete: reads ask others too. */
  #unsettled = false;
  /** Who might have what we lack: the ring before, and those that came from another ring. */
  #formerView: RingView | undefined;
  #fromElsewhere = new Set<NodeId>();
  #aloneSince: Instant | undefined;
  /** All replicas had everything when last compared, and no write has missed one since. */
  #inSync = false;
  /** When all replicas were compared last. */
  #comparedAt: Instant | undefined;
  /** Rises when what is being compared has changed meanwhile. */
  #revision = 0;
  /** Rises when replicas have something to catch up on. */
  #misses = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#context = parts.context;
    this.#membership = parts.membership;
  }

  get inSync(): boolean {
    return this.#inSync;
  }
  get unsettled(): boolean {
    return this.#unsettled;
  }
  get comparedAt(): Instant | undefined {
    return this.#comparedAt;
  }

  /** This box has begun to serve. */
  begin(alone: boolean): void {
    if (alone) this.#aloneSince = this.#context.now;
    this.#inSync = false;
    this.#after(this.#context.settings.timing.holdDown);
  }
  stop(): void {
    this.#running?.abandon();
    this.#running = undefined;
    this.#context.agenda.cancel("repair");
  }

  viewChanged({ before, added, removed, orderly }: ViewChange): void {
    const { self } = this.#context;
    // Boxes from another ring may have what is ours wherever they stand; others only if they are near. And where
    // not all know all, whoever comes into sight far away has been in the ring before.
    const { isWhole } = this.#parts.topology;
    const isFarAway = (orderly || added.length === 0 || !isWhole) && before.isSameAround(self, this.#membership.view);
    if (isWhole || !isFarAway) this.#revision++;
    if (isFarAway) return;
    this.#inSync = false;
    if (!this.#membership.view.has(self) || !before.has(self)) return;
    const grew = removed.length > 0 && before.arcOf(self).after !== this.#membership.view.arcOf(self).after;
    const merged = !orderly && added.length > 0;
    if (merged || (grew && !orderly)) {
      this.#unsettled = true;
      this.#formerView ??= before;
      for (const id of added) this.#fromElsewhere.add(id);
    }
    this.#after(merged ? milliseconds(0) : this.#context.settings.timing.holdDown);
  }

  /** Others may have answered for the share meanwhile, and nothing has shown in the ring: reads ask them until all is compared. */
  doubt(): void {
    if (!this.#membership.view.has(this.#context.self)) return;
    this.#revision++;
    this.#inSync = false;
    this.#unsettled = true;
    this.#formerView ??= this.#membership.view;
    this.#after(milliseconds(0));
  }

  /** A replica did not get a write, or was silent for a while. */
  missed(): void {
    this.#inSync = false;
    this.#misses++;
    this.#after(this.#context.settings.timing.holdDown);
  }

  isInSync(arc: Arc): boolean {
    const { view } = this.#membership;
    const { self } = this.#context;
    if (!this.#inSync || this.#unsettled || !view.has(self) || !this.#parts.holdings.disk.isWhole) return false;
    const [piece, ...others] = intersect(arc, view.arcOf(self));
    return others.length === 0 && piece?.after === arc.after && piece.upTo === arc.upTo;
  }

  /** Who else may have newer values of a resource of ours; empty when the memory of this box is enough. */
  othersToAsk(resource: ResourceId): readonly NodeId[] {
    if (!this.#unsettled && !this.#remembers()) return NOBODY;
    const joining = this.#remembers() ? this.#membership.inState("joining").map(({ nodeId }) => nodeId) : [];
    const holders = this.#unsettled ? this.#views().flatMap((view) => view.holders(resource)) : [];
    const others = [...new Set([...holders, ...joining])];
    return others.filter((id) => id !== this.#context.self && this.#membership.isLinked(id)).slice(0, MAX_ASKED);
  }

  #remembers(): boolean {
    return this.#aloneSince !== undefined && between(this.#aloneSince, this.#context.now) < REMEMBERING;
  }

  #views(): readonly RingView[] {
    const elsewhere = new RingView(this.#fromElsewhere, () => "");
    return [this.#membership.view, ...(this.#formerView === undefined ? [] : [this.#formerView]), elsewhere];
  }

  /** Earlier work already planned stands. */
  #after(delay: Duration): void {
    const at = after(this.#context.now, delay);
    const planned = this.#plannedAt;
    if (planned !== undefined && this.#context.agenda.isSet("repair") && planned <= at) return;
    this.#plannedAt = at;
    this.#context.agenda.set("repair", at, () => this.#run());
  }
  #plannedAt: Instant | undefined;

  #run(): void {
    if (this.#running !== undefined || !this.#membership.view.has(this.#context.self)) return;
    this.#correctClock();
    this.#parts.holdings.dropSettled();
    this.#round(0);
  }

  #round(number: number): void {
    const revision = this.#revision;
    const misses = this.#misses;
    const tasks = this.#ownTasks();
    this.#runAll(tasks, (outcomes) => {
      this.#tellWhomWeKnow(tasks, outcomes);
      const complete = outcomes.length === tasks.length && outcomes.every((outcome) => outcome.complete);
      if (revision !== this.#revision || !complete) return this.#turnEnds(false);
      const moved = (outcomes.some(({ pulled }) => pulled > 0) && tasks.length > 1) || outcomes.some(({ compareAgain }) => compareAgain);
      if (moved && number + 1 < MAX_ROUNDS) return this.#round(number + 1);
      // Who still sees another box responsible (one we have no link to) knows of writes that we do not.
      if (!outcomes.every(({ agreed }) => agreed)) return this.#turnEnds(false);
      this.#settled();
      this.#comparedAt = this.#context.now;
      this.#inSync = !moved && misses === this.#misses && outcomes.every(({ onDisk }) => onDisk);
      this.#offerSurplus();
    });
  }

  /**
   * To partners that see another ring; they do the same. All partners, neighbor by neighbor, seeing the same ring
   * means that all boxes do: no two stay unknown to each other.
   */
  #tellWhomWeKnow(tasks: readonly SyncTask[], outcomes: readonly SyncOutcome[]): void {
    const strangers = tasks.filter((_, index) => outcomes[index]?.sameView === false).map(({ partner }) => partner);
    for (const partner of new Set(strangers)) this.#parts.tellWhomWeKnow(partner);
  }

  #settled(): void {
    this.#unsettled = false;
    this.#formerView = undefined;
    this.#fromElsewhere = new Set();
  }

  /** The own arc with each of its replicas; while unsettled with all that may know more of it. */
  #ownTasks(): readonly SyncTask[] {
    const { self } = this.#context;
    const { view } = this.#membership;
    const arc = view.arcOf(self);
    const views = this.#unsettled ? this.#views() : [view];
    const tasks = views.flatMap((each) => each.placementsIn(arc)).flatMap((placement) => this.#tasksFor(placement));
    return tasks.filter((task, index) => tasks.findIndex((other) => isSameTask(task, other)) === index);
  }
  #tasksFor({ arc, holders }: Placement): readonly SyncTask[] {
    return holders
      .filter((id) => id !== this.#context.self && this.#membership.isLinked(id))
      .map((partner) => ({ partner, arc, pull: true, push: this.#membership.view.isHolder(partner, arc.upTo) }));
  }

  /** What this box holds of arcs where it holds no copy by the ring. */
  #offerSurplus(): void {
    const { tasks, waiting } = this.#parts.surplus.offers();
    const { store } = this.#parts.holdings;
    const revision = this.#revision;
    const offered = tasks.map(({ arc }) => store.digest(arc));
    this.#runAll(tasks, (outcomes) => {
      let left = waiting || outcomes.length < tasks.length;
      outcomes.forEach(({ complete, pushed, partnerInSync }, index) => {
        const task = tasks[index];
        const digest = offered[index];
        if (task === undefined || digest === undefined) return;
        const confirmed = complete && pushed === 0 && partnerInSync && sameDigest(digest, store.digest(task.arc));
        if (confirmed && revision === this.#revision) this.#forget(task.arc);
        else left = true;
      });
      this.#turnEnds(!left && this.#inSync);
    });
  }

  /** Another box and its replicas have it all: see `offerSurplus`. */
  #forget(arc: Arc): void {
    const { holdings } = this.#parts;
    for (const resource of [...holdings.store.resourcesIn(arc)]) {
      for (const entry of [...holdings.store.entriesOf(resource)]) holdings.drop(entry);
    }
    this.#context.count("surplus-dropped");
  }

  #turnEnds(done: boolean): void {
    const { antiEntropy, holdDown } = this.#context.settings.timing;
    this.#after(done ? this.#context.jittered(antiEntropy) : this.#context.jittered(milliseconds(2 * holdDown)));
  }

  #runAll(tasks: readonly SyncTask[], told: (outcomes: readonly SyncOutcome[]) => void): void {
    const outcomes: SyncOutcome[] = [];
    const next = (): void => {
      this.#running = undefined;
      const task = tasks[outcomes.length];
      if (task === undefined) return told(outcomes);
      this.#running = new ArcSync(this.#parts, task, (outcome) => {
        outcomes.push(outcome);
        this.#context.soon(next);
      });
      this.#running.start();
    };
    next();
  }

  #correctClock(): void {
    const differences = this.#membership.clockDifferences();
    if (differences.length === 0) return;
    const corrected = this.#context.clock.agreeWith([0, ...differences]);
    this.#parts.holdings.mendFutureStamps();
    if (!corrected) return;
    this.#membership.forgetClocks();
    this.#context.report("warning", "This box's clock differs from the others'; theirs is used.");
  }
}

const NOBODY: readonly NodeId[] = [];

const isSameTask = (a: SyncTask, b: SyncTask): boolean =>
  a.partner === b.partner && a.arc.after === b.arc.after && a.arc.upTo === b.arc.upTo;
