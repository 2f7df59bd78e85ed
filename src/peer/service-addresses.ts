// Which service addresses this box holds: its own while it serves, and those of dead boxes on its link whose turn it
// is to take. Who takes is not talked over: it is the first box on the ring, clockwise from the dead one, that has a
// service address on that link itself; the next ones wait a little longer each, and the probe that `io` makes before an
// address is used tells them that somebody has it. docs/decisions/0029-service-addresses.md.

import type { Crypto } from "../base/crypto.ts";
import { after, type Duration, earliest, hours, type Instant, milliseconds, seconds } from "../base/time.ts";
import type { FetchOutcome, NodeId, OverlayInput, ResourceId, StoreOutcome } from "../overlay/ports.ts";
import { SERVICE_ADDRESS, SERVICE_LIFETIME } from "./kinds.ts";
import type { ServiceAddressReport } from "./reports.ts";
import { decodeServiceEntry, encodeServiceEntry, type ServiceEntry, serviceKey, serviceResource } from "./service-entry.ts";

/** How it stands with one address at this box. */
export type ServiceAddressState =
  /** Not here, and not asked for. */
  | "idle"
  /** `io` looks whether anybody has it, and puts it up if not. */
  | "asking"
  | "held";

type Trigger =
  /** It is this box's turn. */
  | "take"
  /** It is not, or not any more. */
  | "drop"
  | "held"
  /** Somebody else has it, or it could not be put up. */
  | "busy"
  /** It was held, and is not any more. */
  | "lost";

interface Cell {
  readonly next: ServiceAddressState;
  readonly actions: readonly ("ask" | "release" | "wait")[];
}

export const SERVICE_ADDRESS_TRANSITIONS = {
  idle: {
    take: { next: "asking", actions: ["ask"] },
    drop: { next: "idle", actions: [] },
    // Dropped while `io` was about to have it.
    held: { next: "idle", actions: ["release"] },
    busy: { next: "idle", actions: [] },
    lost: { next: "idle", actions: [] },
  },
  asking: {
    take: { next: "asking", actions: [] },
    drop: { next: "idle", actions: ["release"] },
    held: { next: "held", actions: [] },
    busy: { next: "idle", actions: ["wait"] },
    lost: { next: "idle", actions: ["wait"] },
  },
  held: {
    take: { next: "held", actions: [] },
    drop: { next: "idle", actions: ["release"] },
    held: { next: "held", actions: [] },
    busy: { next: "held", actions: [] },
    lost: { next: "idle", actions: ["wait"] },
  },
} as const satisfies Record<ServiceAddressState, Record<Trigger, Cell>>;

/** How `io` found an address, or what became of it. `link`: the prefix of the link that it is on, as far as that is known. */
export type ServiceAddressEvent =
  | { readonly type: "service-address"; readonly address: string; readonly state: "held"; readonly link: string }
  /** `conflict`: this box holds it, and another one answers for it too. */
  | { readonly type: "service-address"; readonly address: string; readonly state: "busy" | "lost" | "conflict" };

export type ServiceAddressEffect =
  /** Put it up if nobody has it (answered by `held` or `busy`), or take it down. */
  | { readonly type: "service-address"; readonly address: string; readonly wanted: boolean }
  /** All that are known on the links of this box, those of other boxes included: what its certificate is to cover. */
  | { readonly type: "service-addresses-known"; readonly addresses: readonly string[] };

/** What has to be done; operations go to the overlay. */
export interface ServiceStep {
  readonly operations: readonly OverlayInput[];
  readonly effects: readonly ServiceAddressEffect[];
}

export interface ServiceSettings {
  readonly self: NodeId;
  readonly sipPort: number;
  /** Numeric. */
  readonly addresses: readonly string[];
}

/** What must be known of the ring. */
export interface ServiceSurroundings {
  /** In the ring, and heard. */
  serves(nodeId: NodeId): boolean;
  /** Not given up: what is between the two takes nothing and drops nothing. */
  isReachable(nodeId: NodeId): boolean;
  nextTicket(): number;
}

/** Between two looks at who holds what. */
const LOOK_EVERY = milliseconds(500);
/** Between two readings of what the other boxes of the link have written. */
const READ_EVERY = seconds(10);
/** The box that is next in turn waits so much longer, and the one after it twice as long. */
const TURN = seconds(3);
/** The kernel of a box that only lost its process takes so long to let the address go. */
const LETTING_GO = milliseconds(100);
const RETRY_FIRST = milliseconds(500);
const RETRY_LONGEST = seconds(8);
/** The owner asks this often: whoever has its address steps down when it serves. */
const RETRY_OWN = milliseconds(500);
/** An entry is written again this long before it ends, at the latest. */
const WRITTEN_AGAIN = hours(24);
/** BOUNDED: addresses of one link; what comes after these is not taken over. */
const KNOWN_MAX = 256;

interface Place {
  readonly address: string;
  state: ServiceAddressState;
  /** Not before. */
  retryAt: Instant | undefined;
  retry: Duration;
  /** When its owner was missed first. */
  missedAt: Instant | undefined;
}

export class ServiceAddresses {
  readonly #settings: ServiceSettings;
  readonly #surroundings: ServiceSurroundings;
  readonly #crypto: Crypto;
  /** By address. BOUNDED: by the own addresses and KNOWN_MAX. */
  readonly #places = new Map<string, Place>();
  /** Of links, once an own address is up there: their dictionaries. BOUNDED: by the own addresses. */
  readonly #links = new Map<string, ResourceId>();
  /** What the others wrote, by the link. BOUNDED: by the links, KNOWN_MAX each. */
  readonly #known = new Map<string, readonly ServiceEntry[]>();
  readonly #own: ReadonlyMap<string, ServiceEntry>;
  /** Readings under way. BOUNDED: one a link, and those that are not answered end after an operation's time. */
  readonly #asked = new Map<number, string>();
  readonly #stores = new Set<number>();
  #isServing = false;
  #nextLook: Instant | undefined;
  #nextReading: Instant | undefined;
  #writtenAt: Instant | undefined;
  #operations: OverlayInput[] = [];
  #effects: ServiceAddressEffect[] = [];

  constructor(settings: ServiceSettings, surroundings: ServiceSurroundings, crypto: Crypto) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#crypto = crypto;
    const { self: owner, sipPort } = settings;
    this.#own = new Map(settings.addresses.map((address) => [address, { owner, sipPort, address }]));
  }

  /** Those that phones reach this box by now, its own first. */
  get held(): readonly string[] {
    const held = [...this.#places.values()].filter(({ state }) => state === "held").map(({ address }) => address);
    return held.sort((a, b) => Number(this.#own.has(b)) - Number(this.#own.has(a)));
  }

  /** All of them on the links of this box. */
  get known(): readonly string[] {
    return [...new Set([...this.#own.keys(), ...this.#others().map(({ address }) => address)])];
  }

  get report(): readonly ServiceAddressReport[] {
    return this.known.map((address) => ({ address, own: this.#own.has(address), held: this.#places.get(address)?.state === "held" }));
  }

  nextDeadline(): Instant | undefined {
    return earliest(this.#nextLook, this.#nextReading);
  }

  /** Whether this box is in the ring and answers for its phones. */
  setServing(now: Instant, isServing: boolean): ServiceStep {
    if (isServing !== this.#isServing) {
      this.#isServing = isServing;
      this.#look(now);
    }
    return this.#step();
  }

  /** Somebody came or went. */
  looked(now: Instant): ServiceStep {
    this.#look(now);
    return this.#step();
  }

  tick(now: Instant): ServiceStep {
    if (this.#nextReading !== undefined && this.#nextReading <= now) this.#read(now);
    if (this.#nextLook !== undefined && this.#nextLook <= now) this.#look(now);
    return this.#step();
  }

  told(now: Instant, event: ServiceAddressEvent): ServiceStep {
    const place = this.#places.get(event.address);
    if (place !== undefined && event.state === "conflict") this.#settle(now, place);
    else if (place !== undefined && event.state !== "conflict") this.#turn(now, place, event.state);
    if (place !== undefined && event.state === "held" && this.#own.has(event.address)) this.#learnLink(now, event.link);
    return this.#step();
  }

  /** `undefined`: the ticket is not one of these. */
  fetched(now: Instant, ticket: number, outcome: FetchOutcome): ServiceStep | undefined {
    const link = this.#asked.get(ticket);
    if (link === undefined) return undefined;
    this.#asked.delete(ticket);
    if (outcome.ok) {
      const entries = (outcome.kinds[0]?.entries ?? []).map(decodeServiceEntry).filter((entry) => entry !== undefined);
      this.#known.set(link, entries.slice(0, KNOWN_MAX));
      this.#effects.push({ type: "service-addresses-known", addresses: this.known });
      this.#write(now, link, entries);
      this.#look(now);
    }
    return this.#step();
  }
  stored(now: Instant, ticket: number, outcome: StoreOutcome): ServiceStep | undefined {
    if (!this.#stores.delete(ticket)) return undefined;
    if (!outcome.ok) this.#writtenAt = undefined;
    this.#nextReading = earliest(this.#nextReading, after(now, seconds(1)));
    return this.#step();
  }

  #learnLink(now: Instant, link: string): void {
    if (!this.#links.has(link)) this.#links.set(link, serviceResource(this.#crypto, link));
    this.#nextReading = now;
  }

  #read(now: Instant): void {
    this.#nextReading = this.#isServing ? after(now, READ_EVERY) : undefined;
    if (!this.#isServing) return;
    this.#asked.clear();
    for (const [link, resource] of this.#links) {
      const ticket = this.#surroundings.nextTicket();
      this.#asked.set(ticket, link);
      this.#operations.push({ type: "fetch", ticket, resource, kinds: [SERVICE_ADDRESS.id] });
    }
  }

  /** Own addresses that the ring does not know, or not for much longer. */
  #write(now: Instant, link: string, entries: readonly ServiceEntry[]): void {
    const resource = this.#links.get(link);
    const isDue = this.#writtenAt === undefined || now - this.#writtenAt >= WRITTEN_AGAIN;
    const missing = [...this.#own.values()].filter(
      (own) => this.#places.get(own.address)?.state === "held" && (isDue || !entries.some((entry) => serviceKey(entry) === serviceKey(own))),
    );
    if (resource === undefined || missing.length === 0) return;
    this.#writtenAt = now;
    const ticket = this.#surroundings.nextTicket();
    this.#stores.clear();
    this.#stores.add(ticket);
    const changes = missing.map((own) => ({ key: serviceKey(own), value: encodeServiceEntry(own), lifetime: SERVICE_LIFETIME }));
    this.#operations.push({ type: "store", ticket, resource, kind: SERVICE_ADDRESS.id, changes });
  }

  // Whose turn it is

  #look(now: Instant): void {
    this.#nextLook = this.#isServing ? after(now, LOOK_EVERY) : undefined;
    if (this.#isServing && this.#nextReading === undefined) this.#nextReading = now;
    for (const address of this.#own.keys()) this.#decide(now, address, this.#isServing ? "take" : "drop");
    const others = Map.groupBy(this.#others(), ({ address }) => address);
    for (const [address, owners] of others) this.#decide(now, address, this.#isServing ? this.#judge(now, address, owners) : "drop");
    for (const { address } of this.#places.values()) if (!others.has(address) && !this.#own.has(address)) this.#decide(now, address, "drop");
  }

  #others(): readonly ServiceEntry[] {
    return [...this.#known.values()].flat().filter(({ address }) => !this.#own.has(address));
  }

  #judge(now: Instant, address: string, owners: readonly ServiceEntry[]): Extract<Trigger, "take" | "drop"> | undefined {
    const place = this.#place(address);
    if (owners.some(({ owner }) => this.#surroundings.serves(owner))) {
      place.missedAt = undefined;
      place.retry = RETRY_FIRST;
      return "drop";
    }
    const [missed] = owners;
    if (missed === undefined || owners.some(({ owner }) => this.#surroundings.isReachable(owner))) return undefined;
    place.missedAt ??= now;
    const turn = this.#turnOf(missed);
    return turn !== undefined && now >= after(place.missedAt, milliseconds(LETTING_GO + turn * TURN)) ? "take" : undefined;
  }

  /** How many boxes come before this one; `undefined`: it may not take the address at all. */
  #turnOf(missed: ServiceEntry): number | undefined {
    const link = [...this.#known].find(([, entries]) => entries.includes(missed));
    const willing = (link?.[1] ?? []).filter(({ owner, sipPort }) => sipPort === missed.sipPort && this.#surroundings.serves(owner));
    const inOrder = [...new Set(willing.map(({ owner }) => owner))].sort((a, b) => (clockwise(missed.owner, a) < clockwise(missed.owner, b) ? -1 : 1));
    const turn = inOrder.indexOf(this.#settings.self);
    return turn < 0 ? undefined : turn;
  }

  /** Another machine answers for an address that this box holds: it yields unless it is the owner, or the one whose turn it is. */
  #settle(now: Instant, place: Place): void {
    if (this.#own.has(place.address)) return;
    const missed = this.#others().find(({ address }) => address === place.address);
    if (missed === undefined || this.#turnOf(missed) !== 0) {
      place.retry = RETRY_LONGEST;
      this.#turn(now, place, "drop");
    }
  }

  #decide(now: Instant, address: string, trigger: Extract<Trigger, "take" | "drop"> | undefined): void {
    if (trigger === undefined) return;
    const place = this.#place(address);
    if (trigger === "take" && place.retryAt !== undefined && place.retryAt > now) return;
    this.#turn(now, place, trigger);
  }

  #place(address: string): Place {
    const known = this.#places.get(address);
    if (known !== undefined) return known;
    const place: Place = { address, state: "idle", retryAt: undefined, retry: RETRY_FIRST, missedAt: undefined };
    this.#places.set(address, place);
    return place;
  }

  #turn(now: Instant, place: Place, trigger: Trigger): void {
    const { next, actions }: Cell = SERVICE_ADDRESS_TRANSITIONS[place.state][trigger];
    place.state = next;
    if (next === "held") place.retry = RETRY_FIRST;
    for (const action of actions) {
      if (action === "wait") this.#wait(now, place);
      else this.#effects.push({ type: "service-address", address: place.address, wanted: action === "ask" });
    }
  }

  #wait(now: Instant, place: Place): void {
    const isOwn = this.#own.has(place.address);
    place.retryAt = after(now, isOwn ? RETRY_OWN : place.retry);
    place.retry = milliseconds(Math.min(2 * place.retry, RETRY_LONGEST));
  }

  #step(): ServiceStep {
    const step = { operations: this.#operations, effects: this.#effects };
    this.#operations = [];
    this.#effects = [];
    return step;
  }
}

/** Orders Node-IDs by how far they are clockwise from a place. */
const clockwise = (from: NodeId, to: NodeId): string => `${to > from ? "0" : "1"}${to}`;
