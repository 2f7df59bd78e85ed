// The subscriptions whose NOTIFYs this box sends (RFC 6665 section 4.2): their dialogs, what their watchers know, and
// what is read from the ring for them. docs/decisions/0028 tells why they are where the SUBSCRIBE came in.

import { formatAddress } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import { DeadlineQueue } from "../../base/deadline-queue.ts";
import { after, type Duration, type Instant, milliseconds, seconds, wallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import { makeRequest, type NameAndValue } from "../message/build.ts";
import type { ValidResponse } from "../message/message.ts";
import { escapeUser } from "../message/uri.ts";
import { MAGIC_COOKIE } from "../message/via.ts";
import type { EventLookup, Flow, FoundBinding, FoundEventState, Subscription } from "../ports.ts";
import { ownVia } from "../proxy/forwarding.ts";
import { targetGroups } from "../proxy/target-set.ts";
import type { Hop } from "../transport/transport.ts";
import { EVENT_LIMITS } from "./limits.ts";
import type { Part } from "./package-definition.ts";
import { definitionOf } from "./packages.ts";
import { type SubscriptionAction, SubscriptionMachine, type SubscriptionTrigger } from "./subscription-machine.ts";
import { watcherOf } from "./watcher.ts";

/** Between two NOTIFYs of a subscription, at least. */
const REST = milliseconds(100);
/** CSeq and version of a subscription that was taken over: so many for each second of its life, which is as many as there can have been… */
const COUNT_EACH = milliseconds(100);
/** …and so many more, for clocks that differ. */
const COUNT_AHEAD = 100;
/** A user that is watched is looked at again without being told to. */
const LOOK_AGAIN = seconds(50);
/** Not all of them at once. */
const LOOK_SPREAD = seconds(20);
/** The same when the ring did not answer. */
const LOOK_SOON = milliseconds(500);

/** Why a subscription is over (RFC 6665 section 4.1.3). */
export type EndReason = "timeout" | "deactivated" | "noresource";

interface Live {
  subscription: Subscription;
  readonly watched: Watched;
  readonly machine: SubscriptionMachine;
  readonly isTakenOver: boolean;
  version: number;
  cseq: number;
  /** What the watcher was told last; `undefined`: nothing yet. */
  told: ReadonlyMap<string, Part> | undefined;
  /** It is to be told even if it knows everything. */
  isDue: boolean;
  reason: EndReason;
  readonly expire: (now: Instant) => void;
  readonly rested: (now: Instant) => void;
}

interface Watched {
  readonly aor: string;
  /** BOUNDED: by the subscriptions of this box. */
  readonly live: Map<string, Live>;
  /** The newest version of each state that was read. BOUNDED: by the kind, over the life of a state. */
  readonly states: Map<string, FoundEventState>;
  bindings: readonly FoundBinding[];
  /** `undefined`: nothing was read yet, and nobody is told anything. */
  reading: "no" | "reading" | "again";
  isKnown: boolean;
  readonly look: (now: Instant) => void;
}

export class Notifier {
  readonly #core: CoreContext;
  readonly #prefix: string;
  /** BOUNDED: by the subscriptions. */
  readonly #watched = new Map<string, Watched>();
  readonly #live = new BoundedMap<string, Live>(EVENT_LIMITS.subscriptions, "refuse");
  /** How many a watcher has here. BOUNDED: by the subscriptions. */
  readonly #byWatcher = new Map<string, number>();
  /** Expiries, rests and looks. BOUNDED: two a subscription and one a watched user. */
  readonly #timers = new DeadlineQueue<(now: Instant) => void>();
  #branches = 0;
  #goingBox: string | undefined;

  constructor(core: CoreContext, prefix: string) {
    this.#core = core;
    this.#prefix = prefix;
  }

  get size(): number {
    return this.#live.size;
  }
  get isFull(): boolean {
    return this.#live.size >= EVENT_LIMITS.subscriptions;
  }
  countOf(watcher: string): number {
    return this.#byWatcher.get(watcher) ?? 0;
  }
  find(key: string): Subscription | undefined {
    return this.#live.get(key)?.subscription;
  }

  nextDeadline(): Instant | undefined {
    return this.#timers.next();
  }
  tick(now: Instant): void {
    for (let fire = this.#timers.takeDue(now); fire !== undefined; fire = this.#timers.takeDue(now)) fire(now);
  }

  /** A subscription of this box from here on; its NOTIFY leaves when the ring has told what is true. `first`: its count. */
  begin(now: Instant, aor: string, subscription: Subscription, first = 0): void {
    this.#add(now, aor, subscription, first);
  }

  /** One that another box began, or an earlier life of this one: its counts lie ahead of all that were used. */
  continued(found: Subscription): { readonly subscription: Subscription; readonly first: number } {
    const wall = this.#core.wallClock();
    const first = Math.ceil(Math.max(0, wall - found.startedAt) / COUNT_EACH) + COUNT_AHEAD;
    this.#core.outbox.count("subscription-taken-over");
    return { subscription: { ...found, edge: this.#core.settings.nodeId, startedAt: wallTime(wall - first * COUNT_EACH) }, first };
  }

  /** A SUBSCRIBE within its dialog: the watcher is told in any case. */
  refresh(now: Instant, subscription: Subscription): void {
    const live = this.#live.get(subscription.key);
    if (live === undefined) return;
    live.subscription = subscription;
    live.isDue = true;
    this.#expireLater(now, live);
    this.look(now, live.watched.aor);
  }

  /** Ends it with a last NOTIFY. */
  end(now: Instant, key: string, reason: EndReason): void {
    const live = this.#live.get(key);
    if (live === undefined) return;
    live.reason = reason;
    live.subscription = { ...live.subscription, expiresAt: this.#core.wallClock() };
    this.#timers.delete(live.expire);
    if (live.watched.isKnown) this.#step(now, live, "end");
    else this.look(now, live.watched.aor);
  }

  /** Ends it without a word: another box has it. */
  drop(key: string): void {
    const live = this.#live.get(key);
    if (live !== undefined) this.#forget(live);
  }

  /** Whether phones that hang on this box are to go to others: those that watch their registration are told. */
  setGoing(now: Instant, isGoing: boolean): void {
    if (isGoing === (this.#goingBox !== undefined)) return;
    this.#goingBox = isGoing ? this.#core.settings.nodeId : undefined;
    for (const { subscription, watched } of this.#live.values()) if (subscription.package === "reg") this.#timers.set(watched.look, now);
  }

  /** Whether those who watch this user know what this box was told to look for. */
  isSettled(aor: string): boolean {
    const watched = this.#watched.get(aor);
    if (watched === undefined) return true;
    return watched.reading === "no" && [...watched.live.values()].every(({ machine }) => machine.state === "quiet" || machine.state === "resting");
  }

  isWatched(aor: string): boolean {
    return this.#watched.has(aor);
  }

  /** Reads what is true of a user, and tells those who do not know it yet. */
  look(now: Instant, aor: string): void {
    const watched = this.#watched.get(aor);
    if (watched === undefined) return;
    if (watched.reading !== "no") watched.reading = "again";
    else this.#read(now, watched);
  }

  #read(now: Instant, watched: Watched): void {
    watched.reading = "reading";
    this.#timers.delete(watched.look);
    this.#core.questions.readEvents(now, watched.aor, (at, lookup) => {
      const isOld = watched.reading === "again";
      watched.reading = "no";
      if (this.#watched.get(watched.aor) !== watched) return;
      this.#show(at, watched, lookup);
      if (this.#watched.get(watched.aor) !== watched) return;
      this.#timers.set(watched.look, after(at, lookup.outcome === "found" ? this.#untilNextLook(watched) : LOOK_SOON));
      if (isOld) this.look(at, watched.aor);
    });
  }

  /** A while; or until the first of what it has seen ends, if nobody renews it. */
  #untilNextLook({ states }: Watched): Duration {
    const wall = this.#core.wallClock();
    const ends = [...states.values()].map(({ isFinal, expiresAt }) => (isFinal ? Number.POSITIVE_INFINITY : expiresAt + LOOK_SOON - wall));
    return milliseconds(Math.min(LOOK_AGAIN + this.#core.random.below(LOOK_SPREAD), ...ends.map((left) => Math.max(LOOK_SOON, left))));
  }

  /** Of each state the newest version that was ever read stands: a copy that is behind turns nothing back. */
  #show(now: Instant, watched: Watched, lookup: EventLookup): void {
    if (lookup.outcome === "unavailable") return;
    const wall = this.#core.wallClock();
    for (const state of lookup.states) {
      const known = watched.states.get(state.key);
      if (known === undefined || state.writtenAt > known.writtenAt) watched.states.set(state.key, state);
    }
    for (const [key, { expiresAt }] of watched.states) if (expiresAt <= wall) watched.states.delete(key);
    watched.bindings = lookup.bindings;
    watched.isKnown = true;
    this.#yield(watched, lookup);
    for (const live of [...watched.live.values()]) {
      if (live.subscription.expiresAt <= wall) this.#step(now, live, "end");
      else if (this.#isNews(live)) this.#step(now, live, "change");
    }
  }

  /** Another box may have taken one of ours over, believing this one to be gone: the last to write it keeps it. */
  #yield(watched: Watched, lookup: Extract<EventLookup, { outcome: "found" }>): void {
    for (const { key, edge, startedAt } of lookup.subscriptions) {
      const live = watched.live.get(key);
      if (live === undefined || edge === this.#core.settings.nodeId) continue;
      if (startedAt < live.subscription.startedAt) this.#forget(live);
    }
  }

  #add(now: Instant, aor: string, subscription: Subscription, first: number): void {
    if (this.#live.get(subscription.key) !== undefined || this.isFull) return;
    const watched = this.#watched.get(aor) ?? this.#newWatched(aor);
    const live: Live = {
      subscription, watched, machine: new SubscriptionMachine(), version: first, cseq: first, isTakenOver: first > 0, told: undefined, isDue: true, reason: "timeout",
      expire: (at) => this.#step(at, live, "end"),
      rested: (at) => this.#step(at, live, "rested"),
    };
    watched.live.set(subscription.key, live);
    this.#live.set(subscription.key, live);
    const watcher = watcherOf(subscription);
    this.#byWatcher.set(watcher, this.countOf(watcher) + 1);
    this.#expireLater(now, live);
    this.look(now, aor);
  }

  #newWatched(aor: string): Watched {
    const watched: Watched = {
      aor, live: new Map(), states: new Map(), bindings: [], reading: "no", isKnown: false, look: (now) => this.look(now, aor),
    };
    this.#watched.set(aor, watched);
    return watched;
  }

  #expireLater(now: Instant, live: Live): void {
    const left = live.subscription.expiresAt - this.#core.wallClock();
    if (left > 0) this.#timers.set(live.expire, after(now, milliseconds(left)));
  }

  #forget({ subscription, watched, expire, rested }: Live): void {
    this.#live.delete(subscription.key);
    watched.live.delete(subscription.key);
    this.#timers.delete(expire);
    this.#timers.delete(rested);
    const watcher = watcherOf(subscription);
    const left = this.countOf(watcher) - 1;
    if (left > 0) this.#byWatcher.set(watcher, left);
    else this.#byWatcher.delete(watcher);
    if (watched.live.size > 0) return;
    this.#watched.delete(watched.aor);
    this.#timers.delete(watched.look);
  }

  #step(now: Instant, live: Live, trigger: SubscriptionTrigger): void {
    for (const action of live.machine.step(trigger)) this.#act(now, live, action);
  }

  #act(now: Instant, live: Live, action: SubscriptionAction): void {
    switch (action) {
      case "notify":
        return this.#notify(now, live, `active;expires=${Math.max(0, Math.round((live.subscription.expiresAt - this.#core.wallClock()) / 1_000))}`);
      case "notify the end":
        return this.#notify(now, live, `terminated;reason=${live.reason}`);
      case "rest":
        return this.#timers.set(live.rested, after(now, REST));
      case "forget":
        return this.#lose(now, live);
    }
  }

  /** Over: the ring need not remember it either. */
  #lose(now: Instant, live: Live): void {
    this.#forget(live);
    const { subscription, watched } = live;
    if (subscription.expiresAt <= this.#core.wallClock()) return;
    this.#core.questions.changeEvents(now, watched.aor, { of: "subscriptions", upserts: [], removals: [subscription.key] }, () => undefined);
  }

  #parts({ subscription, watched }: Live): readonly Part[] {
    const wall = this.#core.wallClock();
    const states = [...watched.states.values()].filter((state) => state.package === subscription.package && state.expiresAt > wall);
    states.sort((a, b) => (a.key < b.key ? -1 : 1));
    return definitionOf(subscription.package).parts({ aor: watched.aor, wall, states, bindings: watched.bindings, goingBox: this.#goingBox });
  }

  #isNews(live: Live): boolean {
    const { told, isDue } = live;
    if (told === undefined || isDue) return true;
    const parts = this.#parts(live);
    if (parts.some((part) => isWorthTelling(part, live) && told.get(part.key)?.content !== part.content)) return true;
    return [...told.values()].some(({ key, isFinal }) => !isFinal && !parts.some((part) => part.key === key));
  }

  #notify(now: Instant, live: Live, state: string): void {
    const flow = this.#flowTo(live.subscription);
    if (flow !== undefined) return this.#send(now, live, state, { hop: flow, routes: [] });
    this.#core.questions.findUser(now, watcherOf(live.subscription), (at, lookup) => {
      const way = lookup.outcome === "found" ? this.#wayThroughBinding(live.subscription, lookup.bindings) : undefined;
      if (way !== undefined) return this.#send(at, live, state, way);
      this.#core.outbox.count("notify-without-way");
      this.#step(at, live, "answered");
    });
  }

  #send(now: Instant, live: Live, state: string, { hop, routes }: NotifyWay): void {
    if (live.machine.state === "over") return;
    if (!this.#core.transactions.hasRoom()) return this.#step(now, live, "answered");
    const { subscription, watched } = live;
    const definition = definitionOf(subscription.package);
    const parts = this.#parts(live).filter((part) => isWorthTelling(part, live));
    live.isDue = false;
    live.told = new Map(parts.map((part) => [part.key, part]));
    live.cseq += 1;
    const body = definition.document(watched.aor, live.version, parts.map(({ content }) => content));
    live.version += 1;
    this.#branches += 1;
    const branch = `${MAGIC_COOKIE}${this.#prefix}n${this.#branches.toString(36)}`;
    const fields = this.#fields(live, hop, branch, state, definition.contentType);
    const request = makeRequest("NOTIFY", subscription.target, [...routes.map((route): NameAndValue => ["Route", route]), ...fields], body);
    this.#core.outbox.count("notify-sent");
    this.#core.transactions.request(now, request, branch, hop, {
      received: (at, _, response) => this.#answered(at, live, response),
      failed: (at) => this.#step(at, live, "refused"),
    });
  }

  #fields({ subscription, watched, cseq }: Live, hop: Hop, branch: string, state: string, contentType: string): readonly NameAndValue[] {
    const { name, id } = { name: subscription.package, id: subscription.id };
    return [
      ["Via", ownVia(this.#core, hop, branch)],
      ["Max-Forwards", "70"],
      ...subscription.routes.map((route): NameAndValue => ["Route", route]),
      ["From", `${subscription.local};tag=${subscription.localTag}`],
      ["To", subscription.remote],
      ["Call-ID", subscription.callId],
      ["CSeq", `${cseq} NOTIFY`],
      ["Contact", this.#contact(hop, watched.aor, subscription)],
      ["Event", id === "" ? name : `${name};id=${id}`],
      ["Subscription-State", state],
      ["User-Agent", this.#core.settings.software],
      ["Content-Type", contentType],
    ];
  }

  #contact(hop: Hop, aor: string, { transport }: Subscription): string {
    const local = hop.type === "flow" ? hop.flow.local : this.#core.ends.localFor(hop.remote.host);
    return contactAt(this.#core, aor, local.host, transport);
  }

  #answered(now: Instant, live: Live, { status }: ValidResponse): void {
    if (status < 200) return;
    if (GONE.includes(status)) this.#core.outbox.count("notify-refused");
    this.#step(now, live, GONE.includes(status) ? "refused" : "answered");
  }

  /** The way that the SUBSCRIBE came; where the watcher was seen, if that was another box's way and UDP. */
  #flowTo({ flowToken, received, transport }: Subscription): Hop | undefined {
    const { tokens, ends } = this.#core;
    const reading = tokens.read(flowToken, "");
    if (reading.type === "flow" && reading.ours && (transport !== "udp" || ends.isLocal(reading.flow.local.host))) {
      const alive: Flow | undefined = this.#core.transport.alive(reading.flow);
      return alive === undefined ? undefined : { type: "flow", flow: alive };
    }
    return transport === "udp" && ends.mayReach(received) ? { type: "address", transport, remote: received } : undefined;
  }

  /** A phone whose connection or box is gone is reached where it registered since: by the one binding that can be its own. */
  #wayThroughBinding({ transport }: Subscription, bindings: readonly FoundBinding[]): NotifyWay | undefined {
    const { ends, tokens, transport: flows } = this.#core;
    const possible = bindings.filter((binding) => binding.transport === transport && binding.reach.at !== "gone");
    if (possible.length !== 1) return undefined;
    const target = targetGroups("", possible, this.#core.wallClock(), ends, tokens, false)[0]?.[0]?.[0];
    if (target?.way.type !== "hop") return undefined;
    const { hop } = target.way;
    if (hop.type === "address") return { hop, routes: target.routes };
    const alive = flows.alive(hop.flow);
    return alive === undefined ? undefined : { hop: { type: "flow", flow: alive }, routes: target.routes };
  }
}

interface NotifyWay {
  readonly hop: Hop;
  /** Before those of the dialog. */
  readonly routes: readonly string[];
}

/** What is over is told once, and only to those who knew of it, or may have: by a box that is gone. */
function isWorthTelling({ key, content, isFinal }: Part, { told, isTakenOver }: Live): boolean {
  const known = told?.get(key);
  return !isFinal || (known === undefined ? told === undefined && isTakenOver : known.content !== content);
}

/** Answers after which there is nobody to tell (RFC 6665 section 4.2.2, RFC 5057 section 5.1). */
const GONE: readonly number[] = [404, 405, 410, 416, 481, 482, 483, 484, 485, 489, 501, 604];

/** The watched user at this box: of this fleet any other box understands it too. */
export function contactAt(core: CoreContext, aor: string, host: string, transport: Subscription["transport"]): string {
  const address = formatAddress({ host, port: core.ends.portOf(transport) });
  const user = escapeUser(aor.slice(0, aor.lastIndexOf("@")));
  return `<sip:${user}@${address}${transport === "udp" ? "" : `;transport=${transport}`}>`;
}
