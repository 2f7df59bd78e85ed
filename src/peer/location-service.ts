// The one place where SIP and the overlay meet. The registrar and the proxy ask where an AoR's phones
// are and say what changed; the overlay fetches and stores resources. Tickets of the one become tickets
// of the other here, and nowhere else. That meeting is P2PSIP.

import { BoundedMap } from "../base/bounded-map.ts";
import { equalBytes, fromOctets, toHex } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import { hours, milliseconds, type WallTime, wallTime } from "../base/time.ts";
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
import { ERROR } from "../overlay/wire/code-points.ts";
import { isProofUser } from "../sip/auth/proof-user.ts";
import type { Binding, FoundBinding, SipEffect, SipInput } from "../sip/ports.ts";
import { decodeBinding, encodeBinding } from "./binding-codec.ts";
import { decodeSubscription } from "./event-codec.ts";
import { type Heard, Keepsakes, type OwnBinding } from "./keepsakes.ts";
import { EDGE_BINDING, EVENT_SUBSCRIPTION, KEPT_MESSAGE, SUBSCRIBER } from "./kinds.ts";
import type { ProofUsers } from "./proof-users.ts";
import { decodeSubscriber } from "./subscriber-codec.ts";

export type LocationQuestion = Extract<SipEffect, { type: "find-user" | "change-bindings" }>;
type Lookup = Extract<SipInput, { type: "user-found" }>["lookup"];
export type LocationAnswer = Extract<SipInput, { type: "user-found" | "bindings-changed" }>;
export type Operation = Extract<OverlayInput, { type: "fetch" | "store" }>;

/** What became of an operation of ours: an answer to the SIP core if it asked, and what has to be stored. */
export interface Settled {
  readonly answer: LocationAnswer | undefined;
  readonly operations: readonly Operation[];
  /** To be asked once more, otherwise. */
  readonly again?: Operation;
}

interface Question {
  /** Absent for what this box does of itself. */
  readonly sipTicket: number | undefined;
  readonly aor: string;
  readonly resource: ResourceId;
  readonly changes: readonly EntryChange[];
  readonly heard: readonly Heard[];
  /** Whether a REGISTER asks. */
  readonly forRegister?: boolean;
}

/** Kinds that one look-up brings. */
const USER_KINDS = [EDGE_BINDING.id, SUBSCRIBER.id] as const;
const REGISTER_KINDS = [...USER_KINDS, KEPT_MESSAGE.id, EVENT_SUBSCRIPTION.id] as const;

/** How long the removal of a binding is remembered: as long as the longest binding lives in the ring, so that no copy undoes it. */
const BINDING_TOMBSTONE = hours(4);

/** A binding lives so many times longer in the ring than its phone was promised: until half of it is gone, refreshes that change nothing need not be stored. */
const LIVES = 2;

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
  readonly proofUsers: ProofUsers;
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

  /** The overlay operation that answers a question of the SIP core, or the answer itself. */
  ask(question: LocationQuestion, wall: WallTime): Operation | LocationAnswer {
    const { aor } = question;
    const resource = this.resourceOf(aor);
    if (question.type === "find-user") return this.#fetch({ sipTicket: question.ticket, aor, resource, changes: [], heard: [], forRegister: question.forRegister === true });
    const { upserts, removals } = question.changes;
    if (isProofUser(aor)) {
      this.#surroundings.proofUsers.change(aor, question.changes);
      return { type: "bindings-changed", ticket: question.ticket, result: { outcome: "stored" } };
    }
    const heard = upserts.map(({ key, cseq, expiresAt }) => ({ key, cseq, registeredUntil: expiresAt, expiresAt: endInRing(expiresAt, wall) }));
    if (removals.length === 0 && upserts.length > 0 && this.#changesNothing(aor, upserts)) {
      this.#keepsakes.refreshed(aor, heard, wall);
      return { type: "bindings-changed", ticket: question.ticket, result: { outcome: "stored" } };
    }
    const changes: EntryChange[] = removals.map(removal);
    for (const binding of upserts) changes.push(upsert(aor, binding, wall));
    return this.#store({ sipTicket: question.ticket, aor, resource, changes, heard }, EDGE_BINDING.id);
  }

  /**
   * Whether the ring has these bindings already, as this box wrote them, and for as long as the phone is promised now.
   * The look-up that comes before each change has just told: what another box wrote since, or took away, is not among ours.
   */
  #changesNothing(aor: string, upserts: readonly Binding[]): boolean {
    const own = this.#keepsakes.own(aor);
    return upserts.every((binding) => {
      const stored = own.find(({ entry }) => entry.key === binding.key);
      if (stored === undefined || stored.expiresAt < binding.expiresAt) return false;
      const unchanged = encodeBinding(aor, { ...binding, cseq: stored.storedCseq, expiresAt: stored.expiresAt });
      return equalBytes(unchanged, stored.entry.value);
    });
  }

  /** Users with a binding of this box that has run out: looking them up takes it from the ring. */
  ended(wall: WallTime): Operation[] {
    const operations: Operation[] = [];
    for (let aor = this.#keepsakes.takeEnded(wall); aor !== undefined; aor = this.#keepsakes.takeEnded(wall)) {
      if (this.#keepsakes.own(aor).length > 0) operations.push(this.lookUp(aor));
    }
    return operations;
  }
  nextEnd(): WallTime | undefined {
    return this.#keepsakes.nextEnd();
  }

  /** Users with phones at this box who may be lost to the ring: looking them up puts it right. */
  orphans(wall: WallTime): readonly string[] {
    const { self } = this.#surroundings;
    return this.#keepsakes.orphans((holder) => holder === self || this.#surroundings.reachable(holder) !== undefined, wall);
  }

  /** Users whom another half of the ring may know at another box, though their phones were here last. */
  refreshedHere(wall: WallTime): readonly string[] {
    return this.#keepsakes.refreshedHere(wall);
  }

  lookUp(aor: string): Operation {
    return this.#fetch({ sipTicket: undefined, aor, resource: this.resourceOf(aor), changes: [], heard: [] });
  }

  /** `undefined` if the ticket is not one of its own. */
  fetched(ticket: number, outcome: FetchOutcome, wall: WallTime): Settled | undefined {
    const question = this.#take(ticket);
    if (question === undefined) return undefined;
    const { sipTicket, aor, resource } = question;
    // A box of an earlier version has never heard of messages and watchers.
    const isStrange = !outcome.ok && outcome.fault.reason === "refused" && outcome.fault.code === ERROR.Error_Unknown_Kind;
    if (isStrange && question.forRegister === true) return { ...NOTHING, again: this.#fetch({ ...question, forRegister: false }) };
    if (!outcome.ok) return { answer: found(sipTicket, { outcome: "unavailable" }), operations: [] };
    if (isProofUser(aor)) return { answer: this.#foundProofUser(sipTicket, aor, wall), operations: [] };
    const holders = this.#surroundings.holders(resource);
    const { kinds, gifts } = this.#keepsakes.read(aor, holders, outcome.kinds, wall);
    const own = this.#keepsakes.own(aor);
    const bindings = bindingsIn(kinds).map((binding) => this.withReach(asHeard(binding, own)));
    const over = sipTicket === undefined ? endings(own, kinds, wall) : [];
    const writes = over.length === 0 ? gifts : [...gifts, { kind: EDGE_BINDING.id, changes: over }];
    return {
      answer: found(sipTicket, { outcome: "found", credentials: subscriberIn(kinds), bindings, ...askedBesides(outcome.kinds) }),
      operations: writes.map(({ kind, changes }) => this.#store({ sipTicket: undefined, aor, resource, changes, heard: [] }, kind)),
    };
  }

  stored(ticket: number, outcome: StoreOutcome, wall: WallTime): Settled | undefined {
    const question = this.#take(ticket);
    if (question === undefined) return undefined;
    const { sipTicket, aor, resource, changes, heard } = question;
    if (sipTicket === undefined) return NOTHING;
    if (outcome.ok) this.#keepsakes.wrote(aor, this.#surroundings.holders(resource), changes, heard, wall);
    return { answer: { type: "bindings-changed", ticket: sipTicket, result: { outcome: outcome.ok ? "stored" : "unavailable" } }, operations: [] };
  }

  #foundProofUser(ticket: number | undefined, aor: string, wall: WallTime): LocationAnswer | undefined {
    const { proofUsers } = this.#surroundings;
    const bindings = proofUsers.bindings(aor, wall).map((binding) => this.withReach(binding));
    return found(ticket, { outcome: "found", credentials: proofUsers.credentials(aor), bindings });
  }

  /** Bindings of phones that hang on this box, as they registered last. */
  flows(wall: WallTime): { readonly aor: string; readonly binding: Binding }[] {
    return this.#keepsakes.living(wall).flatMap(({ entry: { key, value }, cseq, registeredUntil }) => {
      const stored = decodeBinding(key, value);
      return stored === undefined ? [] : [{ aor: stored.aor, binding: { ...stored.binding, cseq, expiresAt: registeredUntil } }];
    });
  }

  #fetch(question: Question): Operation {
    return { type: "fetch", ticket: this.#note(question), resource: question.resource, kinds: question.forRegister === true ? REGISTER_KINDS : USER_KINDS };
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
    return { ...binding, reach: this.reach(binding.edge) };
  }

  /** The way to a box by its Node-ID. */
  reach(edge: string): FoundBinding["reach"] {
    if (edge === this.#surroundings.self) return { at: "here" };
    const member = this.#surroundings.reachable(edge as NodeId);
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
  const expiresAt = endInRing(binding.expiresAt, wall);
  return { key: binding.key, value: encodeBinding(aor, { ...binding, expiresAt }), lifetime: milliseconds(expiresAt - wall) };
}

const endInRing = (registeredUntil: WallTime, wall: WallTime): WallTime => wallTime(wall + LIVES * Math.max(0, registeredUntil - wall));

/** A binding of this box as its phone refreshed it last: the ring need not know of it. */
function asHeard(binding: Binding, own: readonly OwnBinding[]): Binding {
  const kept = own.find(({ entry }) => entry.key === binding.key);
  return kept === undefined ? binding : { ...binding, cseq: kept.cseq, expiresAt: kept.registeredUntil };
}

/** The end of what this box wrote and no phone refreshed: a moment later than the write, so that it yields to whatever came since. */
function endings(own: readonly OwnBinding[], kinds: readonly KindEntries[], wall: WallTime): EntryChange[] {
  const entries = kinds.find(({ kind }) => kind === EDGE_BINDING.id)?.entries ?? [];
  return own.flatMap(({ entry: { key }, registeredUntil }) => {
    const stored = entries.find((entry) => entry.key === key);
    return stored === undefined || registeredUntil > wall ? [] : [{ ...removal(key), storedAt: wallTime(stored.storedAt + 1) }];
  });
}

function askedBesides(kinds: readonly KindEntries[]): { readonly hasMessages: boolean; readonly isWatched: boolean } {
  const entriesOf = (id: KindId) => kinds.find(({ kind }) => kind === id)?.entries ?? [];
  const concerns = (name: string | undefined): boolean => name === "presence" || name === "reg";
  return {
    hasMessages: entriesOf(KEPT_MESSAGE.id).length > 0,
    isWatched: entriesOf(EVENT_SUBSCRIPTION.id).some(({ key, value }) => concerns(decodeSubscription(key, value)?.package)),
  };
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
