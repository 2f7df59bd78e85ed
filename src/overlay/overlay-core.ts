import type { Crypto } from "../base/crypto.ts";
import type { Machine } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import { type Duration, earliest, type Instant, instant, milliseconds, minutes, seconds, type WallTime } from "../base/time.ts";
import { ConfigUpdates } from "./configuration/config-updates.ts";
import { Awakening } from "./members/awakening.ts";
import { CoreContext } from "./core-context.ts";
import { Dialer } from "./members/dialer.ts";
import { Doubles } from "./members/doubles.ts";
import { Exchanges } from "./routing/exchanges.ts";
import { Introductions } from "./members/introductions.ts";
import { Joining } from "./members/joining.ts";
import { Leaving } from "./members/leaving.ts";
import { StandingAside } from "./members/standing-aside.ts";
import { Listing } from "./operations/listing.ts";
import type { MemberState } from "./members/member-states.ts";
import { type Member, Membership, type ViewChange } from "./members/membership.ts";
import { Neighborhood } from "./members/neighborhood.ts";
import { Operations } from "./operations/operations.ts";
import { UnknownWriters } from "./operations/unknown-writers.ts";
import { Persistence } from "./replicas/persistence.ts";
import { PHASE_TRANSITIONS, type PhaseTrigger, servesPhones } from "./members/phases.ts";
import type { NodeId, OverlayEffect, OverlayInput, OverlaySettings, OverlaySnapshot, PeerInfo, Phase, ResourceId, Ticket, Trust } from "./ports.ts";
import { Reading } from "./operations/reading.ts";
import { RingAge } from "./members/ring-age.ts";
import { Repair } from "./replicas/repair.ts";
import { Replication } from "./replicas/replication.ts";
import { Responder } from "./routing/responder.ts";
import { type Received, Router } from "./routing/router.ts";
import { pictureOf } from "./snapshot.ts";
import { Holdings } from "./storage/holdings.ts";
import { CLOCK_FLOOR } from "./storage/clock.ts";
import type { StoredEntry } from "./storage/entry.ts";
import { Storing } from "./replicas/storing.ts";
import { Surplus } from "./replicas/surplus.ts";
import { Summaries } from "./replicas/summaries.ts";
import type { ChordLists } from "./ring/chord-rules.ts";
import { Stabilization } from "./ring/stabilization.ts";
import { RingTopology, type Topology } from "./ring/topology.ts";
import { Verdicts } from "./members/verdicts.ts";

/** Where a resource lies, as this box sees the ring. */
export interface Location {
  readonly owner: NodeId | undefined;
  /** The boxes that hold copies, the responsible peer first. */
  readonly replicas: readonly NodeId[];
  /** Boxes that will hold it when they have joined, and get its writes already. */
  readonly joining: readonly NodeId[];
}

/** A box that finds no ring says so this often. */
const REPORT_SEEKING = minutes(1);

/** After a durable write has failed. */
const DISK_RETRY = seconds(5);

/** One box's part of the overlay: everything about the ring except links and disks themselves. */
export class OverlayCore implements Machine<OverlayInput, OverlayEffect> {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #awakening: Awakening;
  readonly #dialer: Dialer;
  readonly #doubles: Doubles;
  readonly #exchanges: Exchanges;
  readonly #persistence: Persistence;
  readonly #holdings: Holdings;
  readonly #repair: Repair;
  readonly #replication: Replication;
  readonly #operations: Operations;
  readonly #introductions: Introductions;
  readonly #updates: ConfigUpdates;
  readonly #joining: Joining;
  readonly #leaving: Leaving;
  readonly #standingAside: StandingAside;
  readonly #stabilization: Stabilization;
  readonly #neighborhood: Neighborhood;
  readonly #topology: Topology;
  readonly #verdicts: Verdicts;
  readonly #router: Router;
  readonly #ringAge: RingAge;
  #phase: Phase = "seeking";
  /** The first member that told us of a ring. */
  #guide: NodeId | undefined;

  constructor(settings: OverlaySettings, crypto: Crypto, random: Random, trust: Trust, wallClock: () => WallTime) {
    const context = new CoreContext(settings, crypto, random, trust, wallClock);
    const membership = new Membership(context, {
      viewChanged: (change) => this.#viewChanged(change),
      linked: (member, outbound) => this.#linked(member, outbound),
      lost: (member, was) => this.#lost(member, was),
      silent: (member) => this.#verdicts.silent(member),
      heard: (member) => this.#heard(member),
    });
    const exchanges = new Exchanges(context, membership, (hop) => this.#updates.tell(hop));
    const persistence = new Persistence(context, () => this.#standingAside.troubled());
    const holdings = new Holdings(context, persistence, (entry) => unknownWriters.kept(entry));
    const doubles = new Doubles(context, () => context.soon(() => this.#introductions.introduceAnew()));
    const neighborhood = new Neighborhood({ context, membership }, {
      seekFinger: (start) => this.#findOwner(start),
    });
    const topology = new RingTopology(context.self, membership, neighborhood);
    const dialer = new Dialer(context, membership, (member) => neighborhood.isNeighbor(member), doubles);
    const basis = { context, membership, exchanges, holdings, persistence, dialer, doubles };
    const tellWhomWeKnow = (member: NodeId): void => this.#introductions.sendUpdate(member, this.#introductions.fullUpdate());
    const surplus = new Surplus({ ...basis, topology, seek: (resource, found) => this.#findOwner(resource, found) });
    const repair = new Repair({ ...basis, surplus, topology, tellWhomWeKnow });
    const ringAge = new RingAge(context);
    const introductions = new Introductions({ ...basis, ringAge }, {
      introduced: (member, ringAge) => this.#introduced(member, ringAge),
      namedSettled: () => this.#joining.proceed(),
      reached: (nodeId) => this.#verdicts.seek(nodeId),
      metAnew: () => repair.doubt(),
      successors: () => stabilization.successors,
      asked: (member) => neighborhood.keep(member),
      wants: (member) => neighborhood.wants(member),
      isPartial: () => neighborhood.isPartial,
      isAside: () => this.#phase === "aside",
      isSayingGoodBye: () => this.#standingAside.isSayingGoodBye,
    });
    const stabilization = new Stabilization(basis, {
      wanted: (member, informer) => introductions.heardOf(member, informer),
      isPartial: () => neighborhood.isPartial,
      tellNeighbors: (member) => introductions.sendUpdate(member, introductions.neighborsUpdate()),
    });
    const updates = new ConfigUpdates(basis, {
      configured: () => this.#rulesChanged(),
      revoked: (nodeIds) => this.#revoked(nodeIds),
      renewed: ({ nodeId }, certificate) => this.#renewed(nodeId, certificate),
    });
    const awakening = new Awakening({ context, membership, exchanges }, () => this.#awoke());
    const replication = new Replication({ ...basis, awakening }, () => repair.missed());
    const reading = new Reading({ ...basis, repair });
    const storing = new Storing({ ...basis, replication }, () => repair.missed());
    const summaries = new Summaries({ ...basis, tellWhomWeKnow }, (arc) => repair.isInSync(arc));
    const phase = (): Phase => this.#phase;
    const responder = new Responder(
      { ...basis, topology, reading, storing, summaries, introductions, repair, updates, stabilization, neighborhood, awakening, phase },
      { updated: (member) => this.#updated(member), joinBegan: (member) => this.#joinBegan(member), pinged: (received) => this.#pinged(received), letsAside: (nodeId) => this.#standingAside.lets(nodeId) },
    );
    this.#context = context;
    this.#doubles = doubles;
    this.#membership = membership;
    this.#awakening = awakening;
    this.#exchanges = exchanges;
    this.#persistence = persistence;
    this.#holdings = holdings;
    this.#dialer = dialer;
    this.#repair = repair;
    this.#introductions = introductions;
    this.#ringAge = ringAge;
    this.#updates = updates;
    this.#replication = replication;
    this.#operations = new Operations({ ...basis, reading, storing, topology, awakening });
    const unknownWriters = new UnknownWriters({ context, holdings, operations: this.#operations });
    this.#joining = new Joining({ ...basis, introductions, neighborhood }, () => this.#shift("share received"));
    this.#leaving = new Leaving(basis, "for good", () => this.#shift("handed over"));
    this.#standingAside = new StandingAside({ ...basis, introductions, replication, phase }, (trigger) => this.#shift(trigger));
    this.#stabilization = stabilization;
    this.#neighborhood = neighborhood;
    this.#topology = topology;
    this.#verdicts = new Verdicts(basis);
    this.#router = new Router(context, membership, exchanges, topology, (received) => responder.answer(received));
  }

  step(now: Instant, input: OverlayInput): readonly OverlayEffect[] {
    const first = !this.#context.wasStarted;
    this.#context.begin(now);
    if (first) this.#start();
    this.#take(input);
    this.#holdings.expire();
    this.#context.settle();
    this.#persistence.flush();
    return this.#context.takeEffects();
  }

  nextDeadline(): Instant | undefined {
    if (!this.#context.wasStarted) return instant(0);
    return earliest(this.#context.agenda.next(), this.#holdings.nextExpiry());
  }

  get phase(): Phase {
    return this.#phase;
  }
  /** What the ring takes the time to be: this box's wall clock, corrected by the others' if it is plainly wrong. */
  wall(): WallTime {
    return this.#context.clock.now();
  }
  /** The time, while another box of the ring goes by it too. */
  get agreedTime(): WallTime | undefined {
    const { self, clock } = this.#context;
    const { view } = this.#membership;
    const isAmongOthers = this.#phase === "serving" && view.has(self) && view.size > 1;
    return isAmongOthers && clock.now() >= CLOCK_FLOOR ? clock.now() : undefined;
  }
  snapshot(): OverlaySnapshot {
    return pictureOf({
      phase: this.#phase,
      context: this.#context,
      membership: this.#membership,
      holdings: this.#holdings,
      doubles: this.#doubles,
      inSync: this.#repair.inSync && !this.#repair.unsettled && this.#holdings.disk.isWhole,
      comparedAt: this.#repair.comparedAt,
      receiving: this.#joining.progress,
      disk: { state: this.#persistence.state, unwritten: this.#persistence.unwritten, unrepaired: this.#holdings.disk.missing },
    });
  }
  locate(resource: ResourceId): Location {
    const { holders, joining } = this.#replication.targets(resource);
    return { owner: holders[0], replicas: holders, joining };
  }
  /** What a box says of itself, this box included. */
  peerInfo(nodeId: NodeId): PeerInfo | undefined {
    return nodeId === this.#context.self ? this.#context.settings.self : this.#membership.find(nodeId)?.info;
  }

  /** What a member said of itself, while something sent to it is likely to arrive. */
  reachable(nodeId: NodeId): PeerInfo | undefined {
    if (nodeId === this.#context.self) return this.#context.settings.self;
    const member = this.#membership.find(nodeId);
    const isFar = member?.state === "gone" && !this.#neighborhood.isNeighbor(nodeId);
    return member === undefined || (member.state === "gone" && !isFar) || member.state === "left" ? undefined : member.info;
  }

  /** Whether a box serves phones and is heard, this box included: in the ring, or beside it because its disk fails. */
  serves(nodeId: NodeId): boolean {
    if (nodeId === this.#context.self) return servesPhones(this.#phase);
    const member = this.#membership.find(nodeId);
    return member?.state === "serving" || (member?.state === "linked" && member.introducedAs === "aside");
  }

  /** Successor list and predecessor, as the rules have them; `undefined` outside of a ring, and in one of up to three. */
  get chordLists(): ChordLists<NodeId> | undefined {
    return this.#stabilization.lists;
  }
  /** What this box itself holds of a resource, deletions included; for tests and support. */
  held(resource: ResourceId): readonly StoredEntry[] {
    return [...this.#holdings.store.entriesOf(resource)];
  }

  #take(input: OverlayInput): void {
    if ((this.#phase === "left" || this.#phase === "revoked") && input.type !== "tick") return this.#takeAfterLeaving(input);
    switch (input.type) {
      case "link-opened":
        this.#dialer.opened(input.dial, input.nodeId);
        return this.#linkOpened(input);
      case "link-message":
        return this.#router.receive(input.link, input.message);
      case "link-silent":
        return this.#membership.linkSilent(input.link);
      case "link-heard":
        return this.#membership.linkHeard(input.link);
      case "link-closed":
        return this.#linkClosed(input.link);
      case "dial-failed":
        return this.#dialer.failed(input.dial);
      case "slept":
        this.#verdicts.doubtSelf();
        this.#repair.doubt();
        return this.#awakening.woke();
      case "candidate":
        return this.#dialer.candidate(input.address, input.source);
      case "persisted":
        return this.#persisted(input.ticket);
      case "row-damaged":
        if (this.#holdings.disk.damaged(input.row)) this.#repair.missed();
        return;
      case "disk-renewed":
        return this.#holdings.disk.renew(input.durability);
      case "disk-unfit":
        return this.#standingAside.troubled();
      case "persist-failed":
        return this.#persistFailed(input.ticket, input.reason);
      case "fetch":
        if (this.#isOutside()) return this.#context.emit({ type: "fetched", ticket: input.ticket, outcome: NOT_SERVING });
        return this.#operations.fetch(input);
      case "store":
        if (this.#isOutside()) return this.#context.emit({ type: "stored", ticket: input.ticket, outcome: NOT_SERVING });
        if (this.#doubles.isDouble && this.#context.kind(input.kind)?.durability === "durable") {
          return this.#context.emit({ type: "stored", ticket: input.ticket, outcome: DOUBLE });
        }
        return this.#operations.store(input);
      case "list":
        return this.#list(input);
      case "leave":
        return this.#shift("leave asked");
      case "configure":
        return this.#configure(input.ticket, input.document);
      case "credential":
        this.#context.signAs(input.certificate);
        this.#holdings.knowCertificate(input.certificate);
        return this.#updates.showCertificate(input.certificate);
      case "revoke":
        return this.#revoke(input.ticket, input.statement);
      case "tick":
        return;
    }
  }

  /** The first thing said over any link is what is in force; to a box that is revoked, it is all. */
  #linkOpened(input: Extract<OverlayInput, { type: "link-opened" }>): void {
    this.#updates.linkOpened(input.link, input.nodeId);
    if (this.#context.rules.isRevoked(input.nodeId)) {
      this.#context.count("link-of-revoked-box");
      this.#context.report("debug", `the box ${input.nodeId} at ${input.remote.host} was revoked; its link is cut`);
      return this.#context.emit({ type: "link-close", link: input.link, reason: "it was revoked" });
    }
    this.#holdings.knowCertificate(input.certificate);
    this.#membership.linkOpened(input);
  }

  #configure(ticket: Ticket, document: Uint8Array): void {
    const outcome = this.#updates.configure(document);
    if (!outcome.ok) return this.#refuseRule("configured", ticket, `The configuration is refused: ${outcome.fault}.`);
    if (outcome.value === "older") return this.#refuseRule("configured", ticket, "This fleet has a newer configuration already; look at it and change that one.");
    this.#updates.spread(undefined, (told) => this.#context.emit({ type: "configured", ticket, outcome: { ok: true, ...told } }));
  }

  #revoke(ticket: Ticket, statement: Uint8Array): void {
    const revoked = this.#context.rules.revoke(statement, this.#context.clock.now());
    if (!revoked.ok) return this.#refuseRule("revoked", ticket, revoked.fault);
    this.#rulesChanged();
    this.#updates.spread(undefined, (told) => this.#context.emit({ type: "revoked", ticket, outcome: { ok: true, ...told } }));
    this.#revoked([revoked.value]);
  }
  #renewed(nodeId: NodeId, certificate: Uint8Array): void {
    this.#holdings.knowCertificate(certificate);
    this.#context.emit({ type: "certificate-shown", nodeId, certificate });
  }
  #refuseRule(type: "configured" | "revoked", ticket: Ticket, text: string): void {
    this.#context.emit({ type, ticket, outcome: { ok: false, text } });
  }

  /** On disk before anybody is told. */
  #rulesChanged(): void {
    const { rules } = this.#context;
    this.#context.emit({ type: "rules-changed", document: rules.document, revocations: rules.encodedRevocations(), configuration: rules.configuration });
  }

  #revoked(nodeIds: readonly NodeId[]): void {
    for (const nodeId of nodeIds) {
      if (nodeId === this.#context.self) this.#shift("revoked");
      else this.#context.report("warning", `The box ${nodeId} was revoked: it is believed no more.`);
      this.#membership.revoked(nodeId);
    }
  }

  #takeAfterLeaving(input: OverlayInput): void {
    if (input.type === "link-opened") this.#context.emit({ type: "link-close", link: input.link, reason: this.#phase === "revoked" ? "this box is revoked" : "this box has left" });
    else if (input.type === "persisted") this.#persistence.written(input.ticket);
    else if (input.type === "fetch") this.#context.emit({ type: "fetched", ticket: input.ticket, outcome: NOT_SERVING });
    else if (input.type === "store") this.#context.emit({ type: "stored", ticket: input.ticket, outcome: NOT_SERVING });
    else if (input.type === "list") this.#context.emit({ type: "listed", ticket: input.ticket, outcome: NOT_SERVING });
    else if (input.type === "leave") this.#shift("leave asked");
    else if (input.type === "configure") this.#refuseRule("configured", input.ticket, OUTSIDE);
    else if (input.type === "revoke") this.#refuseRule("revoked", input.ticket, OUTSIDE);
  }

  #persisted(ticket: Ticket): void {
    this.#persistence.written(ticket);
    if (this.#persistence.unwritten > 0) this.#writeAgainIn(milliseconds(0));
  }
  #persistFailed(ticket: Ticket, reason: string): void {
    this.#persistence.failed(ticket, reason);
    this.#writeAgainIn(DISK_RETRY);
  }
  #writeAgainIn(delay: Duration): void {
    this.#context.later("write again", delay, () => this.#holdings.disk.retry());
  }

  /** A box that is joining may ask the ring; one that has found none, not. */
  #isOutside(): boolean {
    return this.#phase === "seeking" || this.#phase === "left" || this.#phase === "revoked";
  }

  #list(request: Extract<OverlayInput, { type: "list" }>): void {
    if (this.#isOutside()) return this.#context.emit({ type: "listed", ticket: request.ticket, outcome: NOT_SERVING });
    const parts = { context: this.#context, membership: this.#membership, exchanges: this.#exchanges };
    const seek = (place: ResourceId, found: (nodeId: NodeId) => void): void => this.#findOwner(place, found);
    new Listing({ ...parts, holdings: this.#holdings, operations: this.#operations, topology: this.#topology, seek }, request).start();
  }

  #start(): void {
    const { settings } = this.#context;
    this.#holdings.knowCertificate(settings.certificate);
    this.#holdings.restore(settings.rows, this.#context.now);
    for (const info of settings.members) this.#membership.remember(info);
    if (this.#context.rules.isRevoked(this.#context.self)) return this.#shift("revoked");
    for (const { nodeId } of [...this.#membership.members]) this.#dialer.dial(nodeId);
    this.#seek();
  }

  #seek(): void {
    const { settings } = this.#context;
    if (settings.mayStandAlone) this.#context.later("seek", settings.timing.seek, () => this.#shift("alone"));
    this.#context.later("report seeking", REPORT_SEEKING, () => this.#reportSeeking());
  }
  #reportSeeking(): void {
    if (this.#phase !== "seeking") return;
    this.#context.report("info", "Still looking for a box that is in the ring.");
    this.#context.later("report seeking", REPORT_SEEKING, () => this.#reportSeeking());
  }

  #awoke(): void {
    this.#replication.awake();
    this.#operations.tryAgain();
  }

  #linked(member: Member, outbound: boolean): void {
    // It was sought through others until now: a way that they find would be taken for the only one.
    this.#verdicts.heard(member);
    this.#introductions.linked(member, outbound);
  }
  #linkClosed(link: number): void {
    this.#membership.linkClosed(link);
    this.#exchanges.linkClosed(link);
  }

  /** Both know who the other is: whoever is in a ring says so. */
  #introduced(member: Member, ringAge: number): void {
    if (member.introducedAs === "in the ring" && this.#beginsAnew(ringAge)) return;
    this.#introductions.sendUpdate(member.nodeId, this.#introductions.fullUpdate());
    this.#joining.proceed();
  }

  /** Whether this box, until now in a ring of its own, leaves it to come to a ring that has lived without it for too long. */
  #beginsAnew(ringAge: number): boolean {
    const isAway = this.#ringAge.isAwayFrom(ringAge);
    this.#ringAge.heard(ringAge);
    if (!isAway || this.#holdings.store.size === 0) return false;
    this.#context.report("warning", "The ring has lived without this box for more than 29 days. What this box held is set aside; it begins anew as a blank one.");
    this.#holdings.setAside();
    if (this.#phase !== "serving" && this.#phase !== "withdrawing") return false;
    this.#shift("away too long");
    this.#repair.stop();
    this.#neighborhood.stop();
    this.#stabilization.stop();
    this.#ringAge.stop();
    this.#membership.selfServes(false);
    for (const member of [...this.#membership.members]) this.#membership.close(member, "this box begins anew");
    return true;
  }

  /** A member that is in a ring has told whom it knows. */
  #updated(member: Member): void {
    if (member.state !== "serving" && member.state !== "silent") return;
    this.#guide ??= member.nodeId;
    this.#shift("ring found");
    this.#joining.proceed();
  }

  /** Whoever is responsible for a place is asked to dial us, as an admitting peer is. */
  #findOwner(place: ResourceId, found?: (nodeId: NodeId) => void): void {
    const hop = this.#topology.nextHop(place);
    if (hop === undefined) return;
    this.#introductions.findAdmittingPeer(place, hop, (nodeId) => {
      if (found !== undefined) this.#neighborhood.keep(nodeId);
      found?.(nodeId);
    });
  }

  #heard(member: Member): void {
    this.#verdicts.heard(member);
    this.#repair.missed();
    this.#operations.tryAgain();
  }

  /** What a box finds in its sockets when it wakes says nothing of now. */
  #pinged(received: Received): void {
    if (this.#awakening.isAwake) this.#verdicts.pinged(received);
  }

  #joinBegan(member: Member): void {
    this.#replication.joinBegan();
    this.#introductions.watchJoin(member);
  }

  #lost(member: Member, was: MemberState): void {
    this.#verdicts.heard(member);
    this.#dialer.lost(member);
    this.#neighborhood.lost();
    // Beyond the mesh limit a link may go and its box stay.
    const isGone = (was === "serving" || was === "silent") && this.#neighborhood.isNeighbor(member.nodeId);
    if (isGone) this.#context.emit({ type: "member-gone", nodeId: member.nodeId });
    if (was === "joining") this.#replication.viewChanged();
  }

  #viewChanged(change: ViewChange): void {
    this.#context.count("ring-changed");
    this.#replication.viewChanged();
    this.#repair.viewChanged(change);
    this.#joining.viewChanged(change);
    this.#operations.viewChanged();
    this.#neighborhood.viewChanged();
    this.#stabilization.viewChanged();
    if ((this.#phase === "joining" || this.#phase === "aside") && this.#membership.view.size === 0) this.#shift("ring lost");
    if (this.#phase === "serving" && change.added.length > 0 && !change.orderly) this.#context.emit({ type: "rings-met" });
    const isFarAway = change.before.isSameAround(this.#context.self, this.#membership.view);
    if (this.#phase === "serving" && !isFarAway) this.#tellNeighborsLater();
  }

  /** Stabilization (RFC 6940 section 10.7.4): neighbors compare whom they know after a change. */
  #tellNeighborsLater(): void {
    this.#context.later("tell neighbors", this.#context.jittered(this.#context.settings.timing.holdDown), () => {
      const { view } = this.#membership;
      const { self } = this.#context;
      const neighbors = new Set([...view.successors(self, 3), ...view.predecessors(self, 3)]);
      for (const id of neighbors) this.#introductions.sendUpdate(id, this.#introductions.neighborsUpdate());
    });
  }

  #shift(trigger: PhaseTrigger): void {
    const was = this.#phase;
    const cell = PHASE_TRANSITIONS[was][trigger];
    if (cell === "ignore") return;
    this.#phase = cell;
    this.#context.emit({ type: "phase-changed", phase: cell });
    this.#context.agenda.cancel("seek");
    this.#standingAside.phaseEnds(was);
    switch (cell) {
      case "seeking":
        this.#joining.stop();
        this.#guide = undefined;
        return this.#seek();
      case "joining":
        return this.#joining.begin(this.#guide ?? this.#context.self);
      case "serving":
        return trigger === "heirs refuse" ? this.#standingAside.stay() : this.#serve(trigger === "alone");
      case "withdrawing":
        return this.#standingAside.withdraw();
      case "aside":
        return this.#standAside();
      case "leaving":
        this.#replication.leave(true);
        return this.#leaving.begin();
      case "revoked":
        this.#context.report("warning", "This box was revoked: its fleet believes it no more, and it serves nobody.");
        return this.#goAway();
      case "left":
        return this.#goAway();
    }
  }

  /** From here on this box is in the ring, and tells everybody. */
  #serve(alone: boolean): void {
    this.#ringAge.begin();
    this.#membership.selfServes(true);
    this.#repair.begin(alone);
    this.#neighborhood.begin();
    this.#stabilization.begin();
    const [former] = this.#membership.view.successors(this.#context.self, 1);
    this.#replication.takeOverFrom(alone ? undefined : former);
    for (const { nodeId, links } of [...this.#membership.members]) {
      const update = alone ? this.#introductions.fullUpdate() : ({ type: "peer_ready" } as const);
      const known = (): void => this.#replication.takenOver();
      if (links.length > 0) this.#introductions.sendUpdate(nodeId, update, nodeId === former ? known : undefined);
    }
  }

  /** Out of the ring, and linked to it: what its phones need is asked of those who are in it. */
  #standAside(): void {
    this.#repair.stop();
    this.#neighborhood.stop();
    this.#stabilization.stop();
    this.#ringAge.stop();
    this.#membership.selfServes(false);
    this.#standingAside.begun();
  }

  #goAway(): void {
    this.#joining.stop();
    this.#dialer.stop();
    this.#repair.stop();
    this.#neighborhood.stop();
    this.#stabilization.stop();
    this.#membership.selfServes(false);
    this.#operations.failAll();
    for (const member of [...this.#membership.members]) this.#membership.close(member, "this box leaves");
    this.#context.agenda.clear();
  }
}

const OUTSIDE = "This box does not belong to its fleet any more.";
const NOT_SERVING = { ok: false, fault: { reason: "not-serving" } } as const;
const DOUBLE = { ok: false, fault: { reason: "double" } } as const;
