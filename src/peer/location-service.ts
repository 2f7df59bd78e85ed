// The one place where SIP and the overlay meet. The registrar and the proxy ask where an AoR's phones
// are and say what changed; the overlay fetches and stores resources. Tickets of the one become tickets
// of the other here, and nowhere else. That meeting is P2PSIP.

import { BoundedMap } from "../base/bounded-map.ts";
import { fromOctets, toHex } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import { hours, milliseconds, type WallTime } from "../base/time.ts";
import type {
  EntryChange,
  FetchOutcome,
  KindEntries,
  NodeId,
  OverlayInput,
  PeerInfo,
  ResourceId,
  StoreOutcome,
} from "../overlay/ports.ts";
import type { Binding, FoundBinding, SipEffect, SipInput } from "../sip/ports.ts";
import { decodeBinding, encodeBinding } from "./binding-codec.ts";
import { EDGE_BINDING, SUBSCRIBER } from "./kinds.ts";
import { decodeSubscriber } from "./subscriber-codec.ts";

export type LocationQuestion = Extract<SipEffect, { type: "find-user" | "change-bindings" }>;
export type LocationAnswer = Extract<SipInput, { type: "user-found" | "bindings-changed" }>;
type Operation = Extract<OverlayInput, { type: "fetch" | "store" }>;

/** Kinds that one look-up brings. */
const USER_KINDS = [EDGE_BINDING.id, SUBSCRIBER.id] as const;

/** How long the removal of a binding is remembered at least, so that a copy from a cut-off box cannot undo it. */
const BINDING_TOMBSTONE = hours(2);

/** BOUNDED: by the SIP core's own bound on transactions; beyond it the oldest question gets no answer and times out there. */
const QUESTIONS_MAX = 50_000;

/** AoRs whose Resource-IDs are remembered: each REGISTER and each call asks for one twice. Beyond it the oldest is forgotten. */
const RESOURCES_MAX = 10_000;

/** What the location service must know of the ring to say how a flow owner is reached. */
export interface Surroundings {
  readonly self: NodeId;
  /** The member's description while it can be reached; `undefined` when it is gone or was never known. */
  reachable(nodeId: NodeId): PeerInfo | undefined;
}

export class LocationService {
  readonly #crypto: Crypto;
  readonly #surroundings: Surroundings;
  readonly #resources = new BoundedMap<string, ResourceId>(RESOURCES_MAX, "evict");
  readonly #sipTickets = new BoundedMap<number, number>(QUESTIONS_MAX, "evict");

  constructor(crypto: Crypto, surroundings: Surroundings) {
    this.#crypto = crypto;
    this.#surroundings = surroundings;
  }

  /** The overlay operation that answers a question of the SIP core; `ticket` names it. */
  ask(question: LocationQuestion, ticket: number, wall: WallTime): Operation {
    this.#sipTickets.set(ticket, question.ticket);
    const resource = this.resourceOf(question.aor);
    if (question.type === "find-user") return { type: "fetch", ticket, resource, kinds: USER_KINDS };
    const changes: EntryChange[] = question.changes.removals.map(removal);
    for (const binding of question.changes.upserts) changes.push(upsert(question.aor, binding, wall));
    return { type: "store", ticket, resource, kind: EDGE_BINDING.id, changes };
  }

  /** The answer to the SIP core, or `undefined` if the ticket is not one of its questions. */
  fetched(ticket: number, outcome: FetchOutcome): LocationAnswer | undefined {
    const sipTicket = this.#take(ticket);
    if (sipTicket === undefined) return undefined;
    if (!outcome.ok) return { type: "user-found", ticket: sipTicket, lookup: { outcome: "unavailable" } };
    return {
      type: "user-found",
      ticket: sipTicket,
      lookup: {
        outcome: "found",
        credentials: subscriberIn(outcome.kinds),
        bindings: bindingsIn(outcome.kinds).map((binding) => this.withReach(binding)),
      },
    };
  }

  stored(ticket: number, outcome: StoreOutcome): LocationAnswer | undefined {
    const sipTicket = this.#take(ticket);
    if (sipTicket === undefined) return undefined;
    return {
      type: "bindings-changed",
      ticket: sipTicket,
      result: { outcome: outcome.ok ? "stored" : "unavailable" },
    };
  }

  /** Resource-ID of an AoR (RFC 6940 section 10.2, RFC 7904 section 2: `user@domain`, no scheme). */
  resourceOf(aor: string): ResourceId {
    const known = this.#resources.get(aor);
    if (known !== undefined) return known;
    const resource = toHex(this.#crypto.sha1(fromOctets(aor)).subarray(0, 16)) as ResourceId;
    this.#resources.set(aor, resource);
    return resource;
  }

  withReach(binding: Binding): FoundBinding {
    return { ...binding, reach: this.#reach(binding.edge as NodeId) };
  }

  #reach(edge: NodeId): FoundBinding["reach"] {
    if (edge === this.#surroundings.self) return { at: "here" };
    const member = this.#surroundings.reachable(edge);
    return member === undefined ? { at: "gone" } : { at: "elsewhere", box: member.sip };
  }

  #take(ticket: number): number | undefined {
    const sipTicket = this.#sipTickets.get(ticket);
    this.#sipTickets.delete(ticket);
    return sipTicket;
  }
}

const removal = (key: string): EntryChange => ({ key, value: undefined, lifetime: BINDING_TOMBSTONE });

function upsert(aor: string, binding: Binding, wall: WallTime): EntryChange {
  const lifetime = milliseconds(Math.max(0, binding.expiresAt - wall));
  return { key: binding.key, value: encodeBinding(aor, binding), lifetime };
}

export function subscriberIn(kinds: readonly KindEntries[]) {
  const value = kinds.find(({ kind }) => kind === SUBSCRIBER.id)?.entries[0]?.value;
  return value === undefined ? undefined : decodeSubscriber(value);
}

/** Bindings in the order of their keys; values of another version are passed over. */
export function bindingsIn(kinds: readonly KindEntries[]): Binding[] {
  const entries = kinds.find(({ kind }) => kind === EDGE_BINDING.id)?.entries ?? [];
  const bindings: Binding[] = [];
  for (const { key, value } of entries) {
    const stored = decodeBinding(key, value);
    if (stored !== undefined) bindings.push(stored.binding);
  }
  return bindings;
}
