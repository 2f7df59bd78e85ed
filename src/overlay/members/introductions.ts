import { BoundedMap } from "../../base/bounded-map.ts";
import { milliseconds, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Dialer } from "./dialer.ts";
import type { Doubles } from "./doubles.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import { MAX_MEMBERS, type Member, type Membership } from "./membership.ts";
import type { RingAge } from "./ring-age.ts";
import type { LinkId, NodeId, PeerInfo, ResourceId } from "../ports.ts";
import type { Received } from "../routing/router.ts";
import { EXTENSION } from "../wire/code-points.ts";
import type { MessageExtension } from "../wire/message.ts";
import type { AttachReq, UpdateReq } from "../wire/message-body.ts";
import { decodeIntroduction, encodeIntroduction, type Introduction } from "../wire/peer-info.ts";

/** Asked for through others so many times; then it is given up until it is named again. */
const ATTEMPTS = 4;

/** An Update that is refused is sent again so many times: it came through a third box, whose help is not needed any more. */
const MAX_UPDATE_REPEATS = 8;

/** A box that is joining is asked this often how it stands. */
const JOIN_WATCH = seconds(5);

interface Named {
  readonly informers: NodeId[];
  attempts: number;
}

interface Events {
  /** Both know who the other is. */
  introduced(member: Member, ringAge: number): void;
  /** Somebody who was named is linked now, or given up. */
  namedSettled(): void;
  /** Our successor list, as far as they are there. */
  successors(): readonly NodeId[];
  /** Somebody we may not have known wants a link, for a purpose of its own. */
  asked(nodeId: NodeId): void;
  /** Whether a link to somebody who was named is wanted. */
  wants(nodeId: NodeId): boolean;
  /** We know only a part of our ring. */
  isPartial(): boolean;
  /** This box serves phones outside of the ring. */
  isAside(): boolean;
  /** It has just said that it is about to do so. */
  isSayingGoodBye(): boolean;
  /** It answers through others, and no link opens. */
  reached(nodeId: NodeId): void;
  /** A member that we reach through another introduces itself again: it had given us up. */
  metAnew(): void;
}

/** Who is who, and getting linked to everybody: Attach and Update (RFC 6940 sections 6.5.1, 10.6, 10.7). */
export class Introductions {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #dialer: Dialer;
  readonly #ringAge: RingAge;
  readonly #doubles: Doubles;
  readonly #events: Events;
  /** Boxes that Updates name and that are not linked; at the bound the oldest is forgotten. */
  readonly #named = new BoundedMap<NodeId, Named>(MAX_MEMBERS, "evict");

  constructor(
    parts: { context: CoreContext; membership: Membership; exchanges: Exchanges; dialer: Dialer; ringAge: RingAge; doubles: Doubles },
    events: Events,
  ) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#dialer = parts.dialer;
    this.#ringAge = parts.ringAge;
    this.#doubles = parts.doubles;
    this.#events = events;
  }

  /** Boxes that were named and are not linked yet. */
  get unsettled(): number {
    return this.#named.size;
  }

  /** Over a new link: whoever dialed says who it is, and hears the same. */
  linked(member: Member, outbound: boolean): void {
    this.#settle(member.nodeId);
    if (outbound) this.#greet(member, 1);
  }

  /** Says to everybody linked again who this box is: something of it has changed. */
  introduceAnew(): void {
    for (const member of [...this.#membership.members]) if (member.links.length > 0) this.#greet(member, 1);
  }

  /** A box that is named by one that is linked: asked, through it, to dial us. */
  heardOf(nodeId: NodeId, informer: NodeId): void {
    if (nodeId === this.#context.self || this.#membership.isLinked(nodeId) || this.#context.rules.isRevoked(nodeId)) return;
    if (!this.#events.wants(nodeId)) return;
    const known = this.#named.get(nodeId);
    if (known !== undefined) {
      if (!known.informers.includes(informer)) known.informers.push(informer);
      return;
    }
    this.#named.set(nodeId, { informers: [informer], attempts: 0 });
    this.#ask(nodeId);
  }

  /**
   * A Join that was sent twice may overtake, on its way over another link, the Update that ends it: then a box that
   * serves would count as joining for ever. So it is asked again who it is, and whoever is in the ring says so.
   */
  watchJoin(member: Member): void {
    this.#context.later(`joining ${member.nodeId}`, JOIN_WATCH, () => {
      if (member.state !== "joining") return;
      this.#greet(member, 1);
      this.watchJoin(member);
    });
  }

  /** RFC 6940 section 10.5: find whoever is responsible for the place just after ours. */
  findAdmittingPeer(resource: ResourceId, through: NodeId, found: (nodeId: NodeId) => void = () => {}): void {
    const request = {
      hop: through,
      beyond: [{ type: "resource", resource } as const],
      body: this.#attachRequest(),
      extensions: [this.#introduction()],
      signed: true,
      timeout: this.#context.settings.timing.attempt,
    };
    this.#exchanges.request(request, (outcome) => {
      const info = this.#remember(outcome);
      if (info !== undefined) found(info.nodeId);
    });
  }

  attachReceived(received: Received, body: AttachReq): void {
    const introduction = introductionIn(received.message.extensions);
    if (introduction === undefined) return this.#attachClient(received, body);
    const { info } = introduction;
    if (info.nodeId !== received.sender) return received.refuse("Error_Invalid_Message", "the peer info of another");
    const start = received.direct ? this.#doubles.introduced(info.nodeId, received.message.extensions) : "as before";
    this.#answerAttach(received, body, received.direct ? [this.#doubles.extensionFor(info.nodeId)] : []);
    if (received.direct && start === "one of two") return this.#keepOut(received.hop);
    if (received.direct && start === "another start") this.#membership.endFormerLinks(received.hop, received.link);
    if (received.neighbor !== undefined && !received.direct) this.#events.metAnew();
    if (received.neighbor !== undefined) return this.#know(received.neighbor, introduction, received.link);
    // The sender of an Attach is the TLS server: whoever answers dials (RFC 6940 section 6.5.1.13).
    this.#membership.remember(info);
    this.#events.asked(info.nodeId);
    if (!this.#membership.isLinked(info.nodeId)) this.#dialer.dial(info.nodeId);
    else if (body.sendUpdate) this.sendUpdate(info.nodeId, this.fullUpdate());
  }

  /**
   * Whoever does not say where it can be reached is a client (RFC 6940 section 3.2.1): it has a link, and is
   * answered over it. Nobody dials it, and it is in no view of the ring.
   */
  #attachClient(received: Received, body: AttachReq): void {
    if (received.neighbor === undefined) return received.refuse("Error_Not_Found", "a client attaches over its own link");
    this.#context.count("client-attached");
    this.#answerAttach(received, body);
  }

  #answerAttach(received: Received, body: AttachReq, more: readonly MessageExtension[] = []): void {
    const answer = { ...body, type: "attach_ans", role: ACTIVE, sendUpdate: false, candidates: this.#candidates() } as const;
    received.respond(answer, [this.#introduction(), ...more]);
  }

  /** The ids an Update names. */
  updateReceived(member: Member, { update }: UpdateReq): void {
    if (update.type === "peer_ready") return;
    for (const id of update.predecessors) this.heardOf(id, member.nodeId);
    for (const id of update.successors) this.heardOf(id, member.nodeId);
    if (update.type === "full") for (const id of update.fingers) this.heardOf(id, member.nodeId);
  }

  /** `known` is called when the other side has taken it in. */
  sendUpdate(to: NodeId, update: UpdateReq["update"], known: () => void = () => {}, repeats = 0): void {
    // Behind a good-bye it would say that we are back.
    if (!this.#membership.view.has(this.#context.self) || this.#events.isSayingGoodBye()) return;
    const body = { type: "update_req", uptime: this.#context.uptimeSeconds, update } as const;
    const extensions = this.#events.isPartial() ? [PARTIAL_VIEW] : [];
    this.#exchanges.request({ hop: to, body, extensions, timeout: this.#context.settings.timing.attempt }, (outcome) => {
      if (outcome.type === "timeout") this.sendUpdate(to, update, known);
      else if (outcome.type === "answer") known();
      else if (outcome.type === "error" && repeats < MAX_UPDATE_REPEATS) this.#sendAgainLater(to, update, known, repeats + 1);
    });
  }
  #sendAgainLater(to: NodeId, update: UpdateReq["update"], known: () => void, repeats: number): void {
    this.#context.later({ update }, this.#context.settings.timing.attempt, () => this.sendUpdate(to, update, known, repeats));
  }
  /** Everybody in the ring and on the way into it: so that those who join at the same time meet. */
  fullUpdate(): UpdateReq["update"] {
    const { self } = this.#context;
    const fingers = this.#membership.view.others(self);
    const joining = this.#membership.inState("joining").map(({ nodeId }) => nodeId);
    return { ...this.#neighbors(), type: "full", fingers: joining.length === 0 ? fingers : [...fingers, ...joining] };
  }
  neighborsUpdate(): UpdateReq["update"] {
    return { ...this.#neighbors(), type: "neighbors" };
  }

  #neighbors(): { predecessors: readonly NodeId[]; successors: readonly NodeId[] } {
    const { view } = this.#membership;
    const { self } = this.#context;
    return { predecessors: view.predecessors(self, 3), successors: this.#events.successors() };
  }

  #greet(member: Member, attempt: number): void {
    const request = {
      hop: member.nodeId,
      body: this.#attachRequest(),
      extensions: [this.#introduction(), this.#doubles.extensionFor(member.nodeId)],
      timeout: this.#context.settings.timing.attempt,
    };
    const link = this.#membership.linkTo(member.nodeId);
    this.#exchanges.request(request, (outcome) => {
      // It was kept out or has moved: if it is there again, whoever opened the link says who it is.
      if (this.#membership.find(member.nodeId) !== member) return;
      const introduction = outcome.type === "answer" ? introductionIn(outcome.message.extensions) : undefined;
      const start = outcome.type === "answer" ? this.#doubles.introduced(member.nodeId, outcome.message.extensions) : "as before";
      if (start === "one of two") return this.#keepOut(member);
      if (start === "another start" && link !== undefined) this.#membership.endFormerLinks(member, link);
      if (introduction?.info.nodeId === member.nodeId && link !== undefined) return this.#know(member, introduction, link);
      if (outcome.type === "timeout" && attempt < ATTEMPTS) return this.#greet(member, attempt + 1);
      // Over a further link to a box that is known its silence is the link layer's business.
      if (outcome.type !== "unreachable" && member.introducedAs === undefined) this.#membership.close(member, "it does not say who it is");
    });
  }

  /** It will dial again: nobody dials it from here. */
  #keepOut(member: Member): void {
    this.#membership.close(member, "two boxes use its identity");
    this.#membership.movedOut(member.nodeId);
  }

  #know(member: Member, { info, inRing, time, ringAge, aside }: Introduction, link: LinkId): void {
    this.#membership.heardInfo(member, info, link);
    member.introducedAs = inRing ? "in the ring" : aside ? "aside" : "outside";
    // Whoever is not in the ring yet has still to take its time from those who are.
    if (inRing) this.#membership.heardClock(member, time);
    this.#events.introduced(member, ringAge);
  }

  #ask(nodeId: NodeId): void {
    const named = this.#named.get(nodeId);
    if (named === undefined) return;
    const informer = named.informers[named.attempts % named.informers.length];
    if (named.attempts >= ATTEMPTS || informer === undefined) return this.#settle(nodeId);
    named.attempts++;
    const { attempt } = this.#context.settings.timing;
    const request = {
      hop: informer,
      beyond: [{ type: "node", nodeId } as const],
      body: this.#attachRequest(),
      extensions: [this.#introduction()],
      signed: true,
      answeredBy: nodeId,
      timeout: attempt,
    };
    const again = named.attempts > 1;
    this.#exchanges.request(request, (outcome) => {
      this.#remember(outcome);
      if (outcome.type === "answer" && again) this.#events.reached(nodeId);
    });
    // It dials us; if it cannot, perhaps we can.
    this.#context.later(`named ${nodeId}`, milliseconds(2 * attempt), () => {
      this.#dialer.dial(nodeId);
      this.#ask(nodeId);
    });
  }

  #remember(outcome: Outcome): PeerInfo | undefined {
    const introduction = outcome.type === "answer" ? introductionIn(outcome.message.extensions) : undefined;
    if (introduction !== undefined) this.#membership.remember(introduction.info);
    return introduction?.info;
  }

  #settle(nodeId: NodeId): void {
    this.#context.agenda.cancel(`named ${nodeId}`);
    if (this.#named.delete(nodeId)) this.#events.namedSettled();
  }

  #attachRequest(): AttachReq {
    return { type: "attach_req", ufrag: NOTHING, password: NOTHING, role: PASSIVE, candidates: this.#candidates(), sendUpdate: true };
  }
  #candidates(): AttachReq["candidates"] {
    const address = this.#context.settings.self.overlay;
    return [{ address, overlayLink: TLS_TCP_FH_NO_ICE, foundation: NOTHING, priority: 0, candidateType: HOST, relatedAddress: undefined, extensions: [] }];
  }
  #introduction(): MessageExtension {
    const { settings, self, clock } = this.#context;
    const introduction = { info: settings.self, inRing: this.#membership.view.has(self), time: clock.now(), ringAge: this.#ringAge.value, aside: this.#events.isAside() };
    return { type: EXTENSION.peer_info, critical: false, contents: encodeIntroduction(introduction) };
  }
}

const NOTHING = new Uint8Array(0);
const PARTIAL_VIEW: MessageExtension = { type: EXTENSION.partial_view, critical: false, contents: NOTHING };
const octets = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
const PASSIVE = octets("passive");
const ACTIVE = octets("active");
/** RFC 6940 section 14.10. */
const TLS_TCP_FH_NO_ICE = 4;
const HOST = 1;

function introductionIn(extensions: readonly MessageExtension[]): Introduction | undefined {
  const extension = extensions.find(({ type }) => type === EXTENSION.peer_info);
  const introduction = extension === undefined ? undefined : decodeIntroduction(extension.contents);
  return introduction?.ok === true ? introduction.value : undefined;
}
