// What to think of a box that is not heard: SWIM's indirect probes as source-routed RELOAD Pings, and
// Lifeguard's self-doubt. A box that another member hears stays in the ring: what is sent to it goes
// through that member. So a cut between two boxes, or one way of it, changes nobody's place.

import { after, type Duration, type Instant, milliseconds, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import type { Received } from "../routing/router.ts";
import type { Dialer } from "./dialer.ts";
import type { Member, Membership } from "./membership.ts";
import type { NodeId } from "../ports.ts";

/** Members asked at a time to try a box that we do not hear… */
const HELPERS = 3;

/** …and others again after this long, until one of them reaches it or the time is over. */
const PROBE_EVERY: Duration = milliseconds(500);

/** A box that is reached through another one is asked this often whether it is still there. */
const RELAYED_PROBE: Duration = milliseconds(800);

/** Who asks for us through another box does not hear us; that is believed for so long. */
const NOT_HEARD_BY: Duration = milliseconds(2_500);

/** The local health multiplier: a box that is late itself, or whom its helpers do not answer, waits so many times longer… */
const MOST_DOUBT = 2;
/** …for so long after each reason. */
const DOUBT_LASTS = seconds(10);

interface Suspicion {
  readonly member: Member;
  until: Instant;
  /** Helpers that were asked, and whether any of them answered, be it only that it lives itself. */
  asked: number;
  heardHelpers: boolean;
  extensions: number;
}

export class Verdicts {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #dialer: Dialer;
  /** BOUNDED: by members. */
  readonly #suspicions = new Map<NodeId, Suspicion>();
  #doubt = 0;

  constructor(parts: { context: CoreContext; membership: Membership; exchanges: Exchanges; dialer: Dialer }) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#dialer = parts.dialer;
  }

  /** Its link has gone silent; or it has none any more, and is reached through another box. */
  silent(member: Member): void {
    if (member.relay !== undefined) return this.#keepLater(member);
    if (this.#suspicions.has(member.nodeId)) return;
    this.#context.count("member-silent");
    this.#suspect(member);
  }

  /** Over a link of its own; or it is gone and left. */
  heard({ nodeId }: Member): void {
    this.#suspicions.delete(nodeId);
    for (const name of ["verdict", "probe", "relayed", "not heard by"]) this.#context.agenda.cancel(`${name} ${nodeId}`);
  }

  /** Others name it and no link opens: perhaps it can be reached through one of them. */
  seek(nodeId: NodeId): void {
    const member = this.#membership.find(nodeId);
    if (member?.state === "gone" && !this.#suspicions.has(nodeId)) this.#suspect(member);
  }

  /** This box was woken late: the silence may have been its own. */
  doubtSelf(): void {
    this.#doubt = Math.min(MOST_DOUBT, this.#doubt + 1);
    this.#context.count("self-doubt");
    this.#context.later("doubt less", DOUBT_LASTS, () => this.#doubtLess());
    for (const suspicion of this.#suspicions.values()) this.#extend(suspicion);
  }
  #doubtLess(): void {
    this.#doubt--;
    if (this.#doubt > 0) this.#context.later("doubt less", DOUBT_LASTS, () => this.#doubtLess());
  }

  /** A Ping that came through another member: its sender does not hear us over its own link. */
  pinged({ direct, sender, hop }: Received): void {
    const member = direct ? undefined : this.#membership.find(sender);
    if (member === undefined || member === hop || member.state === "left") return;
    if (!this.#membership.hasLiveLink(sender)) return this.#found(member, hop.nodeId);
    this.#membership.reachThrough(member, hop.nodeId);
    this.#context.later(`not heard by ${sender}`, NOT_HEARD_BY, () => {
      if (this.#membership.hasLiveLink(sender)) this.#membership.reachDirectly(member);
      else this.#keepLater(member);
    });
  }

  #suspect(member: Member): void {
    const { nodeId } = member;
    const wait = milliseconds(this.#context.settings.timing.suspicion * (1 + this.#doubt));
    const suspicion = { member, until: after(this.#context.now, wait), asked: 0, heardHelpers: false, extensions: 0 };
    this.#suspicions.set(nodeId, suspicion);
    this.#context.agenda.set(`verdict ${nodeId}`, suspicion.until, () => this.#decide(suspicion));
    // A new connection does not wait for the retransmissions of the old one.
    this.#dialer.dial(nodeId);
    this.#probe(suspicion);
  }

  #probe(suspicion: Suspicion): void {
    const { member, until } = suspicion;
    const { nodeId } = member;
    if (this.#suspicions.get(nodeId) !== suspicion) return;
    const { suspicion: timeout } = this.#context.settings.timing;
    const helpers = this.#helpers(nodeId);
    if (helpers.length === 0) this.#dialer.dialBeside(nodeId);
    for (const helper of helpers) {
      suspicion.asked++;
      const indirect = { hop: helper, beyond: [{ type: "node", nodeId } as const], body: PING, signed: true, answeredBy: nodeId, timeout };
      this.#exchanges.request(indirect, (outcome) => this.#helped(suspicion, helper, outcome));
      // Lifeguard's nack: a helper that answers for itself shows that we hear what is said. Once is enough.
      if (suspicion.heardHelpers) continue;
      this.#exchanges.request({ hop: helper, body: PING, timeout }, ({ type }) => {
        if (type === "answer") suspicion.heardHelpers = true;
      });
    }
    if (after(this.#context.now, PROBE_EVERY) < until) this.#context.later(`probe ${nodeId}`, PROBE_EVERY, () => this.#probe(suspicion));
  }

  #helped(suspicion: Suspicion, helper: NodeId, { type }: Outcome): void {
    if (type === "answer" || type === "error") suspicion.heardHelpers = true;
    if (type === "answer" && this.#suspicions.get(suspicion.member.nodeId) === suspicion) this.#found(suspicion.member, helper);
  }

  #decide(suspicion: Suspicion): void {
    const { member } = suspicion;
    const isOwnFault = suspicion.asked > 0 && !suspicion.heardHelpers;
    if (isOwnFault && this.#extend(suspicion)) return this.#probe(suspicion);
    this.heard(member);
    if (member.state === "gone") return;
    this.#context.count("verdict-gone");
    this.#membership.close(member, "nothing was heard from it");
  }

  /** Whether it may be. */
  #extend(suspicion: Suspicion): boolean {
    if (suspicion.extensions >= MOST_DOUBT) return false;
    suspicion.extensions++;
    suspicion.until = after(suspicion.until, this.#context.settings.timing.suspicion);
    this.#context.agenda.set(`verdict ${suspicion.member.nodeId}`, suspicion.until, () => this.#decide(suspicion));
    return true;
  }

  /** It is there, and `helper` hears both of us. */
  #found(member: Member, helper: NodeId): void {
    const isNew = member.relay === undefined;
    this.#suspicions.delete(member.nodeId);
    this.#context.agenda.cancel(`verdict ${member.nodeId}`);
    if (isNew) this.#context.count("member-relayed");
    this.#membership.reachThrough(member, helper);
    if (isNew || !this.#context.agenda.isSet(`relayed ${member.nodeId}`)) this.#keepLater(member);
  }

  #keepLater(member: Member): void {
    this.#context.later(`relayed ${member.nodeId}`, RELAYED_PROBE, () => this.#keep(member));
  }
  #keep(member: Member): void {
    const { nodeId } = member;
    // Heard again over a link of its own: `pinged` looks after whom that one does not hear.
    if (member.relay === undefined || this.#membership.hasLiveLink(nodeId)) return;
    const failed = (): void => {
      if (member.relay === undefined) return;
      this.#membership.reachDirectly(member);
      this.#suspect(member);
    };
    if (!this.#membership.isRelayed(nodeId)) return failed();
    this.#exchanges.request({ hop: nodeId, body: PING, timeout: RELAYED_PROBE }, (outcome) => {
      if (member.relay === undefined) return;
      if (outcome.type === "answer") this.#keepLater(member);
      else failed();
    });
  }

  #helpers(suspect: NodeId): readonly NodeId[] {
    const candidates = this.#membership.inState("serving").filter(({ nodeId, relay }) => nodeId !== suspect && relay === undefined && this.#membership.hasLiveLink(nodeId));
    const chosen: NodeId[] = [];
    while (chosen.length < HELPERS && candidates.length > 0) {
      const [taken] = candidates.splice(this.#context.random.below(candidates.length), 1);
      if (taken !== undefined) chosen.push(taken.nodeId);
    }
    return chosen;
  }
}

const PING = { type: "ping_req", padding: new Uint8Array(0) } as const;
