// Flow tokens (RFC 5626 5.2): a flow of this box as the user part of a URI, under an HMAC with the
// fleet's secret, so that any box can tell a tampered one (403) from one whose flow is gone (430).
//
// Besides "flow" there is "onward": a Record-Route entry on a side that needs no flow. It is bound
// to its Call-ID, so that it lets nobody relay anything but requests of that dialog.

import { BoundedMap } from "../base/bounded-map.ts";
import { ByteReader, ByteWriter, DecodeError, fromHex, fromOctets, toOctets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import { CORE_LIMITS } from "./limits.ts";
import { unescapeUser } from "./message/uri.ts";
import type { Flow, TransportName } from "./ports.ts";
import { formatNumericHost, parseNumericHost } from "./transport/numeric-host.ts";

export type TokenReading =
  | { readonly type: "flow"; readonly flow: Flow; readonly ours: boolean }
  | { readonly type: "onward" }
  | { readonly type: "tampered" };

const READ_ONWARD: TokenReading = { type: "onward" };

const MAC_BYTES = 10;
const ONWARD = 3;
/** What a token begins with, by its flow's transport. */
const KINDS: Readonly<Record<TransportName, number>> = { udp: 1, tcp: 2, tls: 4, ws: 5, wss: 6 };
const TRANSPORTS: Readonly<Record<number, TransportName>> = { 1: "udp", 2: "tcp", 4: "tls", 5: "ws", 6: "wss" };

export class FlowTokens {
  readonly #crypto: Crypto;
  #secret: Uint8Array;
  /** The one before: its tokens are in bindings and in calls. */
  #formerSecret: Uint8Array | undefined;
  readonly #node: Uint8Array;
  readonly #ready = new BoundedMap<string, string>(CORE_LIMITS.flowTokens, "evict");
  /** Tokens for the way onward by Call-ID: made with the INVITE, read again with the ACK and the BYE. */
  readonly #onward = new BoundedMap<string, string>(CORE_LIMITS.flowTokens, "evict");
  /** Flow tokens that were found genuine. */
  readonly #genuine = new BoundedMap<string, TokenReading>(CORE_LIMITS.flowTokens, "evict");

  constructor(crypto: Crypto, secret: Uint8Array, nodeId: string) {
    this.#crypto = crypto;
    this.#secret = secret;
    this.#node = fromHex(nodeId).subarray(0, 4);
  }

  setSecret(secret: Uint8Array): void {
    this.#formerSecret = this.#secret;
    this.#secret = secret;
    for (const made of [this.#ready, this.#onward, this.#genuine]) made.clear();
  }
  forgetFormerSecret(): void {
    this.#formerSecret = undefined;
    this.#genuine.clear();
  }

  /** The token of a flow of this box; letters, digits, `-` and `_`. */
  forFlow(flow: Flow): string {
    const key = `${flow.connection} ${flow.local.host} ${flow.local.port} ${flow.remote.host} ${flow.remote.port}`;
    const ready = this.#ready.get(key);
    if (ready !== undefined) return ready;
    const writer = new ByteWriter(48).u8(KINDS[flow.transport]).bytes(this.#node);
    if (flow.transport !== "udp") writer.u64(flow.connection);
    writeHost(writer, flow.local.host).u16(flow.local.port);
    writeHost(writer, flow.remote.host).u16(flow.remote.port);
    const token = this.#sign(writer.finish(), "");
    this.#ready.set(key, token);
    return token;
  }

  /** A token of this box that stands for no flow, for one Call-ID. */
  onward(callId: string): string {
    const ready = this.#onward.get(callId);
    if (ready !== undefined) return ready;
    const token = this.#sign(new ByteWriter(16).u8(ONWARD).bytes(this.#node).finish(), callId);
    this.#onward.set(callId, token);
    return token;
  }

  /** `user`: as it stands in a URI, where a phone may have escaped what needs no escape (Twinkle writes `Z` as `%5a`). */
  read(user: string, callId: string): TokenReading {
    const token = unescapeUser(user);
    const genuine = this.#genuine.get(token);
    if (genuine !== undefined) return genuine;
    if (token === this.#onward.get(callId)) return READ_ONWARD;
    const reading = this.#verify(token, callId);
    if (reading.type === "flow") this.#genuine.set(token, reading);
    return reading;
  }

  /** A mark of the fleet on a text. */
  mark(text: string, secret = this.#secret): string {
    return this.#crypto.hmacSha256Hex(secret, `mark\n${text}`).slice(0, 2 * MAC_BYTES);
  }
  isMark(text: string, mark: string): boolean {
    return mark === this.mark(text) || (this.#formerSecret !== undefined && mark === this.mark(text, this.#formerSecret));
  }

  #verify(token: string, callId: string): TokenReading {
    const bytes = decodeBase64Url(token);
    if (bytes === undefined || bytes.length < MAC_BYTES + 5) return { type: "tampered" };
    const payload = bytes.subarray(0, bytes.length - MAC_BYTES);
    const bound = payload[0] === ONWARD ? callId : "";
    const former = this.#formerSecret;
    const genuine = this.#sign(payload, bound) === token || (former !== undefined && this.#sign(payload, bound, former) === token);
    if (!genuine) return { type: "tampered" };
    return this.#decode(payload);
  }

  #sign(payload: Uint8Array, bound: string, secret = this.#secret): string {
    const octets = toOctets(payload);
    const mac = this.#crypto.hmacSha256Hex(secret, `flow token\n${octets}\n${bound}`);
    return encodeBase64Url(octets + toOctets(fromHex(mac.slice(0, 2 * MAC_BYTES))));
  }

  #decode(payload: Uint8Array): TokenReading {
    try {
      const reader = new ByteReader(payload);
      const kind = reader.u8();
      const node = reader.bytes(4);
      if (kind === ONWARD) return READ_ONWARD;
      const transport = TRANSPORTS[kind];
      if (transport === undefined) return { type: "tampered" };
      const connection = transport === "udp" ? 0 : reader.u64();
      const local = { host: readHost(reader), port: reader.u16() };
      const remote = { host: readHost(reader), port: reader.u16() };
      reader.end();
      const ours = node.every((byte, i) => byte === this.#node[i]);
      return { type: "flow", ours, flow: { transport, local, remote, connection } };
    } catch (error) {
      if (error instanceof DecodeError) return { type: "tampered" };
      throw error;
    }
  }
}

/** Whether a user part is made as tokens are, genuine or not: for who may not show one. */
export function looksLikeFlowToken(user: string): boolean {
  const text = unescapeUser(user);
  const bytes = text.length < SHORTEST_TOKEN ? undefined : decodeBase64Url(text);
  const kind = bytes?.[0];
  if (bytes === undefined || kind === undefined || bytes.length < MAC_BYTES + 5) return false;
  if (kind === ONWARD) return bytes.length === MAC_BYTES + 5;
  const transport = TRANSPORTS[kind];
  const hostLength = transport === undefined ? undefined : bytes[transport === "udp" ? 5 : 13];
  return hostLength === 0 || hostLength === 4 || hostLength === 16;
}

/** An onward token in base64url. */
const SHORTEST_TOKEN = 20;

const writeHost = (writer: ByteWriter, host: string): ByteWriter => {
  const numeric = parseNumericHost(host);
  // An address with a zone (fe80::1%eth0) goes as text.
  if (numeric === undefined) return writer.u8(0).prefixed(1, (inner) => inner.bytes(fromOctets(host.slice(0, 100))));
  return writer.u8(numeric.length).bytes(numeric);
};

function readHost(reader: ByteReader): string {
  const length = reader.u8();
  return length === 0 ? toOctets(reader.bytes(reader.u8())) : formatNumericHost(reader.bytes(length));
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

export function encodeBase64Url(octets: string): string {
  let text = "";
  for (let i = 0; i < octets.length; i += 3) {
    const rest = octets.length - i;
    const word = (octets.charCodeAt(i) << 16) | ((rest > 1 ? octets.charCodeAt(i + 1) : 0) << 8) | (rest > 2 ? octets.charCodeAt(i + 2) : 0);
    text += ALPHABET.charAt(word >> 18) + ALPHABET.charAt((word >> 12) & 63);
    if (rest > 1) text += ALPHABET.charAt((word >> 6) & 63);
    if (rest > 2) text += ALPHABET.charAt(word & 63);
  }
  return text;
}

export function decodeBase64Url(text: string): Uint8Array | undefined {
  if (text.length > 400 || text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = ALPHABET.indexOf(text.charAt(i));
    if (value < 0) return undefined;
    word = ((word << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (word >> bits) & 0xff;
  }
  return bytes;
}
