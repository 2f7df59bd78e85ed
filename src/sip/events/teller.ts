// Whoever wrote what is true of a user tells the boxes of the watchers that there is something to read: a hint, a
// request from box to box that carries nothing but the AoR (docs/decisions/0028).

import { type Address, formatAddress } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import { toHex } from "../../base/bytes.ts";
import { DeadlineQueue } from "../../base/deadline-queue.ts";
import { after, type Instant, milliseconds, seconds, type WallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import { makeRequest } from "../message/build.ts";
import type { ValidRequest } from "../message/message.ts";
import { addressOfRecord, escapeUser, isSipUri } from "../message/uri.ts";
import { MAGIC_COOKIE } from "../message/via.ts";
import type { EventLookup, Flow, FoundSubscription, Subscription } from "../ports.ts";
import { ownVia } from "../proxy/forwarding.ts";
import type { Hop } from "../transport/transport.ts";
import { EVENT_LIMITS } from "./limits.ts";
import type { Notifier } from "./notifier.ts";

/** The Event of a hint; no phone has one of this name. */
const HINT = "ringbox-look";

/** A box that did not answer a hint by then may be dead: who watches is read again, and where. */
const HINT_PATIENCE = seconds(1);
/** A hint is answered when the watchers have their NOTIFYs: a box that dies before that has not answered it… */
const SETTLING_LOOK = milliseconds(50);
/** …but a watcher that is slow is not waited for so long as to be taken for a dead box. */
const SETTLING_LOOKS = 12;
/** As often: by then a dead box has left the ring, and its subscriptions are taken over. */
const ROUNDS = 6;

/** `changed`: there is something new to be seen. `watched`: somebody looks who did not before. */
export type HintReason = "changed" | "watched";

interface Telling {
  round: number;
  isAgain: boolean;
}

export class Teller {
  readonly #core: CoreContext;
  readonly #notifier: Notifier;
  readonly #prefix: string;
  /** By AoR. */
  readonly #tellings = new BoundedMap<string, Telling>(EVENT_LIMITS.tellings, "evict");
  /** Hints without an answer, ours and of others. BOUNDED: by the transactions. */
  readonly #timers = new DeadlineQueue<(now: Instant) => void>();
  /** Subscriptions of this box that are older are of an earlier life of it. */
  #bornAt: WallTime | undefined;
  #branches = 0;

  constructor(core: CoreContext, notifier: Notifier, prefix: string) {
    this.#core = core;
    this.#notifier = notifier;
    this.#prefix = prefix;
  }

  nextDeadline(): Instant | undefined {
    return this.#timers.next();
  }
  tick(now: Instant): void {
    for (let fire = this.#timers.takeDue(now); fire !== undefined; fire = this.#timers.takeDue(now)) fire(now);
  }

  /** Everybody who watches this user. */
  tell(now: Instant, aor: string): void {
    const telling = this.#tellings.get(aor);
    if (telling === undefined) this.#begin(now, aor, { round: 0, isAgain: false });
    else telling.isAgain = true;
  }

  #begin(now: Instant, aor: string, telling: Telling): void {
    this.#tellings.set(aor, telling);
    this.#core.questions.readEvents(now, aor, (at, lookup) => {
      if (lookup.outcome === "unavailable") return this.#again(at, aor, telling);
      this.#tellThose(at, aor, telling, lookup);
    });
  }

  #again(now: Instant, aor: string, telling: Telling): void {
    telling.round += 1;
    if (telling.round > ROUNDS) return this.#finish(now, aor, telling);
    this.#timers.set((at) => this.#begin(at, aor, telling), after(now, HINT_PATIENCE));
  }

  #finish(now: Instant, aor: string, telling: Telling): void {
    this.#tellings.delete(aor);
    if (telling.isAgain) this.tell(now, aor);
  }

  #tellThose(now: Instant, aor: string, telling: Telling, lookup: Extract<EventLookup, { outcome: "found" }>): void {
    this.takeOver(now, aor, lookup.subscriptions);
    if (this.#notifier.isWatched(aor)) this.#notifier.look(now, aor);
    const boxes = new Map(lookup.subscriptions.flatMap(({ reach }) => (reach.at === "elsewhere" ? [[formatAddress(reach.box), reach.box]] : [])));
    let waiting = boxes.size;
    let isMissed = false;
    if (waiting === 0) return this.#finish(now, aor, telling);
    const answered = (at: Instant, isHeard: boolean): void => {
      isMissed ||= !isHeard;
      waiting -= 1;
      if (waiting > 0) return;
      if (isMissed) this.#again(at, aor, telling);
      else this.#finish(at, aor, telling);
    };
    for (const box of boxes.values()) this.#ask(now, box, aor, answered);
  }

  /** Subscriptions whose box has left the ring, and those of an earlier life of this one. */
  takeOver(now: Instant, aor: string, subscriptions: readonly FoundSubscription[]): void {
    const { nodeId } = this.#core.settings;
    this.#bornAt ??= this.#core.wallClock();
    const bornAt = this.#bornAt;
    const isOrphan = ({ key, edge, reach, startedAt }: FoundSubscription): boolean =>
      this.#notifier.find(key) === undefined && (reach.at === "gone" || (edge === nodeId && startedAt < bornAt));
    const upserts = subscriptions.filter(isOrphan).map((one) => {
      const { subscription, first } = this.#notifier.continued(withoutReach(one));
      this.#notifier.begin(now, aor, subscription, first);
      return subscription;
    });
    if (upserts.length > 0) this.#core.questions.changeEvents(now, aor, { of: "subscriptions", upserts, removals: [] }, () => undefined);
  }

  /** Somebody watches a user whom nobody watched: whoever knows something of him says so. */
  askAll(now: Instant, aor: string): void {
    for (const box of this.#core.ends.fleetAddresses) this.#send(now, box, aor, "watched", () => undefined);
  }

  #ask(now: Instant, box: Address, aor: string, told: (now: Instant, isHeard: boolean) => void): void {
    let isOver = false;
    const end = (at: Instant, isHeard: boolean): void => {
      if (isOver) return;
      isOver = true;
      this.#timers.delete(giveUp);
      told(at, isHeard);
    };
    const giveUp = (at: Instant): void => end(at, false);
    this.#timers.set(giveUp, after(now, HINT_PATIENCE));
    this.#send(now, box, aor, "changed", end);
  }

  #send(now: Instant, box: Address, aor: string, reason: HintReason, told: (now: Instant, isHeard: boolean) => void): void {
    if (!this.#core.transactions.hasRoom()) return told(now, false);
    this.#branches += 1;
    const branch = `${MAGIC_COOKIE}${this.#prefix}h${this.#branches.toString(36)}`;
    const hop: Hop = { type: "address", transport: "udp", remote: box };
    const callId = `${toHex(this.#core.random.bytes(8))}@${this.#core.settings.nodeId}`;
    const domain = this.#core.settings.domain;
    const request = makeRequest("NOTIFY", `sip:${formatAddress(box)}`, [
      ["Via", ownVia(this.#core, hop, branch)],
      ["Max-Forwards", "1"],
      ["From", `<sip:${domain}>;tag=${this.#branches.toString(36)}`],
      ["To", `<sip:${escapeUser(aor.slice(0, aor.lastIndexOf("@")))}@${domain}>`],
      ["Call-ID", callId],
      ["CSeq", "1 NOTIFY"],
      ["Event", `${HINT};reason=${reason};token=${this.#core.tokens.onward(callId)}`],
    ]);
    this.#core.transactions.request(now, request, branch, hop, {
      received: (at, _, { status }) => (status < 200 ? undefined : told(at, true)),
      failed: (at) => told(at, false),
    });
  }

  /** A hint from a box of the fleet: why it was sent, and of whom it speaks. `undefined`: it is none. */
  read(request: ValidRequest, flow: Flow): { readonly reason: HintReason; readonly aor: string } | undefined {
    if (request.method !== "NOTIFY" || request.toTag !== "") return undefined;
    const [name, reason, token] = (request.header("event") ?? "").split(";");
    if (name !== HINT || (reason !== "reason=changed" && reason !== "reason=watched") || token === undefined) return undefined;
    if (flow.transport !== "udp" || this.#core.tokens.read(token.slice("token=".length), request.callId).type !== "onward") return undefined;
    const { uri } = request.to;
    const aor = isSipUri(uri) ? addressOfRecord(uri) : undefined;
    return aor === undefined ? undefined : { reason: reason === "reason=changed" ? "changed" : "watched", aor };
  }

  /** Told by another box that something has changed; `answer` when the watchers here know. */
  heard(now: Instant, aor: string, answer: (now: Instant) => void): void {
    if (this.#notifier.isWatched(aor)) this.#notifier.look(now, aor);
    this.#whenSettled(now, aor, answer, SETTLING_LOOKS);
    if (!this.#notifier.isWatched(aor)) this.#core.questions.readEvents(now, aor, (at, lookup) => (lookup.outcome === "found" ? this.takeOver(at, aor, lookup.subscriptions) : undefined));
  }

  #whenSettled(now: Instant, aor: string, answer: (now: Instant) => void, looks: number): void {
    if (looks === 0 || this.#notifier.isSettled(aor)) return answer(now);
    this.#timers.set((at) => this.#whenSettled(at, aor, answer, looks - 1), after(now, SETTLING_LOOK));
  }
}

export const withoutReach = ({ reach: _, ...subscription }: FoundSubscription): Subscription => subscription;
