// A box whose disk refuses what must be on it goes on serving phones, and others hold its share: it leaves the ring
// (RFC 6940 section 10.9) and stays linked, much like a client (section 3.2.1), until its disk has been sound for a while.

import { after, between, type Duration, type Instant, milliseconds, minutes, seconds } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges } from "../routing/exchanges.ts";
import type { Holdings } from "../storage/holdings.ts";
import type { Introductions } from "./introductions.ts";
import { Leaving } from "./leaving.ts";
import type { Membership } from "./membership.ts";
import type { NodeId, Phase } from "../ports.ts";
import type { PhaseTrigger } from "./phases.ts";
import type { Persistence } from "../replicas/persistence.ts";
import type { Replication } from "../replicas/replication.ts";

/** Most troubles of a disk are over within seconds. */
const PATIENCE = seconds(15);
/** Refused writes are tried again every five seconds: without a trouble for so long there is none. */
const CALM = seconds(12);
/** Where others could not take over they are asked again. */
const ASK_AGAIN = minutes(1);
/** An unfit disk is looked at this often. */
const LOOK = seconds(5);

/** How long a disk must have been sound before its box comes back: each time twice as long… */
const FIRST_TRIAL = minutes(1);
const LONGEST_TRIAL = minutes(16);
/** …until it has served so long without standing aside. */
const FORGOTTEN = minutes(60);

/** A box whose disk fails leaves so many others in the ring: one of them may die yet. */
const OTHERS_NEEDED = 2;

interface Parts {
  readonly context: CoreContext;
  readonly membership: Membership;
  readonly exchanges: Exchanges;
  readonly holdings: Holdings;
  readonly persistence: Persistence;
  readonly introductions: Introductions;
  readonly replication: Replication;
  readonly phase: () => Phase;
}

export class StandingAside {
  readonly #parts: Parts;
  readonly #context: CoreContext;
  readonly #shift: (trigger: PhaseTrigger) => void;
  #withdrawal: Leaving | undefined;
  #troubledAt: Instant | undefined;
  #fitSince: Instant | undefined;
  #trial: Duration = FIRST_TRIAL;
  #cameBackAt: Instant | undefined;

  constructor(parts: Parts, shift: (trigger: PhaseTrigger) => void) {
    this.#parts = parts;
    this.#context = parts.context;
    this.#shift = shift;
  }

  /** A durable write failed, or the disk does not answer. */
  troubled(): void {
    const wasFit = !this.#isUnfit;
    this.#troubledAt = this.#context.now;
    if (wasFit || !this.#context.agenda.isSet("disk unfit")) this.#judgeIn(PATIENCE);
  }

  /** Whether this box can do without the copies of another. Of two whose disks fail the one with the smaller Node-ID may go. */
  lets(nodeId: NodeId): boolean {
    const phase = this.#parts.phase();
    const holds = phase === "serving" || phase === "withdrawing";
    return !holds || this.#parts.persistence.state === "ok" || nodeId < this.#context.self;
  }

  /** Others count this box out already, and it does not know yet whether it is. */
  get isSayingGoodBye(): boolean {
    return this.#withdrawal?.isSayingGoodBye === true;
  }

  /** Every copy is handed over while phones are served on; then this box says that it is out. */
  withdraw(): void {
    this.#parts.replication.leave(true);
    this.#withdrawal = new Leaving(this.#parts, "aside", (isOut) => this.#shift(isOut ? "handed over" : "heirs refuse"));
    this.#withdrawal.begin();
  }

  /** Somebody objected, or could not take everything: those who had agreed hear that this box is in the ring as before. */
  stay(): void {
    const { membership, introductions } = this.#parts;
    for (const { nodeId, links } of [...membership.members]) if (links.length > 0) introductions.sendUpdate(nodeId, { type: "peer_ready" });
    this.#context.report("warning", "The disk of this box fails, and other boxes cannot take its share now; they are asked again.");
    this.#judgeIn(ASK_AGAIN);
  }

  /** It is out of the ring. */
  begun(): void {
    this.#context.count("stood-aside");
    this.#context.report("warning", "The disk of this box fails: others hold its share now. It goes on serving phones, and comes back when the disk has been sound for a while.");
    const isForgotten = this.#cameBackAt === undefined || after(this.#cameBackAt, FORGOTTEN) <= this.#context.now;
    this.#trial = isForgotten ? FIRST_TRIAL : milliseconds(Math.min(2 * this.#trial, LONGEST_TRIAL));
    this.#fitSince = undefined;
    this.#lookLater();
  }

  phaseEnds(phase: Phase): void {
    if (phase === "aside") this.#context.agenda.cancel("disk fit");
    if (phase !== "withdrawing") return;
    this.#withdrawal?.abandon();
    this.#parts.replication.leave(false);
  }

  get #isUnfit(): boolean {
    const lately = this.#troubledAt !== undefined && between(this.#troubledAt, this.#context.now) <= CALM;
    return lately || this.#parts.persistence.state !== "ok";
  }

  #judgeIn(delay: Duration): void {
    this.#context.later("disk unfit", delay, () => {
      if (!this.#isUnfit) return;
      const isEnough = this.#parts.membership.view.others(this.#context.self).length >= OTHERS_NEEDED;
      if (isEnough && this.#parts.phase() === "serving") this.#shift("disk unfit");
      else this.#judgeIn(ASK_AGAIN);
    });
  }

  #lookLater(): void {
    this.#context.later("disk fit", LOOK, () => {
      const { now } = this.#context;
      this.#fitSince = this.#isUnfit ? undefined : (this.#fitSince ?? now);
      if (this.#fitSince === undefined || between(this.#fitSince, now) < this.#trial) return this.#lookLater();
      this.#cameBackAt = now;
      this.#shift("disk fit");
    });
  }
}
