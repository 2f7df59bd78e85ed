import { sameAddress } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import { between, type Duration, type Instant, milliseconds, minutes, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import { MEMBER_TRANSITIONS, type MemberState, type MemberTrigger } from "./member-states.ts";
import type { LinkId, NodeId, OverlayInput, PeerInfo } from "../ports.ts";
import { RingView } from "../ring/ring.ts";

/** Known boxes. At the bound one that is gone or left makes room; if there is none, its links are closed. */
export const MAX_MEMBERS = 1024;

/** Links to one box at a time; those least preferred beyond them are closed at once. */
const MAX_LINKS = 4;

/**
 * A link that is not needed stays open this long, so that what is under way over it arrives, and the first
 * words over the other one, even if they are lost four times.
 */
const DRAIN = seconds(5);

/** What was heard of a clock longer ago does not count. */
const CLOCK_HEARD = minutes(2);

/** What is remembered over a restart is told at most this often. */
const ANNOUNCE_DELAY = milliseconds(500);

export interface Member {
  readonly nodeId: NodeId;
  state: MemberState;
  info: PeerInfo | undefined;
  /** DER; empty for a box that is only remembered. */
  certificate: Uint8Array;
  /** Its certificate is a client's: it stores nothing, and may do less than a box. */
  isClient: boolean;
  /** Links in the order of preference: what is sent goes over the first. BOUNDED: MAX_LINKS. */
  links: readonly OpenLink[];
  /** How it stood when it introduced itself over its present links; whether it is in the ring is `state`'s to say. */
  introducedAs: "in the ring" | "outside" | "aside" | undefined;
  /** Clock of the other side minus ours, milliseconds, and when it was heard. */
  clockDifference: { readonly by: number; readonly at: Instant } | undefined;
  roundTrip: Duration | undefined;
  /** One of us does not hear the other: what is sent goes through this member (see `Verdicts`). */
  relay: NodeId | undefined;
}

interface OpenLink {
  readonly id: LinkId;
  readonly outbound: boolean;
  readonly silent: boolean;
}

export interface ViewChange {
  readonly before: RingView;
  readonly added: readonly NodeId[];
  readonly removed: readonly NodeId[];
  /** Whoever came received its share first; whoever went handed it over. */
  readonly orderly: boolean;
}

export interface MembershipEvents {
  viewChanged(change: ViewChange): void;
  /** A first link to a box that had none, one that we have opened, or the one that is left when the preferred one has closed. */
  linked(member: Member, outbound: boolean): void;
  /** It counts as gone or left now; it was in the given state. */
  lost(member: Member, was: MemberState): void;
  /** The link we prefer has gone silent; or it is heard again. */
  silent(member: Member): void;
  heard(member: Member): void;
}

type LinkOpened = Extract<OverlayInput, { type: "link-opened" }>;

/** Who is there: links, states, and the ring view that follows from them. */
export class Membership {
  readonly #context: CoreContext;
  readonly #events: MembershipEvents;
  readonly #members = new BoundedMap<NodeId, Member>(MAX_MEMBERS, "refuse");
  readonly #byLink = new Map<LinkId, Member>();
  #view: RingView;
  #selfServes = false;
  /** How many members are on their way in: mostly none. */
  #joining = 0;
  #knowsZones = true;

  constructor(context: CoreContext, events: MembershipEvents) {
    this.#context = context;
    this.#events = events;
    this.#view = new RingView([], (id) => this.#zoneOf(id));
  }

  get view(): RingView {
    return this.#view;
  }
  get members(): Iterable<Member> {
    return this.#members.values();
  }
  find(nodeId: NodeId): Member | undefined {
    return this.#members.get(nodeId);
  }
  findByLink(link: LinkId): Member | undefined {
    return this.#byLink.get(link);
  }
  /** The link to send over: its own, or that of the member it is reached through. */
  linkTo(nodeId: NodeId): LinkId | undefined {
    const member = this.#members.get(nodeId);
    return member === undefined ? undefined : (this.#linkOfRelay(member) ?? member.links[0]?.id);
  }
  isLinked(nodeId: NodeId): boolean {
    const member = this.#members.get(nodeId);
    return member !== undefined && (member.links.length > 0 || this.#linkOfRelay(member) !== undefined);
  }
  /** What is sent to it goes through another member, and is signed. */
  isRelayed(nodeId: NodeId): boolean {
    const member = this.#members.get(nodeId);
    return member !== undefined && this.#linkOfRelay(member) !== undefined;
  }
  /** A link of its own over which it is heard. */
  hasLiveLink(nodeId: NodeId): boolean {
    return this.#members.get(nodeId)?.links[0]?.silent === false;
  }
  inState(state: MemberState): readonly Member[] {
    if (state === "joining" && this.#joining === 0) return NO_MEMBERS;
    const found: Member[] = [];
    for (const member of this.#members.values()) if (member.state === state) found.push(member);
    return found;
  }
  isSilent(nodeId: NodeId): boolean {
    return this.#members.get(nodeId)?.links[0]?.silent === true && !this.isRelayed(nodeId);
  }

  /** Remembers a box from before, or one that was named to us. */
  remember(info: PeerInfo): void {
    if (info.nodeId === this.#context.self || this.#context.rules.isRevoked(info.nodeId)) return;
    const member = this.#members.get(info.nodeId) ?? this.#add(info.nodeId, new Uint8Array(0));
    if (member !== undefined && (member.info === undefined || info.incarnation >= member.info.incarnation)) member.info = info;
  }

  selfServes(serves: boolean): void {
    this.#selfServes = serves;
    this.#refresh(true);
  }

  /** `time`: what the box took the time to be a moment ago. */
  heardClock(member: Member, time: number): void {
    member.clockDifference = { by: time - this.#context.clock.now(), at: this.#context.now };
  }
  /** How the clocks of the linked boxes differ from ours, as far as that was heard lately. */
  clockDifferences(): readonly number[] {
    const { now } = this.#context;
    const differences: number[] = [];
    for (const { clockDifference: heard, links } of this.#members.values()) {
      if (heard !== undefined && links.length > 0 && between(heard.at, now) <= CLOCK_HEARD) differences.push(heard.by);
    }
    return differences;
  }
  /** Our clock was corrected: what was heard before is not so any more. */
  forgetClocks(): void {
    for (const member of this.#members.values()) member.clockDifference = undefined;
  }

  /** Copies are spread over zones only where all boxes see the same: otherwise they would not agree on where they are. */
  spreadOverZones(spread: boolean): void {
    this.#knowsZones = spread;
    this.#refresh(true);
  }

  linkOpened({ link, nodeId, certificate, outbound }: LinkOpened): void {
    const { self } = this.#context;
    const member = nodeId === self ? undefined : (this.#members.get(nodeId) ?? this.#add(nodeId, certificate));
    if (member === undefined) {
      this.#context.emit({ type: "link-close", link, reason: nodeId === self ? "this is the box itself" : "too many members" });
      return;
    }
    member.certificate = certificate;
    const inspected = this.#context.trust.inspect(certificate);
    member.isClient = "nodeId" in inspected && inspected.isClient === true;
    this.#byLink.set(link, member);
    const first = member.links.length === 0;
    this.#rank(member, [{ id: link, outbound, silent: false }, ...member.links]);
    const wasRelayed = member.relay !== undefined;
    member.relay = undefined;
    if (first) this.apply(member, "link opened");
    if (first || outbound) this.#events.linked(member, outbound);
    // Beside a link that is silent, or a way through another box: whoever opens a link is there.
    if (this.apply(member, "link heard") || wasRelayed) this.#events.heard(member);
  }

  linkClosed(link: LinkId): void {
    const member = this.#byLink.get(link);
    if (member === undefined) return;
    this.#byLink.delete(link);
    const [preferred] = member.links;
    const wasSilent = preferred?.silent === true;
    this.#context.agenda.cancel(`drain ${link}`);
    member.links = member.links.filter((open) => open.id !== link);
    const [left] = member.links;
    // The other side may have forgotten us with the link that it closed, over which we had said who we are.
    if (left !== undefined) return preferred?.id === link && !left.silent ? this.#events.linked(member, left.outbound) : undefined;
    // A way through another box that we have tried ourselves outlives the link; a closed link says more than hearsay.
    if (member.relay !== undefined && wasSilent) return this.#events.silent(member);
    member.relay = undefined;
    member.introducedAs = undefined;
    this.apply(member, "link closed");
  }

  /** From now on what is sent to it goes through another member: it is there, whatever our links say. */
  reachThrough(member: Member, relay: NodeId): void {
    member.relay = relay;
    if (this.apply(member, "link opened")) this.#events.linked(member, true);
    else if (this.apply(member, "link heard")) this.#events.heard(member);
  }
  /** The way through another member is not needed, or does not lead there, any more. */
  reachDirectly(member: Member): void {
    member.relay = undefined;
    if (!this.hasLiveLink(member.nodeId)) this.apply(member, "link silent");
  }

  /** Gives a member up: its links are closed, and it is gone at once. */
  close(member: Member, reason: string): void {
    member.relay = undefined;
    if (member.links.length === 0) this.apply(member, "link closed");
    for (const { id } of member.links.toReversed()) {
      this.#context.emit({ type: "link-close", link: id, reason });
      this.linkClosed(id);
    }
  }

  linkSilent(link: LinkId): void {
    const member = this.#markSilence(link, true);
    if (member?.links[0]?.silent !== true) return;
    if (member.relay === undefined) this.apply(member, "link silent");
    this.#events.silent(member);
  }
  linkHeard(link: LinkId): void {
    const member = this.#markSilence(link, false);
    if (member === undefined) return;
    member.relay = undefined;
    this.apply(member, "link heard");
    this.#events.heard(member);
  }

  /**
   * Another box answers where it used to be: it was replaced, or has another address now and will say so.
   * Nobody dials it any more.
   */
  movedOut(nodeId: NodeId): void {
    const member = this.#members.get(nodeId);
    if (member === undefined || member.links.length > 0) return;
    this.#members.delete(nodeId);
    this.#announce();
  }

  /** Its fleet believes it no more: its links are cut, and nobody remembers it. */
  revoked(nodeId: NodeId): void {
    const member = this.#members.get(nodeId);
    if (member === undefined) return;
    this.close(member, "it was revoked");
    if (isInRing(member.state)) this.apply(member, "link closed");
    this.movedOut(nodeId);
  }

  /** What a box says of itself. A higher incarnation than known: what we knew of it is over. */
  heardInfo(member: Member, info: PeerInfo, link: LinkId): void {
    const old = member.info;
    if (old !== undefined && info.incarnation < old.incarnation) return;
    member.info = info;
    if (old !== undefined && info.incarnation > old.incarnation) this.#startedAnew(member, link);
    if (old?.zone !== info.zone && this.#view.has(member.nodeId)) this.#refresh(true);
    if (old === undefined || !saysTheSame(old, info)) this.#announce();
  }

  /** Whether the state changed. */
  apply(member: Member, trigger: MemberTrigger): boolean {
    const was = member.state;
    const cell = MEMBER_TRANSITIONS[was][trigger];
    if (cell === "ignore") return false;
    member.state = cell;
    if (cell === "joining") this.#joining++;
    if (was === "joining") this.#joining--;
    const orderly = trigger === "leave" || trigger === "stand aside" || (was === "joining" && trigger === "ready");
    if (isInRing(was) !== isInRing(cell)) this.#moveInRing(member.nodeId, isInRing(cell), orderly);
    if (cell === "gone" || cell === "left") this.#events.lost(member, was);
    return true;
  }

  /** The members worth remembering over a restart. */
  remembered(): readonly PeerInfo[] {
    return [...this.#members.values()].flatMap(({ info, state }) => (info === undefined || state === "left" ? [] : [info]));
  }

  #linkOfRelay({ relay }: Member): LinkId | undefined {
    if (relay === undefined) return undefined;
    const link = this.#members.get(relay)?.links[0];
    return link?.silent === false ? link.id : undefined;
  }

  /** Links of a former start: if it lives, it dials again, and there are two. */
  endFormerLinks(member: Member, link: LinkId): void {
    for (const { id } of member.links.filter((open) => open.id !== link)) {
      this.#context.emit({ type: "link-close", link: id, reason: "the box has started anew" });
      this.linkClosed(id);
    }
  }

  /** Links of its former life are dead even if nobody noticed; its former state is over. */
  #startedAnew(member: Member, link: LinkId): void {
    this.endFormerLinks(member, link);
    if (member.state !== "linked" && this.apply(member, "link closed")) this.apply(member, "link opened");
  }

  /** Soon, and once for many: a box that starts hears of everybody within a moment. */
  #announce(): void {
    if (this.#context.agenda.isSet("announce members")) return;
    this.#context.later("announce members", ANNOUNCE_DELAY, () => {
      this.#context.emit({ type: "members-changed", members: this.remembered() });
    });
  }

  #moveInRing(nodeId: NodeId, enters: boolean, orderly: boolean): void {
    const before = this.#view;
    this.#view = enters ? before.with(nodeId) : before.without(nodeId);
    if (this.#view === before) return;
    this.#events.viewChanged({ before, added: enters ? [nodeId] : [], removed: enters ? [] : [nodeId], orderly });
  }

  #refresh(orderly: boolean): void {
    const before = this.#view;
    const ids: NodeId[] = this.#selfServes ? [this.#context.self] : [];
    for (const { nodeId, state } of this.#members.values()) if (isInRing(state)) ids.push(nodeId);
    const view = new RingView(ids, (id) => this.#zoneOf(id));
    const added = view.ids.filter((id) => !before.has(id));
    const removed = before.ids.filter((id) => !view.has(id));
    this.#view = view;
    if (added.length === 0 && removed.length === 0 && sameHolders(before, view)) return;
    this.#events.viewChanged({ before, added, removed, orderly });
  }

  #zoneOf(id: NodeId): string {
    if (!this.#knowsZones) return "";
    return id === this.#context.self ? this.#context.settings.self.zone : (this.#members.get(id)?.info?.zone ?? "");
  }

  #add(nodeId: NodeId, certificate: Uint8Array): Member | undefined {
    if (this.#members.size >= MAX_MEMBERS) {
      const spare = [...this.#members.values()].find(({ state }) => state === "gone" || state === "left");
      if (spare !== undefined) this.#members.delete(spare.nodeId);
    }
    const member: Member = { nodeId, state: "gone", info: undefined, certificate, isClient: false, links: [], introducedAs: undefined, clockDifference: undefined, roundTrip: undefined, relay: undefined };
    return this.#members.set(nodeId, member) ? member : undefined;
  }

  /**
   * Preference both ends agree on without talking: a link that is heard before a silent one; then the
   * one dialed by the smaller Node-ID; of two dialed by one side the newer.
   */
  #rank(member: Member, links: readonly OpenLink[]): void {
    const preferOutbound = this.#context.self < member.nodeId;
    const rank = ({ silent, outbound }: OpenLink): number => (silent ? 2 : 0) + (outbound === preferOutbound ? 0 : 1);
    member.links = [...links].sort((a, b) => rank(a) - rank(b));
    for (const { id } of member.links.slice(MAX_LINKS)) this.#closeSpare(id);
    // One of the two closes what is spare: they may differ in which link is silent, and would close both.
    if (preferOutbound) for (const { id } of member.links.slice(1)) this.#closeLater(member, id, DRAIN);
    const [first] = member.links;
    if (first !== undefined) this.#context.agenda.cancel(`drain ${first.id}`);
  }

  /** Closing a spare link is no verdict; if it has become the only one meanwhile it stays. */
  #closeLater(member: Member, link: LinkId, delay: Duration): void {
    this.#context.later(`drain ${link}`, delay, () => {
      if (member.links[0]?.id !== link && member.links.some(({ id }) => id === link)) this.#closeSpare(link);
    });
  }
  #closeSpare(link: LinkId): void {
    this.#context.emit({ type: "link-close", link, reason: "one link between two boxes is enough" });
    this.linkClosed(link);
  }

  #markSilence(link: LinkId, silent: boolean): Member | undefined {
    const member = this.#byLink.get(link);
    if (member === undefined) return undefined;
    this.#rank(member, member.links.map((open) => (open.id === link ? { ...open, silent } : open)));
    return member;
  }
}

const NO_MEMBERS: readonly Member[] = [];

const saysTheSame = (a: PeerInfo, b: PeerInfo): boolean =>
  a.incarnation === b.incarnation && a.zone === b.zone && a.software === b.software && sameAddress(a.overlay, b.overlay) && sameAddress(a.sip, b.sip);

/** A silent peer keeps its place until the verdict. */
const isInRing = (state: MemberState): boolean => state === "serving" || state === "silent";

const sameHolders = (a: RingView, b: RingView): boolean =>
  a.ids.every((id) => a.holders(id).join() === b.holders(id).join());
