// What a REGISTER changes (RFC 3261 10.3 steps 6 and 7, RFC 5626 6, RFC 3327): decided as a whole from
// the request and the bindings there are; nothing is done here.

import type { Crypto } from "../../base/crypto.ts";
import { fromOctets, toHex } from "../../base/bytes.ts";
import type { Address } from "../../base/address.ts";
import { type Duration, milliseconds, seconds, type WallTime, wallAfter } from "../../base/time.ts";
import { CORE_LIMITS } from "../limits.ts";
import type { ValidRequest } from "../message/message.ts";
import { type NameAddress, parseQ } from "../message/name-address.ts";
import { type Parameter, parameterValue, serializeParameters } from "../message/parameters.ts";
import { parseUri } from "../message/uri.ts";
import { sameUri, uriKey } from "../message/uri-compare.ts";
import type { Binding, BindingChanges, SipSettings, TransportName } from "../ports.ts";

/** Phones that came together, after a power cut, would come together ever after: what is longer than this… */
const SPREAD_FROM = seconds(600);
/** …is granted shortened by up to this share, by luck. */
const SPREAD = 0.1;

/** Where this REGISTER came from, as the bindings remember it. */
export interface Origin {
  readonly wall: WallTime;
  readonly edge: string;
  readonly flowToken: string;
  readonly received: Address;
  readonly transport: TransportName;
  readonly isRewritten: boolean;
  readonly securePort: number | undefined;
  /** 0 to 1, by luck: how much of what may be taken off the expiry is. */
  readonly shortening: number;
}

export type RegistrationPlan =
  | { readonly type: "refuse"; readonly status: number; readonly reason: string; readonly minimumExpires?: number }
  | { readonly type: "list"; readonly bindings: readonly Binding[] }
  | { readonly type: "change"; readonly changes: BindingChanges; readonly bindings: readonly Binding[] };

const refuse = (status: number, reason: string): RegistrationPlan => ({ type: "refuse", status, reason });

export function planRegistration(
  request: ValidRequest,
  stored: readonly Binding[],
  origin: Origin,
  expiry: SipSettings["expiry"],
  crypto: Crypto,
): RegistrationPlan {
  const current = stored.filter((binding) => binding.expiresAt > origin.wall);
  const { contacts } = request;
  if (contacts === "*") return planWildcard(request, current);
  if (contacts.length === 0) return { type: "list", bindings: current };
  if (contacts.length > CORE_LIMITS.contacts) return refuse(403, "Too Many Contacts");
  return new ContactPlanner(request, current, origin, expiry, crypto).plan(contacts);
}

function planWildcard(request: ValidRequest, current: readonly Binding[]): RegistrationPlan {
  if (request.expires !== 0) return refuse(400, "Wildcard Contact Needs Expires 0");
  if (current.some((binding) => isOutOfOrder(request, binding))) return refuse(500, "CSeq Out of Order");
  return { type: "change", changes: { upserts: [], removals: current.map(({ key }) => key) }, bindings: [] };
}

/** RFC 3261 10.3 step 7: the same Call-ID must count upwards. */
const isOutOfOrder = (request: ValidRequest, binding: Binding): boolean =>
  binding.callId === request.callId && request.cseq.number <= binding.cseq;

class ContactPlanner {
  readonly #request: ValidRequest;
  readonly #origin: Origin;
  readonly #expiry: SipSettings["expiry"];
  readonly #crypto: Crypto;
  readonly #before: readonly Binding[];
  readonly #after = new Map<string, Binding>();
  readonly #upserts = new Map<string, Binding>();
  readonly #removals = new Set<string>();

  constructor(request: ValidRequest, current: readonly Binding[], origin: Origin, expiry: SipSettings["expiry"], crypto: Crypto) {
    this.#request = request;
    this.#before = current;
    this.#origin = origin;
    this.#expiry = expiry;
    this.#crypto = crypto;
    for (const binding of current) this.#after.set(binding.key, binding);
  }

  plan(contacts: readonly NameAddress[]): RegistrationPlan {
    let flows = 0;
    for (const contact of contacts) {
      const refusal = this.#plan(contact);
      if (refusal !== undefined) return refusal;
      if (regIdOf(contact) !== 0 && this.#requested(contact) !== 0) flows += 1;
    }
    if (flows > 1) return refuse(400, "More Than One Flow");
    if (this.#after.size > CORE_LIMITS.bindings) return refuse(403, "Too Many Bindings");
    const removals = [...this.#removals].filter((key) => !this.#upserts.has(key));
    return {
      type: "change",
      changes: { upserts: [...this.#upserts.values()], removals },
      bindings: [...this.#after.values()],
    };
  }

  #plan(contact: NameAddress): RegistrationPlan | undefined {
    const key = this.#keyOf(contact);
    const old = this.#before.find((binding) => binding.key === key);
    if (old !== undefined && isOutOfOrder(this.#request, old)) return refuse(500, "CSeq Out of Order");
    const preference = preferenceOf(contact);
    if (preference === undefined) return refuse(400, "Bad q");
    const requested = this.#requested(contact);
    if (requested === 0) {
      this.#remove(key);
      return undefined;
    }
    const minimum = Math.ceil(this.#expiry.minimum / 1_000);
    if (requested < minimum && requested < 3_600) {
      return { type: "refuse", status: 423, reason: "Interval Too Brief", minimumExpires: minimum };
    }
    this.#replaceEarlierLife(contact, key);
    this.#store(this.#binding(contact, key, preference, requested));
    return undefined;
  }

  #remove(key: string): void {
    this.#after.delete(key);
    this.#upserts.delete(key);
    if (this.#before.some((binding) => binding.key === key)) this.#removals.add(key);
  }

  #store(binding: Binding): void {
    this.#after.set(binding.key, binding);
    this.#upserts.set(binding.key, binding);
    this.#removals.delete(binding.key);
  }

  /** A phone that names its instance but no flow and comes back with another Contact is still that phone. */
  #replaceEarlierLife(contact: NameAddress, key: string): void {
    const instance = instanceOf(contact);
    if (instance === "" || regIdOf(contact) !== 0) return;
    for (const binding of [...this.#after.values()]) {
      if (binding.instance === instance && binding.regId === 0 && binding.key !== key) this.#remove(binding.key);
    }
  }

  #binding(contact: NameAddress, key: string, preference: number, requested: number): Binding {
    const granted = this.#granted(requested);
    return {
      contact: contact.uriText,
      key,
      callId: this.#request.callId,
      cseq: this.#request.cseq.number,
      preference,
      expiresAt: wallAfter(this.#origin.wall, granted),
      instance: instanceOf(contact),
      regId: regIdOf(contact),
      path: (this.#request.paths ?? []).map(({ uriText }) => uriText),
      userAgent: this.#request.header("user-agent") ?? "",
      parameters: serializeParameters(contact.parameters.filter(isKept)),
      edge: this.#origin.edge,
      flowToken: this.#origin.flowToken,
      received: this.#origin.received,
      transport: this.#origin.transport,
      ...(this.#origin.isRewritten ? { isRewritten: true } : {}),
      ...(this.#origin.securePort === undefined ? {} : { securePort: this.#origin.securePort }),
    };
  }

  #granted(requested: number): Duration {
    const granted = Math.min(seconds(requested), this.#expiry.maximum);
    if (granted <= SPREAD_FROM) return milliseconds(granted);
    return milliseconds(Math.max(SPREAD_FROM, granted - Math.round(granted * SPREAD * this.#origin.shortening)));
  }

  /** Seconds: the parameter, else the header, else the standard; a malformed one counts as absent (20.10). */
  #requested(contact: NameAddress): number {
    const text = parameterValue(contact.parameters, "expires");
    const own = text === undefined ? undefined : parseSeconds(text);
    return own ?? this.#request.expires ?? Math.floor(this.#expiry.standard / 1_000);
  }

  /** The flow of an instance (RFC 5626 6), else the URI by comparison. */
  #keyOf(contact: NameAddress): string {
    const instance = instanceOf(contact);
    const regId = regIdOf(contact);
    if (regId !== 0) return this.#hash(`flow\n${instance}\n${regId}`);
    const same = [...this.#after.values(), ...this.#before].find(
      (binding) => binding.regId === 0 && isSameContact(binding.contact, contact),
    );
    return same?.key ?? this.#hash(`uri\n${uriKey(contact.uri)}\n${contact.uriText}`);
  }

  #hash(octets: string): string {
    return toHex(this.#crypto.sha1(fromOctets(octets))).slice(0, 32);
  }
}

function isSameContact(stored: string, contact: NameAddress): boolean {
  if (stored === contact.uriText) return true;
  const uri = parseUri(stored);
  return uri !== undefined && sameUri(uri, contact.uri);
}

export const instanceOf = (contact: NameAddress): string => parameterValue(contact.parameters, "+sip.instance") ?? "";

/** 0: none. Without an instance a reg-id means nothing (RFC 5626 6). */
export function regIdOf(contact: NameAddress): number {
  const text = parameterValue(contact.parameters, "reg-id");
  if (text === undefined || instanceOf(contact) === "") return 0;
  const value = parseSeconds(text);
  return value === undefined || value > 2_147_483_647 ? 0 : value;
}

function preferenceOf(contact: NameAddress): number | undefined {
  const text = parameterValue(contact.parameters, "q");
  return text === undefined ? 1_000 : parseQ(text);
}

const isKept = ({ name }: Parameter): boolean => {
  const lower = name.toLowerCase();
  return lower !== "q" && lower !== "expires" && lower !== "pub-gruu" && lower !== "temp-gruu"; // GRUUs are ours to say (RFC 5627 5.1)
};

/** A whole number of 0 to 2^32-1; `undefined` if it is none. Larger ones are cut to that. */
function parseSeconds(text: string): number | undefined {
  if (text.length === 0) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = Math.min(10 * value + digit, 4_294_967_295);
  }
  return value;
}
