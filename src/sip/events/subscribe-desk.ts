// SUBSCRIBE (RFC 6665 section 4.2.1): what is refused, what begins, goes on or ends.

import { toHex } from "../../base/bytes.ts";
import { type Instant, wallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import { type NameAndValue, responseTo } from "../message/build.ts";
import type { ValidRequest } from "../message/message.ts";
import type { EventLookup, Flow, Subscription } from "../ports.ts";
import type { Admitted, Door } from "./door.ts";
import { EVENT_LIMITS } from "./limits.ts";
import { contactAt, type Notifier } from "./notifier.ts";
import { accepts, ALLOW_EVENTS, type Event, readEvent } from "./packages.ts";
import { type Teller, withoutReach } from "./teller.ts";
import { watcherOf } from "./watcher.ts";

/** Seconds. Shorter subscriptions are refused with 423, longer ones shortened, others get the usual time. */
export const EVENT_EXPIRES = { minimum: 60, usual: 3_600, maximum: 7_200 } as const;

interface Subscribing extends Admitted {
  /** Of the watched user. */
  readonly aor: string;
  readonly event: Event;
  /** Seconds; 0: once, or no more. */
  readonly expires: number;
}

export class SubscribeDesk {
  readonly #core: CoreContext;
  readonly #door: Door;
  readonly #notifier: Notifier;
  readonly #teller: Teller;

  constructor(core: CoreContext, door: Door, notifier: Notifier, teller: Teller) {
    this.#core = core;
    this.#door = door;
    this.#notifier = notifier;
    this.#teller = teller;
  }

  /** A SUBSCRIBE to a user of our domain. */
  receive(now: Instant, request: ValidRequest, flow: Flow, aor: string): void {
    const event = readEvent(request.header("event"));
    if (event === undefined) return this.#core.answer(request, flow, 489, "", [["Allow-Events", ALLOW_EVENTS]]);
    const refusal = refusalOf(request, event);
    if (refusal !== undefined) return this.#core.answer(request, flow, ...refusal);
    const asked = request.has("expires") ? (request.expires ?? EVENT_EXPIRES.usual) : EVENT_EXPIRES.usual;
    if (asked > 0 && asked < EVENT_EXPIRES.minimum) return this.#core.answer(request, flow, 423, "", [["Min-Expires", String(EVENT_EXPIRES.minimum)]]);
    const expires = Math.min(asked, EVENT_EXPIRES.maximum);
    this.#door.admit(now, request, flow, (at, admitted) => {
      const subscribing = { ...admitted, aor, event, expires };
      if (event.definition.isPrivate && admitted.sender !== aor) return this.#door.answer(at, admitted, 403, "Not Yours To Watch");
      if (request.toTag === "") this.#begin(at, subscribing);
      else this.#goOn(at, subscribing);
    });
  }

  #read(now: Instant, subscribing: Subscribing, then: (now: Instant, lookup: Extract<EventLookup, { outcome: "found" }>) => void): void {
    this.#core.questions.readEvents(now, subscribing.aor, (at, lookup) => {
      if (lookup.outcome === "found") then(at, lookup);
      else this.#door.answer(at, subscribing, 503, "", [this.#core.retryAfter()]);
    });
  }

  #begin(now: Instant, subscribing: Subscribing): void {
    const { sender, expires } = subscribing;
    if (this.#notifier.countOf(sender) >= EVENT_LIMITS.subscriptionsOfWatcher) return this.#door.answer(now, subscribing, 403, "Too Many Subscriptions");
    this.#read(now, subscribing, (at, { isUser, subscriptions }) => {
      if (!isUser && this.#core.settings.registration !== "open") return this.#door.answer(at, subscribing, 404);
      if (this.#notifier.isFull || subscriptions.length >= EVENT_LIMITS.watchersOfUser) {
        this.#core.outbox.count("subscriptions-at-limit");
        return this.#door.answer(at, subscribing, 503, "", [this.#core.retryAfter()]);
      }
      const subscription = this.#newSubscription(subscribing);
      if (octetsOf(subscription) > EVENT_LIMITS.dialogOctets) return this.#door.answer(at, subscribing, 400, "Addresses Too Long");
      if (expires === 0) return this.#start(at, subscribing, subscription, false);
      this.#core.questions.changeEvents(at, subscribing.aor, { of: "subscriptions", upserts: [subscription], removals: [] }, (later, { outcome }) => {
        if (outcome === "stored") return this.#start(later, subscribing, subscription, !subscriptions.some((one) => one.package === subscription.package));
        this.#door.answer(later, subscribing, 503, "", [this.#core.retryAfter()]);
      });
    });
  }

  #start(now: Instant, subscribing: Subscribing, subscription: Subscription, isFirst: boolean): void {
    const { aor, expires } = subscribing;
    this.#core.outbox.count("subscribed");
    this.#accept(now, subscribing, subscription);
    this.#notifier.begin(now, aor, subscription);
    if (isFirst) this.#teller.askAll(now, aor);
    if (expires === 0) this.#notifier.end(now, subscription.key, "timeout");
  }

  /** Within a dialog: of this box, of a box that is gone, or of an earlier life of this one. */
  #goOn(now: Instant, subscribing: Subscribing): void {
    const { request } = subscribing;
    const key = this.#keyOf(request, request.toTag, subscribing.event);
    const here = this.#notifier.find(key);
    if (here !== undefined) return this.#refresh(now, subscribing, here, undefined);
    this.#read(now, subscribing, (at, { subscriptions }) => {
      const found = subscriptions.find((one) => one.key === key);
      if (found === undefined) return this.#door.answer(at, subscribing, 481);
      const { subscription, first } = this.#notifier.continued(withoutReach(found));
      this.#refresh(at, subscribing, subscription, first);
    });
  }

  /** `first`: what its counts go on from, if it was not this box's until now. */
  #refresh(now: Instant, subscribing: Subscribing, known: Subscription, first: number | undefined): void {
    const { request, sender, aor, expires } = subscribing;
    if (watcherOf(known) !== watcherOf({ remote: request.header("from") ?? "" }) || known.callId !== request.callId) return this.#door.answer(now, subscribing, 403, sender);
    if (request.cseq.number <= known.remoteCseq) return this.#door.answer(now, subscribing, 500, "CSeq Out Of Order");
    const expiresAt = wallTime(this.#core.wallClock() + expires * 1_000);
    const target = targetIn(request) ?? known.target;
    const subscription: Subscription = { ...known, ...this.#way(subscribing), target, remoteCseq: request.cseq.number, expiresAt };
    const change = expires === 0 ? { upserts: [], removals: [known.key] } : { upserts: [subscription], removals: [] };
    this.#core.questions.changeEvents(now, aor, { of: "subscriptions", ...change }, (at, { outcome }) => {
      if (outcome === "unavailable" && expires > 0) return this.#door.answer(at, subscribing, 503, "", [this.#core.retryAfter()]);
      this.#accept(at, subscribing, subscription);
      if (first === undefined) this.#notifier.refresh(at, subscription);
      else this.#notifier.begin(at, aor, subscription, first);
      if (expires === 0) this.#notifier.end(at, known.key, "timeout");
    });
  }

  #accept(now: Instant, { request, server, aor, expires }: Subscribing, { localTag, transport }: Subscription): void {
    const fields: NameAndValue[] = [
      ...request.headers("record-route").map((value): NameAndValue => ["Record-Route", value]),
      ["Contact", contactAt(this.#core, aor, server.source.local.host, transport)],
      ["Expires", String(expires)],
      ["Server", this.#core.settings.software],
    ];
    this.#core.transactions.respond(now, server, responseTo(request, 200, "", { toTag: localTag, fields }));
  }

  #newSubscription({ request, event, expires, server }: Subscribing): Subscription {
    const localTag = toHex(this.#core.random.bytes(8));
    const wall = this.#core.wallClock();
    return {
      key: this.#keyOf(request, localTag, event),
      package: event.definition.name,
      id: event.id,
      callId: request.callId,
      localTag,
      local: `<${request.to.uriText}>`,
      remote: request.header("from") ?? "",
      target: targetIn(request) ?? "",
      routes: request.list("record-route"),
      remoteCseq: request.cseq.number,
      startedAt: wall,
      expiresAt: wallTime(wall + expires * 1_000),
      ...this.#way({ server }),
    };
  }

  #way({ server }: Pick<Admitted, "server">): Pick<Subscription, "edge" | "flowToken" | "received" | "transport"> {
    const { back } = server;
    return { edge: this.#core.settings.nodeId, flowToken: this.#core.tokens.forFlow(back), received: back.remote, transport: back.transport };
  }

  #keyOf({ callId, fromTag }: ValidRequest, localTag: string, { definition, id }: Event): string {
    return this.#core.crypto.sha256Hex(`subscription\n${definition.name}\n${id}\n${localTag}\n${fromTag}\n${callId}`).slice(0, 24);
  }
}

const octetsOf = ({ id, callId, local, remote, target, routes, flowToken }: Subscription): number =>
  [id, callId, local, remote, target, flowToken, ...routes].reduce((sum, text) => sum + text.length, 0);

function targetIn({ contacts }: ValidRequest): string | undefined {
  return contacts === "*" ? undefined : contacts[0]?.uriText;
}

/** What is wrong with it whoever sends it. */
function refusalOf(request: ValidRequest, { definition }: Event): readonly [status: number, reason: string, fields?: readonly NameAndValue[]] | undefined {
  const { require } = request;
  if (require.length > 0) return [420, "", [["Unsupported", require.join(", ")]]];
  if (request.toTag === "" && targetIn(request) === undefined) return [400, "Missing Contact"];
  if (!accepts(request.list("accept"), definition.contentType)) return [406, "", [["Accept", definition.contentType]]];
  return undefined;
}

