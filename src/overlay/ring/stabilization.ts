import { milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Membership } from "../members/membership.ts";
import type { NodeId } from "../ports.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import { EXTENSION } from "../wire/code-points.ts";
import type { MessageExtension } from "../wire/message.ts";
import { Chord } from "./chord.ts";
import { type ChordLists, chordRules, isBetween, SUCCESSORS } from "./chord-rules.ts";
import { decodeChordLists, encodeChordLists } from "../wire/chord-lists.ts";
import { nextId } from "./ring.ts";

/** On a RouteQuery: tell your lists with the answer. */
const WANTED: MessageExtension = { type: EXTENSION.chord_lists, critical: false, contents: new Uint8Array(0) };

/** A member that is named and not linked yet is waited for, so many attempts long; then it counts as dead. */
const ATTEMPTS = 4;

/** Without a reason to look, the lists are looked at so many times less often than copies are compared. */
const ROUTINE = 4;

interface Events {
  /** Somebody is to be asked and there is no link to it: `informer` named it. */
  wanted(nodeId: NodeId, informer: NodeId): void;
  /** The view knows only a part of the ring. */
  isPartial(): boolean;
  /** Tell it whom we take to be our neighbors. */
  tellNeighbors(nodeId: NodeId): void;
}

/**
 * Keeps this box's successor list and predecessor by the rules of `Chord`: asks over the links, and lets
 * Updates, verdicts and the view be no more than reasons to look. The proof begins with a ring of
 * `SUCCESSORS + 1` whose lists are as they should be: so small a ring every box knows whole, and up to
 * there the lists are taken from the view.
 */
export class Stabilization {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #events: Events;
  readonly #chord: Chord<NodeId>;
  #serves = false;
  /** Rises with each: an answer to an earlier one comes too late. */
  #question = 0;

  constructor(parts: { context: CoreContext; membership: Membership; exchanges: Exchanges }, events: Events) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#events = events;
    this.#chord = new Chord<NodeId>(parts.context.self, chordRules(), (id) => nextId(id) as string as NodeId);
  }

  /** `undefined`: not in a ring, or in one of fewer boxes than a list is long. */
  get lists(): ChordLists<NodeId> | undefined {
    return this.#chord.lists;
  }
  /** Those of the list that are there; places that stand for nobody are left out. */
  get successors(): readonly NodeId[] {
    const { view } = this.#membership;
    const lists = this.#chord.lists;
    return lists === undefined ? view.successors(this.#context.self, SUCCESSORS) : lists.successors.filter((id) => view.has(id));
  }

  /** This box is in the ring. */
  begin(): void {
    this.#serves = true;
    this.viewChanged();
  }
  stop(): void {
    this.#serves = false;
    this.#chord.leave();
    this.#context.agenda.cancel("stabilize");
    this.#context.agenda.cancel("ask again");
  }

  /** Something has happened that a rule may have to do with. Earlier work already planned stands. */
  soon(): void {
    if (!this.#serves || this.#context.agenda.isSet("stabilize soon")) return;
    this.#context.later("stabilize soon", this.#context.jittered(this.#context.settings.timing.holdDown), () => this.#stabilize());
  }

  /** The view has changed: it knows of a nearer successor, or one of ours is gone. */
  viewChanged(): void {
    const { view } = this.#membership;
    if (!this.#serves) return;
    if (this.#isTooSmall() && view.size <= SUCCESSORS) this.#chord.leave();
    else if (this.#isTooSmall()) this.#chord.found(this.#fromView());
    const lists = this.#chord.lists;
    if (lists === undefined) return this.soon();
    if (lists.successors[0] !== view.successors(this.#context.self, 1)[0] || !view.has(lists.predecessor)) this.soon();
  }

  /**
   * An Update names its sender's successors: one that names us first is a notification (rectify). From our
   * own first successor it is a reason to ask for its lists, if they are not those that ours was made of;
   * and so it is from one that is nearer.
   */
  updateReceived(from: NodeId, successors: readonly NodeId[]): void {
    const before = this.#chord.lists;
    if (before === undefined) return;
    if (isBetween(this.#context.self, from, before.successors[0])) this.soon();
    if (from === before.successors[0] && successors.some((id, i) => i + 1 < SUCCESSORS && id !== before.successors[i + 1])) this.soon();
    if (successors[0] === this.#context.self && this.#chord.asking === undefined) this.#apply(() => this.#chord.notified(from));
  }

  /** With the answer to a RouteQuery that wants it. */
  told(extensions: readonly MessageExtension[]): readonly MessageExtension[] {
    const lists = this.#chord.lists;
    if (lists === undefined || !extensions.some(({ type }) => type === EXTENSION.chord_lists)) return [];
    return [{ type: EXTENSION.chord_lists, critical: false, contents: encodeChordLists(lists) }];
  }

  #stabilize(): void {
    if (!this.#serves) return;
    const { timing } = this.#context.settings;
    this.#context.later("stabilize", this.#context.jittered(milliseconds(ROUTINE * timing.antiEntropy)), () => this.#stabilize());
    const { view } = this.#membership;
    const { self } = this.#context;
    if (this.#isTooSmall() || view.size === 1 || this.#chord.asking !== undefined) return;
    if (this.#isLost()) this.#chord.found(this.#fromView());
    const [host = self] = view.predecessors(self, 1);
    const [nearest] = view.successors(self, 1);
    this.#apply(() => (this.#chord.state === "outside" ? this.#chord.join(host) : this.#chord.stabilize(nearest)));
  }

  #fromView(): ChordLists<NodeId> {
    const { view } = this.#membership;
    const { self } = this.#context;
    const [first = self, second = self, third = self] = view.successors(self, SUCCESSORS);
    return { successors: [first, second, third], predecessor: view.predecessors(self, 1)[0] ?? self };
  }

  /** Every box knows the whole ring, and the proof does not yet hold. */
  #isTooSmall(): boolean {
    return this.#membership.view.size <= SUCCESSORS + 1 && !this.#events.isPartial();
  }
  /** More boxes died at once than the rules can bear: nobody of the list is left, others are. The view is a new beginning. */
  #isLost(): boolean {
    const { lists } = this.#chord;
    return lists !== undefined && !lists.successors.some((id) => this.#membership.view.has(id));
  }

  /** Makes the rule's step, and asks whom it wants to hear next. To notify `aware` would change nothing there. */
  #apply(step: () => NodeId | undefined, aware?: NodeId): void {
    const before = this.#chord.lists;
    const notify = step();
    if (notify !== undefined && notify !== aware && this.#membership.isLinked(notify)) this.#events.tellNeighbors(notify);
    if (this.#chord.asking === undefined) return this.#tellChange(before);
    this.#ask(this.#chord.asking, ++this.#question, 1);
  }

  #ask(asked: NodeId, question: number, attempt: number): void {
    if (question !== this.#question || this.#chord.asking !== asked) return;
    if (!this.#membership.isLinked(asked)) return this.#waitFor(asked, question, attempt);
    const { timing } = this.#context.settings;
    const body = { type: "route_query_req", sendUpdate: false, destination: { type: "node", nodeId: this.#context.self }, overlayData: new Uint8Array(0) } as const;
    this.#exchanges.request({ hop: asked, body, extensions: [WANTED], timeout: timing.attempt }, (outcome) => {
      if (question !== this.#question || this.#chord.asking !== asked) return;
      const lists = listsIn(outcome);
      if (lists !== undefined) this.#apply(() => this.#chord.lives(lists), lists.predecessor === this.#context.self ? asked : undefined);
      // Silence is no death: the verdict on the link is.
      else if (outcome.type === "timeout") this.#ask(asked, question, attempt + 1);
      else if (outcome.type === "unreachable") this.#waitFor(asked, question, attempt);
      else this.#apply(() => this.#chord.died());
    });
  }

  /** Without a link it may be a newcomer that others have met already. Those in our own list were linked before: they are dead. */
  #waitFor(asked: NodeId, question: number, attempt: number): void {
    const lists = this.#chord.lists;
    const known = this.#membership.find(asked)?.state;
    const isOwn = lists !== undefined && (lists.successors.includes(asked) || lists.predecessor === asked);
    if (attempt > ATTEMPTS || isOwn || known === "gone" || known === "left") return this.#apply(() => this.#chord.died());
    if (lists !== undefined) this.#events.wanted(asked, lists.successors[0]);
    this.#context.later("ask again", this.#context.settings.timing.attempt, () => this.#ask(asked, question, attempt + 1));
  }

  /** Stabilizes again until nothing changes; and whoever made its list of ours hears that ours is another. */
  #tellChange(before: ChordLists<NodeId> | undefined): void {
    const { lists } = this.#chord;
    if (lists === undefined) return this.soon();
    if (lists.successors.every((id, i) => id === before?.successors[i])) return;
    this.soon();
    if (this.#membership.isLinked(lists.predecessor)) this.#events.tellNeighbors(lists.predecessor);
  }
}

function listsIn(outcome: Outcome): ChordLists<NodeId> | undefined {
  if (outcome.type !== "answer") return undefined;
  const extension = outcome.message.extensions.find(({ type }) => type === EXTENSION.chord_lists);
  const lists = extension === undefined ? undefined : decodeChordLists(extension.contents);
  return lists?.ok === true ? lists.value : undefined;
}
