// Who watches whom, what there is to see, and which messages wait: where the SIP core's questions of them become
// operations of the overlay.
// Nothing is remembered here but which question is under way (docs/decisions/0028).

import { BoundedMap } from "../base/bounded-map.ts";
import { type Duration, milliseconds, minutes, type WallTime } from "../base/time.ts";
import type { Entry, EntryChange, FetchOutcome, KindEntries, KindId, StoreOutcome } from "../overlay/ports.ts";
import type { EventChange, EventLookup, FoundBinding, FoundEventState, FoundSubscription, KeptMessage, MessageLookup, SipEffect, SipInput } from "../sip/ports.ts";
import { decodeEventState, decodeMessage, decodeSubscription, encodeEventState, encodeMessage, encodeSubscription } from "./event-codec.ts";
import { EDGE_BINDING, EVENT_STATE, EVENT_SUBSCRIPTION, KEPT_MESSAGE, SUBSCRIBER } from "./kinds.ts";
import { bindingsIn, type LocationService, type Operation, subscriberIn } from "./location-service.ts";

export type EventQuestion = Extract<SipEffect, { type: "read-events" | "change-events" | "read-messages" | "change-messages" }>;
export type EventAnswer = Extract<SipInput, { type: "events-read" | "events-changed" | "messages-read" | "messages-changed" }>;

/** What one look brings. */
const EVENT_KINDS = [EDGE_BINDING.id, SUBSCRIBER.id, EVENT_SUBSCRIPTION.id, EVENT_STATE.id] as const;
const MESSAGE_KINDS = [EDGE_BINDING.id, KEPT_MESSAGE.id] as const;

/** Beyond it the oldest gets no answer, and is asked again or given up there. */
const EVENT_QUESTIONS_MAX = 20_000;

/** How long it is remembered that a subscription was taken away; one that came back would end with its next NOTIFY. */
const EVENT_TOMBSTONE = minutes(5);

export class EventService {
  readonly #location: LocationService;
  readonly #nextTicket: () => number;
  /** By ticket of the overlay. */
  readonly #questions = new BoundedMap<number, EventQuestion>(EVENT_QUESTIONS_MAX, "evict");

  constructor(location: LocationService, nextTicket: () => number) {
    this.#location = location;
    this.#nextTicket = nextTicket;
  }

  ask(question: EventQuestion, wall: WallTime): Operation {
    const ticket = this.#nextTicket();
    this.#questions.set(ticket, question);
    const resource = this.#location.resourceOf(question.aor);
    if (question.type === "read-events") return { type: "fetch", ticket, resource, kinds: EVENT_KINDS };
    if (question.type === "read-messages") return { type: "fetch", ticket, resource, kinds: MESSAGE_KINDS };
    if (question.type === "change-messages") return { type: "store", ticket, resource, kind: KEPT_MESSAGE.id, changes: messageChanges(question.upserts, wall) };
    const { change } = question;
    return { type: "store", ticket, resource, kind: change.of === "states" ? EVENT_STATE.id : EVENT_SUBSCRIPTION.id, changes: entryChanges(change, wall) };
  }

  /** `undefined` if the ticket is not one of its own. */
  fetched(ticket: number, outcome: FetchOutcome, wall: WallTime): EventAnswer | undefined {
    const asked = this.#take(ticket);
    if (asked === undefined) return undefined;
    const { type, ticket: of } = asked;
    if (!outcome.ok) return { type: type === "read-messages" ? "messages-read" : "events-read", ticket: of, lookup: { outcome: "unavailable" } };
    if (type === "read-messages") return { type: "messages-read", ticket: of, lookup: this.#readMessages(outcome.kinds, wall) };
    return { type: "events-read", ticket: of, lookup: this.#read(outcome.kinds, wall) };
  }

  stored(ticket: number, { ok }: StoreOutcome): EventAnswer | undefined {
    const asked = this.#take(ticket);
    if (asked === undefined) return undefined;
    const type = asked.type === "change-messages" ? "messages-changed" : "events-changed";
    return { type, ticket: asked.ticket, result: { outcome: ok ? "stored" : "unavailable" } };
  }

  #take(ticket: number): EventQuestion | undefined {
    const asked = this.#questions.get(ticket);
    this.#questions.delete(ticket);
    return asked;
  }

  #read(kinds: readonly KindEntries[], wall: WallTime): EventLookup {
    const subscriptions = entriesOf(kinds, EVENT_SUBSCRIPTION.id).flatMap(({ key, value }): FoundSubscription[] => {
      const subscription = decodeSubscription(key, value);
      if (subscription === undefined || subscription.expiresAt <= wall) return [];
      return [{ ...subscription, reach: this.#location.reach(subscription.edge) }];
    });
    const states = entriesOf(kinds, EVENT_STATE.id).flatMap(({ key, value, storedAt }): FoundEventState[] => {
      const state = decodeEventState(key, value);
      return state === undefined || state.expiresAt <= wall ? [] : [{ ...state, writtenAt: storedAt }];
    });
    const bindings = this.#bindings(kinds);
    return { outcome: "found", isUser: subscriberIn(kinds) !== undefined, subscriptions, states, bindings };
  }

  #readMessages(kinds: readonly KindEntries[], wall: WallTime): MessageLookup {
    const messages = entriesOf(kinds, KEPT_MESSAGE.id).flatMap(({ key, value }): KeptMessage[] => {
      const message = decodeMessage(key, value);
      return message === undefined || message.expiresAt <= wall ? [] : [message];
    });
    return { outcome: "found", messages, bindings: this.#bindings(kinds) };
  }

  #bindings(kinds: readonly KindEntries[]): readonly FoundBinding[] {
    return bindingsIn(kinds).map((binding) => this.#location.withReach(binding));
  }
}

const messageChanges = (upserts: readonly KeptMessage[], wall: WallTime): readonly EntryChange[] =>
  upserts.map((message) => ({ key: message.key, value: encodeMessage(message), lifetime: milliseconds(Math.max(1_000, message.expiresAt - wall)) }));

const entriesOf = (kinds: readonly KindEntries[], id: KindId): readonly Entry[] => kinds.find(({ kind }) => kind === id)?.entries ?? [];

function entryChanges(change: EventChange, wall: WallTime): readonly EntryChange[] {
  const lifetime = (expiresAt: WallTime): Duration => milliseconds(Math.max(1_000, expiresAt - wall));
  const removals = change.removals.map((key): EntryChange => ({ key, value: undefined, lifetime: EVENT_TOMBSTONE }));
  const upserts: readonly EntryChange[] =
    change.of === "states"
      ? change.upserts.map((state) => ({ key: state.key, value: encodeEventState(state), lifetime: lifetime(state.expiresAt) }))
      : change.upserts.map((one) => ({ key: one.key, value: encodeSubscription(one), lifetime: lifetime(one.expiresAt) }));
  return [...removals, ...upserts];
}
