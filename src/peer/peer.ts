// One whole box, deterministic: the SIP core and the overlay core, strangers to each other, with the
// location service between them. Outward effects come back from `step` in the order in which they arose;
// questions of one core to the other are answered inside the step as far as this box can answer alone.

import { assert } from "../base/assert.ts";
import type { Crypto } from "../base/crypto.ts";
import type { Random } from "../base/random.ts";
import { after, between, earliest, type Instant, instant, milliseconds, seconds, type WallTime, wallAfter, wallTime } from "../base/time.ts";
import { OverlayCore } from "../overlay/overlay-core.ts";
import { servesPhones } from "../overlay/members/phases.ts";
import type { NodeId, OverlayEffect, OverlayInput, OverlaySnapshot, OverlayTiming, Trust } from "../overlay/ports.ts";
import type { SipEffect, SipInput, SipSettings } from "../sip/ports.ts";
import { SipCore, type SipSnapshot } from "../sip/sip-core.ts";
import { AdmissionOffice, type OfficeStep } from "./admission-office.ts";
import { AgentWord } from "./agent-word.ts";
import type { HeartbeatRequest } from "./control.ts";
import { Drain } from "./drain.ts";
import { ControlDesk, type DeskStep } from "./control-desk.ts";
import { EventService } from "./event-service.ts";
import { KINDS } from "./kinds.ts";
import { type LocationQuestion, LocationService, type Settled } from "./location-service.ts";
import type { PeerEffect, PeerInput, PeerSettings } from "./ports.ts";
import { ProofUsers } from "./proof-users.ts";
import { Publication } from "./publication.ts";
import { USUAL_REGISTRATION } from "./rules-report.ts";
import { ServiceAddresses, type ServiceStep } from "./service-addresses.ts";

/** Every waiting time of the overlay (docs/limits.md). */
export const OVERLAY_TIMING: OverlayTiming = {
  attempt: milliseconds(800),
  operation: seconds(4),
  suspicion: milliseconds(1_800),
  antiEntropy: seconds(30),
  holdDown: seconds(1),
  redialFirst: milliseconds(500),
  redialLongest: seconds(8),
  seek: milliseconds(1_500),
};

/** Steps of the relay between the cores within one step of the box; passing it is our own fault. */
const RELAY_MAX = 1_000_000;

/** After the last death until users are searched for: what is left of the ring has sorted itself by then. */
const SETTLING = seconds(2);
const SEARCHED_AT_ONCE = 50;
/** Longer than a look-up takes that is answered. */
const SEARCH_PAUSE = milliseconds(250);

/** After a renewal: flow tokens of the former secret are in bindings that live as long as this. */
export const FORMER_SECRET = USUAL_REGISTRATION.maximum;

export const SOFTWARE = "Ringbox/0.1";

export class Peer {
  readonly #sip: SipCore;
  readonly #overlay: OverlayCore;
  readonly #location: LocationService;
  readonly #events: EventService;
  readonly #desk: ControlDesk;
  readonly #openRegistration: boolean;
  readonly #office: AdmissionOffice;
  readonly #publication: Publication | undefined;
  readonly #service: ServiceAddresses | undefined;
  readonly #agent = new AgentWord();
  readonly #drain = new Drain();
  readonly #counters = new Map<string, number>();
  #isServing = false;
  #fleetSecret: Uint8Array;
  /** UNBOUNDED: lives within one step, bounded by RELAY_MAX. */
  readonly #overlayInputs: OverlayInput[] = [];
  readonly #sipInputs: SipInput[] = [];
  #outward: PeerEffect[] = [];
  #now: Instant = instant(0);
  /** The overlay's clock stands at its last step. */
  #overlayStepAt: Instant = instant(0);
  #wallOffset = 0;
  /** Handing its share over: phones are to go to other boxes. */
  #isLeaving = false;
  #isGoing = false;
  #hasLeft = false;
  #ticket = 0;
  #searchAt: Instant | undefined;
  #forgetSecretAt: Instant | undefined;
  /** How many there were at the last search. */
  /** Users to be looked up since rings met. BOUNDED: by the users that the location service remembers. */
  #lookAgain = new Set<string>();
  #orphans = Number.POSITIVE_INFINITY;

  constructor(settings: PeerSettings, crypto: Crypto, random: Random, trust: Trust) {
    this.#openRegistration = settings.openRegistration;
    this.#fleetSecret = settings.fleetSecret;
    const ownWall = (): WallTime => wallTime(this.#now + this.#wallOffset);
    this.#overlay = new OverlayCore(
      {
        overlayName: settings.overlayName,
        self: settings.self,
        certificate: settings.certificate,
        kinds: KINDS,
        rows: settings.rows,
        members: settings.members,
        mayStandAlone: settings.mayStandAlone,
        ringAge: settings.ringAge,
        timing: settings.timing ?? OVERLAY_TIMING,
        ...(settings.rules === undefined ? {} : { rules: settings.rules }),
      },
      crypto,
      random,
      trust,
      ownWall,
    );
    // Bindings and nonces of one box are judged at another: by the time they agree on.
    const wall = (): WallTime => this.#overlay.wall();
    this.#sip = new SipCore(
      {
        domain: settings.domain,
        nodeId: settings.self.nodeId,
        fleetSecret: settings.formerFleetSecret ?? settings.fleetSecret,
        sipPort: settings.self.sip.port,
        overlayPort: settings.self.overlay.port,
        localAddresses: settings.localAddresses,
        software: SOFTWARE,
        turn: settings.turn,
        ...this.#registrationRules(),
      },
      crypto,
      random,
      wall,
      () => wallAfter(wall(), between(this.#overlayStepAt, this.#now)),
    );
    this.#location = new LocationService(crypto, {
      self: settings.self.nodeId,
      reachable: (nodeId) => this.#overlay.reachable(nodeId),
      holders: (resource) => this.#overlay.locate(resource).replicas,
      nextTicket: () => this.#nextTicket(),
      proofUsers: new ProofUsers(crypto, settings.domain, () => this.#fleetSecret),
    });
    this.#events = new EventService(this.#location, () => this.#nextTicket());
    this.#service = this.#makeService(settings, crypto);
    this.#desk = new ControlDesk(settings, this.#overlay, this.#sip, this.#location, crypto, wall, () => this.#nextTicket(), this.#agent, this.#service);
    this.#office = new AdmissionOffice(crypto, () => this.#nextTicket());
    const own = { nodeId: settings.self.nodeId, overlayName: settings.overlayName, certificate: settings.certificate };
    this.#publication = settings.publishesCertificate === true ? new Publication(own, crypto, random, () => this.#nextTicket()) : undefined;
    if (settings.formerFleetSecret !== undefined) this.#renewSecret(settings.fleetSecret);
    this.#tellServing();
    this.#sip.setFleetAddresses(settings.members.map(({ sip }) => sip));
  }

  /** One batch of inputs, all at the same instant. */
  step(now: Instant, inputs: readonly PeerInput[]): readonly PeerEffect[] {
    this.#now = now;
    this.#outward = [];
    for (const input of inputs) {
      this.#accept(input);
      this.#relay();
    }
    return this.#outward;
  }

  nextDeadline(): Instant | undefined {
    if (this.#hasLeft) return undefined;
    const ofCores = earliest(this.#sip.nextDeadline(), this.#overlay.nextDeadline());
    const chores = earliest(earliest(this.#searchAt, this.#forgetSecretAt), earliest(this.#nextEnd(), this.#publication?.nextDeadline()));
    const own = earliest(this.#service?.nextDeadline(), earliest(this.#agent.nextDeadline(), this.#drain.nextDeadline()));
    return earliest(ofCores, earliest(chores, own));
  }
  /** When the next binding of this box runs out. */
  #nextEnd(): Instant | undefined {
    const end = this.#location.nextEnd();
    return end === undefined ? undefined : after(this.#now, milliseconds(Math.max(0, end - this.#overlay.wall())));
  }

  /** The time, while another box of the ring goes by it too. */
  get agreedTime(): WallTime | undefined {
    return this.#overlay.agreedTime;
  }

  /** For tests and simulation: the overlay as it stands. */
  snapshot(): OverlaySnapshot {
    return this.#overlay.snapshot();
  }

  /** For tests and simulation: what SIP has under way. */
  sipSnapshot(): SipSnapshot {
    return this.#sip.snapshot();
  }

  #makeService({ self: { nodeId, sip }, serviceAddresses = [] }: PeerSettings, crypto: Crypto): ServiceAddresses | undefined {
    if (serviceAddresses.length === 0) return undefined;
    const surroundings = {
      serves: (other: NodeId) => this.#overlay.serves(other),
      isReachable: (other: NodeId) => this.#overlay.reachable(other) !== undefined,
      nextTicket: () => this.#nextTicket(),
    };
    return new ServiceAddresses({ self: nodeId, sipPort: sip.port, addresses: serviceAddresses }, surroundings, crypto);
  }

  #nextTicket(): number {
    this.#ticket += 1;
    return this.#ticket;
  }

  #accept(input: PeerInput): void {
    if (this.#hasLeft) return;
    switch (input.type) {
      case "received":
      case "connection-closed":
      case "connected":
      case "transport-error":
      case "resolved":
      case "media-relayed":
        this.#sipInputs.push(input);
        return;
      case "credential":
        this.#renewSecret(input.fleetSecret);
        this.#publication?.renewed(this.#now, input.certificate);
        this.#overlayInputs.push(input);
        return;
      case "clock":
        this.#wallOffset = input.wall - this.#now;
        return;
      case "certificate-state":
        return this.#desk.certificateIs(input);
      case "media-relay":
        this.#sip.setMediaRelay(input.answers);
        return this.#desk.mediaRelayIs(input.answers);
      case "local-addresses":
        this.#sip.setLocalAddresses(input.addresses);
        if (input.streams !== undefined) this.#sip.setStreamPorts(input.streams);
        return;
      case "service-address":
        return this.#followService(this.#service?.told(this.#now, input));
      case "admission":
        this.#followOffice(this.#office.ask(input.ticket, input.request));
        return;
      case "control":
        if (input.request.op === "admit") return this.#followOffice(this.#office.admit(this.#now, input.ticket, input.request.code));
        if (input.request.op === "heartbeat") this.#hearAgent(input.request);
        if (input.request.op === "drain") this.#setDrain(input.request.on);
        this.#follow(this.#desk.ask(this.#now, input.ticket, input.request, this.#counters));
        return;
      case "shut-down":
        this.#overlayInputs.push({ type: "leave" });
        return;
      case "count":
        this.#count(input.event);
        return;
      case "tick":
        this.#tick();
        return;
      default:
        this.#overlayInputs.push(input);
    }
  }

  #hearAgent(word: HeartbeatRequest): void {
    this.#agent.heard(this.#now, word);
    // Days may pass until a subscriber is changed and the peer itself notices.
    if (word.conditions.some(({ code }) => code === "disk-read-only")) this.#overlayInputs.push({ type: "disk-unfit" });
    this.#tellServing();
  }

  #setDrain(on: boolean): void {
    this.#drain.set(this.#now, on);
    this.#tellServing();
  }

  /** A box that is in the ring, but through which calls were tried in vain, does not say that it serves. */
  #tellServing(): void {
    this.#sip.setServing(this.#isServing && !this.#agent.isBroken && !this.#drain.isOn);
    this.#sip.setDraining(this.#now, this.#drain.isOn || this.#isLeaving);
    this.#sip.setPage(this.#agent.page);
  }

  #tick(): void {
    this.#agent.tick(this.#now);
    this.#drain.tick(this.#now);
    this.#tellServing();
    if (this.#forgetSecretAt !== undefined && this.#forgetSecretAt <= this.#now) {
      this.#sip.forgetFormerSecret();
      this.#forgetSecretAt = undefined;
    }
    this.#search();
    for (const operation of this.#location.ended(this.#overlay.wall())) this.#overlayInputs.push(operation);
    this.#overlayInputs.push(...(this.#publication?.tick(this.#now) ?? []));
    this.#followService(this.#service?.tick(this.#now));
    const sipDue = this.#sip.nextDeadline();
    if (sipDue !== undefined && sipDue <= this.#now) this.#sipInputs.push({ type: "tick" });
    const overlayDue = this.#overlay.nextDeadline();
    if (overlayDue !== undefined && overlayDue <= this.#now) this.#overlayInputs.push({ type: "tick" });
  }

  #relay(): void {
    for (let steps = 0; ; steps++) {
      assert(steps < RELAY_MAX, "the relay between SIP and overlay does not come to rest");
      const overlayInput = this.#overlayInputs.shift();
      if (overlayInput !== undefined) {
        this.#overlayStepAt = this.#now;
        for (const effect of this.#overlay.step(this.#now, overlayInput)) this.#takeOverlayEffect(effect);
        continue;
      }
      const sipInput = this.#sipInputs.shift();
      if (sipInput === undefined) return this.#tellLeft();
      for (const effect of this.#sip.step(this.#now, sipInput)) this.#takeSipEffect(effect);
    }
  }

  #takeSipEffect(effect: SipEffect): void {
    switch (effect.type) {
      case "find-user":
      case "change-bindings":
        this.#askLocation(effect);
        return;
      case "read-events":
      case "change-events":
      case "read-messages":
      case "change-messages":
        this.#overlayInputs.push(this.#events.ask(effect, this.#overlay.wall()));
        return;
      case "count":
        this.#count(effect.event);
        return;
      default:
        this.#outward.push(effect);
    }
  }

  #askLocation(question: LocationQuestion): void {
    const asked = this.#location.ask(question, this.#overlay.wall());
    if (asked.type === "fetch" || asked.type === "store") {
      this.#overlayInputs.push(asked);
      return;
    }
    this.#count("refresh-kept-here");
    this.#sipInputs.push(asked);
  }

  #takeOverlayEffect(effect: OverlayEffect): void {
    switch (effect.type) {
      case "fetched": {
        const looked = this.#events.fetched(effect.ticket, effect.outcome, this.#overlay.wall());
        if (looked !== undefined) return void this.#sipInputs.push(looked);
        const settled = this.#location.fetched(effect.ticket, effect.outcome, this.#overlay.wall());
        const office = this.#office.fetched(effect.ticket, effect.outcome);
        const published = this.#publication?.fetched(this.#now, effect.ticket, effect.outcome);
        const service = this.#service?.fetched(this.#now, effect.ticket, effect.outcome);
        if (settled !== undefined) this.#settle(settled);
        else if (service !== undefined) this.#followService(service);
        else if (published !== undefined) this.#overlayInputs.push(...published);
        else if (office !== undefined) this.#followOffice(office);
        else this.#follow(this.#desk.fetched(effect.ticket, effect.outcome));
        return;
      }
      case "stored": {
        const changed = this.#events.stored(effect.ticket, effect.outcome);
        if (changed !== undefined) return void this.#sipInputs.push(changed);
        const settled = this.#location.stored(effect.ticket, effect.outcome, this.#overlay.wall());
        const office = this.#office.stored(effect.ticket, effect.outcome);
        const published = this.#publication?.stored(this.#now, effect.ticket, effect.outcome);
        const service = this.#service?.stored(this.#now, effect.ticket, effect.outcome);
        if (settled !== undefined) this.#settle(settled);
        else if (service !== undefined) this.#followService(service);
        else if (published !== undefined) this.#overlayInputs.push(...published);
        else if (office !== undefined) this.#followOffice(office);
        else this.#follow(this.#desk.stored(effect.ticket, effect.outcome));
        return;
      }
      case "listed":
        this.#follow(this.#desk.listed(effect.ticket, effect.outcome));
        return;
      case "count":
        this.#count(effect.event);
        return;
      case "configured":
      case "revoked":
        this.#follow(this.#desk.ruled(effect.ticket, effect.outcome));
        return;
      case "rules-changed":
        this.#sip.setRegistration(this.#registrationRules());
        this.#outward.push(effect);
        return;
      case "member-gone":
        this.#sip.boxGone(this.#overlay.peerInfo(effect.nodeId)?.sip.host ?? "");
        this.#followService(this.#service?.looked(this.#now));
        this.#searchAt = after(this.#now, SETTLING);
        return;
      case "rings-met":
        this.#lookAgain = new Set(this.#location.refreshedHere(this.#overlay.wall()));
        this.#searchAt = after(this.#now, SETTLING);
        return;
      case "members-changed":
        this.#sip.setFleetAddresses(effect.members.map(({ sip }) => sip));
        this.#outward.push(effect);
        return;
      case "phase-changed":
        this.#isServing = servesPhones(effect.phase);
        this.#isLeaving = effect.phase === "leaving";
        this.#tellServing();
        this.#followService(this.#service?.setServing(this.#now, this.#isServing));
        if (this.#isServing) this.#publication?.serving(this.#now);
        if (effect.phase === "left") this.#isGoing = true;
        else this.#outward.push(effect);
        return;
      default:
        this.#outward.push(effect);
    }
  }

  #renewSecret(secret: Uint8Array): void {
    this.#fleetSecret = secret;
    this.#sip.setFleetSecret(secret);
    this.#forgetSecretAt = after(this.#now, FORMER_SECRET);
  }

  /** As the fleet's document has them; this box may be opened by its own command line. */
  #registrationRules(): Pick<SipSettings, "registration" | "expiry"> {
    const { open, ...expiry } = this.#overlay.snapshot().rules.configuration?.registration ?? USUAL_REGISTRATION;
    return { registration: open || this.#openRegistration ? "open" : "authenticated", expiry };
  }

  #settle({ answer, operations, again }: Settled): void {
    if (again !== undefined) this.#overlayInputs.push(again);
    if (answer !== undefined) this.#sipInputs.push(answer);
    for (const operation of operations) {
      this.#count("user-given-back");
      this.#overlayInputs.push(operation);
    }
  }

  /** Looks up, some at a time, whom the ring may have lost with the boxes that are gone. */
  #search(): void {
    if (this.#searchAt === undefined || this.#searchAt > this.#now) return;
    if (this.#lookAgain.size > 0) {
      const some = [...this.#lookAgain].slice(0, SEARCHED_AT_ONCE);
      for (const aor of some) this.#overlayInputs.push(this.#location.lookUp(aor));
      for (const aor of some) this.#lookAgain.delete(aor);
      this.#searchAt = after(this.#now, this.#lookAgain.size > 0 ? SEARCH_PAUSE : SETTLING);
      return;
    }
    const orphans = this.#location.orphans(this.#overlay.wall());
    for (const aor of orphans.slice(0, SEARCHED_AT_ONCE)) this.#overlayInputs.push(this.#location.lookUp(aor));
    const pause = orphans.length < this.#orphans ? SEARCH_PAUSE : SETTLING;
    this.#orphans = orphans.length === 0 ? Number.POSITIVE_INFINITY : orphans.length;
    this.#searchAt = orphans.length === 0 ? undefined : after(this.#now, pause);
  }

  /** Having left is the last word: it comes after the answers to whoever was waiting, and nothing comes after it. */
  #tellLeft(): void {
    if (!this.#isGoing || this.#hasLeft) return;
    this.#hasLeft = true;
    this.#follow(this.#desk.left());
    this.#outward.push({ type: "phase-changed", phase: "left" });
  }

  #follow(step: DeskStep | undefined): void {
    if (step === undefined) return;
    for (const operation of step.operations) this.#overlayInputs.push(operation);
    for (const { ticket, reply } of step.replies) this.#outward.push({ type: "replied", ticket, reply });
  }

  #followOffice({ operations, answers, replies }: OfficeStep): void {
    this.#follow({ operations, replies });
    for (const { ticket, answer } of answers) this.#outward.push({ type: "admission-answered", ticket, answer });
  }

  #followService(step: ServiceStep | undefined): void {
    if (step === undefined || this.#service === undefined) return;
    this.#overlayInputs.push(...step.operations);
    this.#outward.push(...step.effects);
    this.#sip.setServiceEnds({ here: this.#service.held, known: this.#service.known });
  }

  #count(event: string): void {
    this.#counters.set(event, (this.#counters.get(event) ?? 0) + 1);
  }
}
