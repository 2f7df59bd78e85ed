import { type Address, formatAddress, sameAddress } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import { type Duration, milliseconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Doubles } from "./doubles.ts";
import type { Member, Membership } from "./membership.ts";
import type { NodeId, Ticket } from "../ports.ts";

/** Rumors are many and may be lies: so many are kept, the oldest makes room… */
const MAX_CANDIDATES = 64;
/** …so many are dialed at a time… */
const MAX_CANDIDATE_DIALS = 4;
/** …and those that mDNS brought are dropped after so many failures: it will bring them again. */
const MAX_RUMOR_ATTEMPTS = 5;

/** A link that broke while both boxes live is dialed this much sooner than `redialFirst`, once. */
const SOONER = 20;

/** Dials to one box at a time, the handshake of one of which may have lost its first packet. */
const MAX_DIALS_BESIDE = 4;

/** Beyond so many failures the longest wait grows with their number, up to so many times: a box may stay away. */
const PATIENT_AFTER = 10;
const MOST_PATIENCE = 8;

/** In a larger ring it grows with the boxes that dial as well: the first that gets through names it to all others. */
const DIALERS = 12;

interface Candidate {
  readonly address: Address;
  readonly source: "hint" | "mdns";
  attempts: number;
  dialing: boolean;
}

/** Opens links: to members that are gone, again and again, and to places where a member might be. */
export class Dialer {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #doubles: Doubles;
  readonly #isWanted: (nodeId: NodeId) => boolean;
  readonly #candidates = new BoundedMap<string, Candidate>(MAX_CANDIDATES, "evict");
  /** BOUNDED: by members and candidates, one dial each, MAX_DIALS_BESIDE to a silent box that nobody else can ask. */
  readonly #dials = new Map<Ticket, NodeId | Candidate>();
  /** Those of them that are beside another: their failure changes nothing. */
  readonly #beside = new Set<Ticket>();
  /** Failed dials in a row. BOUNDED: by members. */
  readonly #attempts = new Map<NodeId, number>();
  #stopped = false;

  /** `isWanted`: whether a box that is gone is dialed again by us. */
  constructor(context: CoreContext, membership: Membership, isWanted: (nodeId: NodeId) => boolean, doubles: Doubles) {
    this.#context = context;
    this.#doubles = doubles;
    this.#membership = membership;
    this.#isWanted = isWanted;
  }

  stop(): void {
    this.#stopped = true;
  }

  candidate(address: Address, source: "hint" | "mdns"): void {
    if (this.#stopped || sameAddress(address, this.#context.settings.self.overlay)) return;
    const name = formatAddress(address);
    if (this.#candidates.has(name)) return;
    this.#candidates.set(name, { address, source, attempts: 0, dialing: false });
    this.#dialCandidates();
  }

  /** Dials a member now, unless it is linked or being dialed. */
  dial(nodeId: NodeId): void {
    const address = this.#membership.find(nodeId)?.info?.overlay;
    if (this.#stopped || address === undefined || this.#membership.hasLiveLink(nodeId) || this.#isDialing(nodeId)) return;
    this.#context.agenda.cancel(`redial ${nodeId}`);
    this.#emitDial(address, nodeId);
  }

  /** One more beside those under way: each that loses a packet of its handshake waits a second or longer by itself. */
  dialBeside(nodeId: NodeId): void {
    const address = this.#membership.find(nodeId)?.info?.overlay;
    const underWay = [...this.#dials.values()].filter((target) => target === nodeId).length;
    if (this.#stopped || address === undefined || this.#membership.hasLiveLink(nodeId) || underWay >= MAX_DIALS_BESIDE) return;
    this.#beside.add(this.#emitDial(address, nodeId));
  }

  /** A link to it has closed. The box with the larger Node-ID waits longer, so that seldom both dial. */
  lost({ nodeId, state }: Member): void {
    if (state === "left") return this.#context.agenda.cancel(`redial ${nodeId}`);
    const { redialFirst, redialLongest } = this.#context.settings.timing;
    // It will be kept out again, until its double has stopped.
    if (this.#doubles.isDouble) return this.#redialAfter(nodeId, milliseconds(redialLongest / 2));
    const soon = milliseconds(redialFirst / SOONER);
    this.#redialAfter(nodeId, this.#context.self < nodeId ? soon : redialFirst);
  }

  opened(dial: Ticket | undefined, nodeId: NodeId): void {
    this.#attempts.delete(nodeId);
    this.#context.agenda.cancel(`redial ${nodeId}`);
    const target = dial === undefined ? undefined : this.#dials.get(dial);
    if (dial === undefined || target === undefined) return;
    this.#dials.delete(dial);
    this.#beside.delete(dial);
    // From here on the member itself is remembered and dialed.
    if (typeof target !== "string") this.#candidates.delete(formatAddress(target.address));
    else if (target !== nodeId) this.#membership.movedOut(target);
    this.#dialCandidates();
  }

  failed(dial: Ticket): void {
    const target = this.#dials.get(dial);
    this.#dials.delete(dial);
    if (this.#beside.delete(dial) || target === undefined) return;
    if (typeof target === "string") this.#memberFailed(target);
    else this.#candidateFailed(target);
    this.#dialCandidates();
  }

  #memberFailed(nodeId: NodeId): void {
    const attempts = (this.#attempts.get(nodeId) ?? 0) + 1;
    this.#attempts.set(nodeId, attempts);
    this.#redialAfter(nodeId, this.#backOff(attempts));
  }

  #candidateFailed(candidate: Candidate): void {
    candidate.attempts++;
    const name = formatAddress(candidate.address);
    if (candidate.source === "mdns" && candidate.attempts >= MAX_RUMOR_ATTEMPTS) {
      candidate.dialing = false;
      this.#candidates.delete(name);
      return;
    }
    this.#context.later(`candidate ${name}`, this.#context.jittered(this.#backOff(candidate.attempts)), () => {
      candidate.dialing = false;
      this.#dialCandidates();
    });
  }

  #backOff(attempts: number): Duration {
    const { redialFirst, redialLongest } = this.#context.settings.timing;
    const dialers = this.#membership.view.size;
    const patience = Math.min(Math.max(1, attempts / PATIENT_AFTER, dialers / DIALERS), MOST_PATIENCE);
    return milliseconds(Math.min(redialFirst * 2 ** Math.min(attempts, 20), redialLongest * patience));
  }

  #redialAfter(nodeId: NodeId, delay: Duration): void {
    if (this.#stopped) return;
    this.#context.later(`redial ${nodeId}`, this.#context.jittered(delay), () => {
      const member = this.#membership.find(nodeId);
      if (member === undefined || member.state === "left") return;
      if (this.#isWanted(nodeId)) this.dial(nodeId);
      else this.#redialAfter(nodeId, this.#context.settings.timing.redialLongest);
    });
  }

  #dialCandidates(): void {
    if (this.#stopped) return;
    for (const [name, candidate] of [...this.#candidates]) {
      const dialing = [...this.#dials.values()].filter((target) => typeof target !== "string").length;
      if (dialing >= MAX_CANDIDATE_DIALS) return;
      if (candidate.dialing || (candidate.source === "mdns" && this.#isDialingHost(candidate.address.host))) continue;
      if (this.#isKnown(candidate.address)) this.#candidates.delete(name);
      else {
        candidate.dialing = true;
        this.#emitDial(candidate.address, candidate);
      }
    }
  }

  #isKnown(address: Address): boolean {
    for (const { info, links } of this.#membership.members) {
      if (info !== undefined && links.length > 0 && sameAddress(info.overlay, address)) return true;
    }
    return false;
  }

  /** One host that is silent at many ports does not keep the other rumors waiting. */
  #isDialingHost(host: string): boolean {
    for (const target of this.#dials.values()) if (typeof target !== "string" && target.address.host === host) return true;
    return false;
  }

  #isDialing(nodeId: NodeId): boolean {
    for (const [dial, target] of this.#dials) if (target === nodeId && !this.#beside.has(dial)) return true;
    return false;
  }

  #emitDial(address: Address, target: NodeId | Candidate): Ticket {
    const dial = this.#context.newTicket();
    this.#dials.set(dial, target);
    this.#context.emit({ type: "dial", dial, address });
    return dial;
  }
}
