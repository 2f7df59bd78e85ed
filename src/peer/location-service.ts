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
  KindId,
  NodeId,
  OverlayInput,
  PeerInfo,
  ResourceId,
  StoreOutcome,
} from "../overlay/ports.ts";
import type { Binding, FoundBinding, SipEffect, SipInput } from "../sip/ports.ts";
import { decodeBinding, encodeBinding } from "./binding-codec.ts";
import { Keepsakes } from "./keepsakes.ts";
import { EDGE_BINDING, SUBSCRIBER } from "./kinds.ts";
import { decodeSubscriber } from "./subscriber-codec.ts";

export type LocationQuestion = Extract<SipEffect, { type: "find-user" | "change-bindings" }>;
type Lookup = Extract<SipInput, { type: "user-found" }>["lookup"];
export type LocationAnswer = Extract<SipInput, { type: "user-found" | "bindings-changed" }>;
export type Operation = Extract<OverlayInput, { type: "fetch" | "store" }>;

/** What became of an operation of ours: an answer to the SIP core if it asked, and what has to be stored. */
export interface Settled {
  readonly answer: LocationAnswer | undefined;
  readonly operations: readonly Operation[];
}

interface Question {
  /** Absent for what this box does of itself. */
  readonly sipTicket: number | undefined;
  readonly aor: string;
  readonly resource: ResourceId;
  readonly changes: readonly EntryChange[];
}

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
  /** Who holds a resource now. */
  holders(resource: ResourceId): readonly NodeId[];
  nextTicket(): number;
}

export class LocationService {
  readonly #crypto: Crypto;
  readonly #surroundings: Surroundings;
  readonly #resources = new BoundedMap<string, ResourceId>(RESOURCES_MAX, "evict");
  readonly #questions = new BoundedMap<number, Question>(QUESTIONS_MAX, "evict");
  readonly #keepsakes = new Keepsakes();

  constructor(crypto: Crypto, surroundings: Surroundings) {
    this.#crypto = crypto;
    this.#surroundings = surroundings;
  }

  /** The overlay operation that answers a question of the SIP core. */
  ask(question: LocationQuestion, wall: WallTime): Operation {
    const { aor } = question;
    const resource = this.resourceOf(aor);
    if (question.type === "find-user") return this.#fetch({ sipTicket: question.ticket, aor, resource, changes: [] });
    const changes: EntryChange[] = question.changes.removals.map(removal);
    for (const binding of question.changes.upserts) changes.push(upsert(aor, binding, wall));
    return this.#store({ sipTicket: question.ticket, aor, resource, changes }, EDGE_BINDING.id);
  }

  /** Users with phones at this box who may be lost to the ring: looking them up puts it right. */
  orphans(wall: WallTime): readonly string[] {
    const { self } = this.#surroundings;
    return this.#keepsakes.orphans((holder) => holder === self || this.#surroundings.reachable(holder) !== undefined, wall);
  }

  lookUp(aor: string): Operation {
    return this.#fetch({ sipTicket: undefined, aor, resource: this.resourceOf(aor), changes: [] });
  }

  /** `undefined` if the ticket is not one of its own. */
  fetched(ticket: number, outcome: FetchOutcome, wall: WallTime): Settled | undefined {
    const question = this.#take(ticket);
    if (question === undefined) return undefined;
    const { sipTicket, aor, resource } = question;
    if (!outcome.ok) return { answer: found(sipTicket, { outcome: "unavailable" }), operations: [] };
    const holders = this.#surroundings.holders(resource);
    const { kinds, gifts } = this.#keepsakes.read(aor, holders, outcome.kinds, wall);
    const bindings = bindingsIn(kinds).map((binding) => this.withReach(binding));
    return {
      answer: found(sipTicket, { outcome: "found", credentials: subscriberIn(kinds), bindings }),
      operations: gifts.map(({ kind, changes }) => this.#store({ sipTicket: undefined, aor, resource, changes }, kind)),
    };
  }

  stored(ticket: number, outcome: StoreOutcome, wall: WallTime): Settled | undefined {
    const question = this.#take(ticket);
    if (question === undefined) return undefined;
    const { sipTicket, aor, resource, changes } = question;
    if (sipTicket === undefined) return NOTHING;
    if (outcome.ok) this.#keepsakes.wrote(aor, this.#surroundings.holders(resource), changes, wall);
    return { answer: { type: "bindings-changed", ticket: sipTicket, result: { outcome: outcome.ok ? "stored" : "unavailable" } }, operations: [] };
  }

  #fetch(question: Question): Operation {
    return { type: "fetch", ticket: this.#note(question), resource: question.resource, kinds: USER_KINDS };
  }
  #store(question: Question, kind: KindId): Operation {
    return { type: "store", ticket: this.#note(question), resource: question.resource, kind, changes: question.changes };
  }
  #note(question: Question): number {
    const ticket = this.#surroundings.nextTicket();
    this.#questions.set(ticket, question);
    return ticket;
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

  #take(ticket: number): Question | undefined {
    const question = this.#questions.get(ticket);
    this.#questions.delete(ticket);
    return question;
  }
}

const NOTHING: Settled = { answer: undefined, operations: [] };

const found = (ticket: number | undefined, lookup: Lookup): LocationAnswer | undefined =>
  ticket === undefined ? undefined : { type: "user-found", ticket, lookup };

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
