// Takes messages that were kept to the phone that has come back: all of them, in order, one at a time, each once. The
// box that took the REGISTER is the courier; it says so in the ring first, for phones that come back at two boxes.

import { BoundedMap } from "../../base/bounded-map.ts";
import { DeadlineQueue } from "../../base/deadline-queue.ts";
import { after, type Instant, milliseconds, seconds, wallAfter, wallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import { makeRequest, type NameAndValue } from "../message/build.ts";
import { formatDate } from "../message/date.ts";
import { escapeUser } from "../message/uri.ts";
import { MAGIC_COOKIE } from "../message/via.ts";
import type { FoundBinding, KeptMessage } from "../ports.ts";
import { ownVia } from "../proxy/forwarding.ts";
import { type ProxyTarget, targetGroups } from "../proxy/target-set.ts";
import type { Hop } from "../transport/transport.ts";
import { delivered } from "./keeper.ts";

/** A phone that has just registered is given a moment to be ready. */
const SOON = milliseconds(200);
/** Other couriers that have said so meanwhile are heard by then. */
const CLAIMED = milliseconds(300);
/** A courier that died is believed to be at work so long: longer than a phone may take for one message. */
const COURIER_TIME = seconds(60);
/** Users whose messages are being delivered: above it the oldest waits for his next REGISTER. */
const ROUNDS_MAX = 5_000;

interface Round {
  readonly aor: string;
  bindings: readonly FoundBinding[];
  waiting: KeptMessage[];
}

export class Courier {
  readonly #core: CoreContext;
  readonly #prefix: string;
  /** By AoR. */
  readonly #rounds = new BoundedMap<string, Round>(ROUNDS_MAX, "evict");
  /** BOUNDED: one a round. */
  readonly #timers = new DeadlineQueue<(now: Instant) => void>();
  #branches = 0;

  constructor(core: CoreContext, prefix: string) {
    this.#core = core;
    this.#prefix = prefix;
  }

  nextDeadline(): Instant | undefined {
    return this.#timers.next();
  }
  tick(now: Instant): void {
    for (let fire = this.#timers.takeDue(now); fire !== undefined; fire = this.#timers.takeDue(now)) fire(now);
  }

  /** A phone of this user has registered, and there are messages. */
  registered(now: Instant, aor: string): void {
    if (this.#rounds.has(aor)) return;
    const round: Round = { aor, bindings: [], waiting: [] };
    this.#rounds.set(aor, round);
    this.#timers.set((at) => this.#claim(at, round), after(now, SOON));
  }

  #read(now: Instant, round: Round, then: (now: Instant, messages: readonly KeptMessage[]) => void): void {
    this.#core.questions.readMessages(now, round.aor, (at, lookup) => {
      if (lookup.outcome === "unavailable") return this.#end(round);
      round.bindings = lookup.bindings;
      then(at, lookup.messages.filter(({ state }) => state === "waiting"));
    });
  }

  #claim(now: Instant, round: Round): void {
    const { nodeId } = this.#core.settings;
    this.#read(now, round, (at, messages) => {
      const wall = this.#core.wallClock();
      const free = messages.filter(({ courier, courierUntil }) => courier === nodeId || courierUntil <= wall);
      if (free.length === 0) return this.#end(round);
      const courierUntil = wallAfter(wall, COURIER_TIME);
      const claimed = free.map((message) => ({ ...message, courier: nodeId, courierUntil }));
      this.#core.questions.changeMessages(at, round.aor, claimed, (later, { outcome }) => {
        if (outcome === "unavailable") return this.#end(round);
        this.#timers.set((when) => this.#begin(when, round), after(later, CLAIMED));
      });
    });
  }

  /** Whoever claimed last is the one. */
  #begin(now: Instant, round: Round): void {
    this.#read(now, round, (at, messages) => {
      round.waiting = messages.filter(({ courier }) => courier === this.#core.settings.nodeId).sort(inOrder);
      this.#next(at, round);
    });
  }

  #next(now: Instant, round: Round): void {
    const message = round.waiting.shift();
    if (message === undefined) return this.#end(round);
    const { ends, tokens } = this.#core;
    const groups = targetGroups(round.aor, round.bindings, this.#core.wallClock(), ends, tokens, false);
    this.#try(now, round, message, groups.flat(2));
  }

  /** At one phone after another, until one has it. */
  #try(now: Instant, round: Round, message: KeptMessage, [target, ...others]: readonly ProxyTarget[]): void {
    if (target === undefined) return this.#release(now, round, message);
    const hop = this.#hopOf(target);
    if (hop === undefined || !this.#core.transactions.hasRoom()) return this.#try(now, round, message, others);
    this.#branches += 1;
    const branch = `${MAGIC_COOKIE}${this.#prefix}m${this.#branches.toString(36)}`;
    const request = makeRequest("MESSAGE", target.uriText, this.#fields(round, message, target, hop, branch), message.body);
    this.#core.transactions.request(now, request, branch, hop, {
      received: (at, _, { status }) => {
        if (status < 200) return;
        if (status < 300 || REFUSED.includes(status)) this.#done(at, round, message, status);
        else this.#try(at, round, message, others);
      },
      failed: (at) => this.#try(at, round, message, others),
    });
  }

  #hopOf({ way }: ProxyTarget): Hop | undefined {
    if (way.type !== "hop") return undefined;
    if (way.hop.type === "address") return this.#core.ends.mayReach(way.hop.remote) ? way.hop : undefined;
    const flow = this.#core.transport.alive(way.hop.flow);
    return flow === undefined ? undefined : { type: "flow", flow };
  }

  /** As it was sent: a phone that gets it twice can tell by From, Call-ID and CSeq. */
  #fields({ aor }: Round, message: KeptMessage, target: ProxyTarget, hop: Hop, branch: string): readonly NameAndValue[] {
    return [
      ["Via", ownVia(this.#core, hop, branch)],
      ["Max-Forwards", "70"],
      ...target.routes.map((route): NameAndValue => ["Route", route.startsWith("<") ? route : `<${route}>`]),
      ["From", message.from],
      ["To", `<sip:${escapeUser(aor.slice(0, aor.lastIndexOf("@")))}@${this.#core.settings.domain}>`],
      ["Call-ID", message.callId],
      ["CSeq", `${message.cseq} MESSAGE`],
      ["Date", formatDate(message.takenAt)],
      ["Content-Type", message.contentType],
    ];
  }

  /** It is out of the ring before the next one goes. */
  #done(now: Instant, round: Round, message: KeptMessage, status: number): void {
    this.#core.outbox.count(status < 300 ? "message-delivered" : "message-refused");
    this.#core.questions.changeMessages(now, round.aor, [delivered(message, this.#core)], (at) => this.#next(at, round));
  }

  /** Nobody is there: those that are left wait for the next REGISTER, wherever it comes. */
  #release(now: Instant, round: Round, message: KeptMessage): void {
    const left = [message, ...round.waiting].map((one): KeptMessage => ({ ...one, courier: "", courierUntil: wallTime(0) }));
    this.#core.questions.changeMessages(now, round.aor, left, () => this.#end(round));
  }

  #end({ aor }: Round): void {
    this.#rounds.delete(aor);
  }
}

/** The phone has seen it and does not want it: it would not want it the next time either. */
const REFUSED: readonly number[] = [405, 413, 415, 488, 501, 600, 603, 606];

const inOrder = (a: KeptMessage, b: KeptMessage): number => a.takenAt - b.takenAt || (a.key < b.key ? -1 : 1);
