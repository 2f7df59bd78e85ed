// Remembers the calls that went through this box lately, and how phones registered: who, when, how it ended, and the
// messages in both directions without their secrets. For a technician who asks "why did 204 not ring?".
//
// The way of a message does not wait for it: a message of nothing that is remembered costs one look-up, and how
// many calls begin to be remembered in a second is bounded, so that under load the box does its work and forgets.

import type { Address } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import type { Crypto } from "../../base/crypto.ts";
import { between, type Instant, type WallTime } from "../../base/time.ts";
import { isProofUser } from "../auth/proof-user.ts";
import type { NameAddress } from "../message/name-address.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { parseMessage } from "../message/parse.ts";
import { isSipUri, unescapeUser } from "../message/uri.ts";
import type { Flow, SipEffect, TransportName } from "../ports.ts";
import { redacted, startLine } from "./redaction.ts";
import { redactUris } from "./uri-redaction.ts";

/** One message as it crossed this box, secrets removed. */
export interface RecordedMessage {
  readonly at: number;
  readonly direction: "in" | "out";
  /** The other end. */
  readonly remote: Address;
  readonly transport: TransportName;
  readonly startLine: string;
  /** Octets, at most `MESSAGE_MAX_OCTETS`. */
  readonly text: string;
}

/** A call, or how a phone registered last. Times: milliseconds since 1970, by the clock that the ring agrees on. */
export interface RecordedCall {
  readonly kind: "call" | "registration";
  /** Names it on page and command line: made of the Call-ID, the same at every box, and says nothing of it. */
  readonly id: string;
  readonly callId: string;
  /** `user@host`, or the URI; empty where it cannot be read. */
  readonly from: string;
  readonly to: string;
  readonly startedAt: number;
  readonly ringingAt: number | null;
  readonly answeredAt: number | null;
  readonly endedAt: number | null;
  /** The final answer to the INVITE or REGISTER; `null`: none yet. */
  readonly status: number | null;
  readonly reason: string;
  /** Who hung up, or gave up; `null`: nobody yet, or it ended by its answer. */
  readonly endedBy: "caller" | "callee" | null;
  /** Messages that there was no room for. */
  readonly leftOut: number;
  /** Rises with everything that happens to any call: whoever asks again asks for what is newer. */
  readonly revision: number;
}

export const RECORDER_LIMITS = {
  /** Calls: above it the one that began first goes. */
  calls: 1_000,
  /** Registrations: above it the one that was begun first goes. */
  registrations: 500,
  /** Octets of all messages: above it what was begun first goes. */
  octets: 8_388_608,
  /** Messages of one call; beyond it only those that end it… */
  messages: 48,
  /** …and so many of those. */
  endings: 16,
  /** Messages of a registration before it is begun anew. */
  exchange: 8,
  /** Octets of one message that are kept. */
  messageOctets: 16_384,
} as const;

/** Calls and registrations that begin to be remembered in a second, for ever… */
const BEGUN_PER_SECOND = 50;
/** …and at once. */
const BEGUN_AT_ONCE = 200;

/** As RFC 3261 writes it, and nearly everybody; others are found by the parser. */
const CALL_ID_FIELD = "\r\nCall-ID:";
/** What the health agent calls, every few seconds, to try this box. */
const PROOF_CALL_ID = "ringbox-proof-";

/** A call while it is remembered. */
interface Entry {
  readonly kind: RecordedCall["kind"];
  readonly id: string;
  readonly callId: string;
  from: string;
  fromTag: string;
  to: string;
  startedAt: WallTime;
  ringingAt: WallTime | null;
  answeredAt: WallTime | null;
  endedAt: WallTime | null;
  status: number | null;
  reason: string;
  endedBy: RecordedCall["endedBy"];
  leftOut: number;
  revision: number;
  octets: number;
  /** BOUNDED: by RECORDER_LIMITS.messages and .endings. */
  messages: RecordedMessage[];
}

export class CallRecorder {
  readonly #crypto: Crypto;
  readonly #wall: () => WallTime;
  /** Names this life of the box: revisions of another one mean nothing. */
  readonly life: string;
  /** By Call-ID. */
  readonly #calls = new BoundedMap<string, Entry>(RECORDER_LIMITS.calls, "refuse");
  readonly #registrations = new BoundedMap<string, Entry>(RECORDER_LIMITS.registrations, "refuse");
  #octets = 0;
  #revision = 0;
  #tokens = BEGUN_AT_ONCE;
  #tokensAt: Instant | undefined;

  constructor(crypto: Crypto, wall: () => WallTime, life: string) {
    this.#crypto = crypto;
    this.#wall = wall;
    this.life = life;
  }

  received(now: Instant, flow: Flow, octets: string): void {
    this.#take(now, "in", flow.remote, flow.transport, octets);
  }

  /** What a step of the core sends. */
  sent(now: Instant, effects: readonly SipEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "send") this.#take(now, "out", effect.flow.remote, effect.flow.transport, effect.octets);
      else if (effect.type === "connect") this.#take(now, "out", effect.remote, effect.transport, effect.octets);
    }
  }

  /** Those to which something happened after `revision`; the order of their beginning. */
  calls(revision: number): readonly RecordedCall[] {
    return [...this.#calls.values(), ...this.#registrations.values()].filter((entry) => entry.revision > revision).map(described);
  }

  /** By `id` or Call-ID. */
  call(name: string): { readonly call: RecordedCall; readonly messages: readonly RecordedMessage[] } | undefined {
    const entry = this.#find(name) ?? [...this.#calls.values(), ...this.#registrations.values()].find(({ id }) => id === name);
    return entry === undefined ? undefined : { call: described(entry), messages: entry.messages };
  }

  get revision(): number {
    return this.#revision;
  }

  #find(callId: string): Entry | undefined {
    return this.#calls.get(callId) ?? this.#registrations.get(callId);
  }

  #take(now: Instant, direction: RecordedMessage["direction"], remote: Address, transport: TransportName, octets: string): void {
    const beginning = direction === "in" ? kindBegun(octets) : undefined;
    const callId = callIdIn(octets);
    const known = callId === undefined ? undefined : this.#find(callId);
    const begins = known === undefined ? beginning : beginning === "registration" && isOver(known) ? beginning : undefined;
    if (begins === undefined ? known === undefined || !this.#hasRoom(known, octets) : !this.#mayBegin(now)) return;
    const parsed = parseMessage(octets);
    if (!parsed.ok) return;
    const message = parsed.value;
    const entry = begins === undefined ? known : this.#begin(begins, known, message);
    if (entry !== undefined) this.#keep(entry, message, { direction, remote, transport });
  }

  #hasRoom(entry: Entry, octets: string): boolean {
    if (entry.kind === "registration") return !isOver(entry);
    if (entry.messages.length < RECORDER_LIMITS.messages || mayEnd(octets)) return true;
    entry.leftOut += 1;
    return false;
  }

  /** `undefined`: nothing to remember. An INVITE with a tag in To is of a call that began before this box looked. */
  #begin(kind: Entry["kind"], former: Entry | undefined, message: SipRequest | SipResponse): Entry | undefined {
    if (message.type === "response" || (kind === "call" && message.toTag !== "")) return undefined;
    const { callId } = message;
    if (callId === undefined || isTrial(callId, message)) return undefined;
    if (former !== undefined) this.#forget(former);
    const entry: Entry = {
      kind, callId: detached(callId), id: this.#crypto.sha256Hex(`call\n${callId}`).slice(0, ID_DIGITS),
      from: detached(nameOf(message.from)), fromTag: detached(message.fromTag), to: detached(nameOf(message.to)), startedAt: this.#wall(),
      ringingAt: null, answeredAt: null, endedAt: null, status: null, reason: "", endedBy: null, leftOut: 0, revision: 0, octets: 0, messages: [],
    };
    const all = kind === "call" ? this.#calls : this.#registrations;
    if (!all.set(entry.callId, entry)) {
      this.#forgetOldest(all);
      all.set(entry.callId, entry);
    }
    return entry;
  }

  #mayBegin(now: Instant): boolean {
    const passed = this.#tokensAt === undefined ? 0 : between(this.#tokensAt, now);
    this.#tokens = Math.min(BEGUN_AT_ONCE, this.#tokens + (passed * BEGUN_PER_SECOND) / 1_000);
    this.#tokensAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #keep(entry: Entry, message: SipRequest | SipResponse, way: Pick<RecordedMessage, "direction" | "remote" | "transport">): void {
    const at = this.#wall();
    this.#revision += 1;
    entry.revision = this.#revision;
    follow(entry, message, way.direction, at);
    if (entry.messages.length >= RECORDER_LIMITS.messages + RECORDER_LIMITS.endings) {
      entry.leftOut += 1;
      return;
    }
    const whole = redacted(message);
    const text = whole.length > RECORDER_LIMITS.messageOctets ? `${whole.slice(0, RECORDER_LIMITS.messageOctets)}\r\n(cut)` : whole;
    entry.messages.push({ at, ...way, startLine: detached(startLine(message)), text: detached(text) });
    entry.octets += text.length;
    this.#octets += text.length;
    while (this.#octets > RECORDER_LIMITS.octets) this.#forgetOldest(this.#calls.size > this.#registrations.size ? this.#calls : this.#registrations);
  }

  #forgetOldest(all: BoundedMap<string, Entry>): void {
    const oldest = all.values().next();
    if (oldest.done !== true) this.#forget(oldest.value);
  }

  #forget(entry: Entry): void {
    (entry.kind === "call" ? this.#calls : this.#registrations).delete(entry.callId);
    this.#octets -= entry.octets;
  }
}

const ID_DIGITS = 16;

/** A copy of its own: what is cut out of a message would keep the whole of it in memory, secrets and all. */
const detached = (text: string): string => ` ${text}`.slice(1);

function described({ kind, id, callId, from, to, startedAt, ringingAt, answeredAt, endedAt, status, reason, endedBy, leftOut, revision }: Entry): RecordedCall {
  return { kind, id, callId, from, to, startedAt, ringingAt, answeredAt, endedAt, status, reason, endedBy, leftOut, revision };
}

/** What `octets` say their Call-ID is, without reading the rest where that can be had; `undefined`: nothing. */
function callIdIn(octets: string): string | undefined {
  const found = octets.indexOf(CALL_ID_FIELD);
  if (found >= 0) {
    const start = found + CALL_ID_FIELD.length;
    return octets.slice(start, octets.indexOf("\r\n", start)).trim();
  }
  const parsed = parseMessage(octets);
  return parsed.ok ? parsed.value.callId : undefined;
}

function kindBegun(octets: string): Entry["kind"] | undefined {
  if (octets.startsWith("INVITE ")) return "call";
  return octets.startsWith("REGISTER ") ? "registration" : undefined;
}

const mayEnd = (octets: string): boolean => octets.startsWith("BYE ") || octets.startsWith("CANCEL ") || octets.startsWith("SIP/2.0 ");

/** A registration that was answered for good, or that is asked for again and again. */
const isOver = ({ kind, status, messages }: Entry): boolean =>
  kind === "registration" && ((status !== null && status !== 401 && status !== 407) || messages.length >= RECORDER_LIMITS.exchange);

/** The health agent's, by its name and by who calls: nobody else can pass as such a user. */
const isTrial = (callId: string, message: SipRequest): boolean => callId.startsWith(PROOF_CALL_ID) && isProofUser(nameOf(message.from));

function nameOf(address: NameAddress | undefined): string {
  if (address === undefined) return "";
  const { uri, uriText } = address;
  if (!isSipUri(uri)) return uriText.slice(0, NAME_MAX_LENGTH);
  const name = uri.user === undefined ? uri.host : `${unescapeUser(redactUris(`sip:${uri.user}@`).slice(4, -1))}@${uri.host}`;
  return name.slice(0, NAME_MAX_LENGTH);
}

const NAME_MAX_LENGTH = 128;

/** What a message means for how the call stands. The first answer to the INVITE that goes on to the caller decides. */
function follow(entry: Entry, message: SipRequest | SipResponse, direction: RecordedMessage["direction"], at: WallTime): void {
  if (message.type === "request") return direction === "in" ? followRequest(entry, message, at) : undefined;
  const { status, reason, cseq } = message;
  const isWanted = cseq?.method === (entry.kind === "call" ? "INVITE" : "REGISTER");
  if (!isWanted || direction !== "out" || entry.answeredAt !== null) return;
  if (status < 200) {
    if (status > 100) entry.ringingAt ??= at;
    return;
  }
  entry.status = status;
  entry.reason = detached(reason);
  if (status < 300) entry.answeredAt = at;
  if (entry.kind === "registration" || status >= 300) entry.endedAt = at;
}

function followRequest(entry: Entry, { method, fromTag }: SipRequest, at: WallTime): void {
  if (entry.kind === "registration") return;
  if (method === "INVITE" && entry.answeredAt === null && entry.status !== null) {
    // Asked again with credentials, or after a refusal.
    entry.status = null;
    entry.endedAt = null;
    entry.endedBy = null;
    return;
  }
  if (method === "CANCEL" && entry.answeredAt === null && entry.endedAt === null) entry.endedBy = "caller";
  if (method !== "BYE" || entry.endedAt !== null) return;
  entry.endedAt = at;
  entry.endedBy = fromTag === entry.fromTag ? "caller" : "callee";
}
