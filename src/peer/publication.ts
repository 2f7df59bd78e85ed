// A box publishes its certificate in the ring (RFC 6940 section 8), by its Node-ID and by its user name: whoever
// holds what it signed, and lost the certificate, finds it there, also when the box is gone for ever. Earlier
// certificates stay beside it, since what was signed with them stays.

import { equalBytes, fromHex, fromOctets, toHex, utf8Octets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import type { Random } from "../base/random.ts";
import { after, type Duration, hours, type Instant, milliseconds, minutes } from "../base/time.ts";
import type { Entry, FetchOutcome, KindDefinition, NodeId, OverlayInput, ResourceId, StoreOutcome } from "../overlay/ports.ts";
import { CERTIFICATE_BY_NODE, CERTIFICATE_BY_USER, CERTIFICATE_LIFETIME } from "./kinds.ts";

/** After the box has come into service or has a new certificate: a ring that changes has more urgent work. */
const SETTLED = minutes(1);
const AGAIN_AFTER_FAILURE = minutes(1);
/** Between two looks at whether it still lies there. */
const LOOK_EVERY = hours(24);

interface Place {
  readonly kind: KindDefinition;
  readonly resource: ResourceId;
}

export class Publication {
  readonly #places: readonly Place[];
  readonly #random: Random;
  readonly #newTicket: () => number;
  #certificate: Uint8Array;
  #due: Instant | undefined;
  /** What is under way, and for which place. BOUNDED: by #places, which are two. */
  readonly #asked = new Map<number, Place>();

  constructor(box: { readonly nodeId: NodeId; readonly overlayName: string; readonly certificate: Uint8Array }, crypto: Crypto, random: Random, newTicket: () => number) {
    const at = (name: Uint8Array): ResourceId => toHex(crypto.sha1(name).subarray(0, 16)) as ResourceId;
    this.#places = [
      { kind: CERTIFICATE_BY_NODE, resource: at(fromHex(box.nodeId)) },
      { kind: CERTIFICATE_BY_USER, resource: at(fromOctets(utf8Octets(`${box.nodeId}@${box.overlayName}`))) },
    ];
    this.#certificate = box.certificate;
    this.#random = random;
    this.#newTicket = newTicket;
  }

  nextDeadline(): Instant | undefined {
    return this.#due;
  }

  /** The box has come into service. */
  serving(now: Instant): void {
    this.#lookAfter(now, SETTLED);
  }
  /** From here on it is another certificate (DER). */
  renewed(now: Instant, certificate: Uint8Array): void {
    this.#certificate = certificate;
    if (this.#due !== undefined) this.#lookAfter(now, SETTLED);
  }

  tick(now: Instant): readonly OverlayInput[] {
    if (this.#due === undefined || this.#due > now) return [];
    this.#lookAfter(now, LOOK_EVERY);
    return this.#places.map((place) => {
      const ticket = this.#newTicket();
      this.#asked.set(ticket, place);
      return { type: "fetch", ticket, resource: place.resource, kinds: [place.kind.id] };
    });
  }

  /** What is to be done next; `undefined`: the ticket is not one of these. */
  fetched(now: Instant, ticket: number, outcome: FetchOutcome): readonly OverlayInput[] | undefined {
    const place = this.#take(ticket);
    if (place === undefined) return undefined;
    if (!outcome.ok) this.#lookAfter(now, AGAIN_AFTER_FAILURE);
    const entries = outcome.ok ? (outcome.kinds[0]?.entries ?? []) : undefined;
    if (entries === undefined || entries.some(({ value }) => equalBytes(value, this.#certificate))) return [];
    const store = this.#newTicket();
    this.#asked.set(store, place);
    const change = { key: freeIndex(entries, place.kind.maxEntries), value: this.#certificate, lifetime: CERTIFICATE_LIFETIME };
    return [{ type: "store", ticket: store, resource: place.resource, kind: place.kind.id, changes: [change] }];
  }

  stored(now: Instant, ticket: number, outcome: StoreOutcome): readonly OverlayInput[] | undefined {
    if (this.#take(ticket) === undefined) return undefined;
    if (!outcome.ok) this.#lookAfter(now, AGAIN_AFTER_FAILURE);
    return [];
  }

  #take(ticket: number): Place | undefined {
    const place = this.#asked.get(ticket);
    this.#asked.delete(ticket);
    return place;
  }
  #lookAfter(now: Instant, delay: Duration): void {
    this.#due = after(now, milliseconds(Math.round(delay * (0.75 + this.#random.fraction() / 2))));
  }
}

/** The first place of the array that is free; of a full one that of the oldest. Eight hex digits. */
function freeIndex(entries: readonly Entry[], places: number): string {
  const taken = new Set(entries.map(({ key }) => key));
  for (let index = 0; index < places; index++) {
    const key = index.toString(16).padStart(8, "0");
    if (!taken.has(key)) return key;
  }
  return entries.reduce((oldest, entry) => (entry.storedAt < oldest.storedAt ? entry : oldest)).key;
}
