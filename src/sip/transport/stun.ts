// STUN Binding requests on the SIP port (RFC 5626 section 8, RFC 5389): a phone behind a NAT keeps its hole open
// and learns its address as we see it. No authentication, no FINGERPRINT, one answer for one request.

import type { Address } from "../../base/address.ts";
import { parseNumericHost } from "./numeric-host.ts";

const HEADER = 20;
const BINDING_REQUEST = "\x00\x01";
const BINDING_SUCCESS = "\x01\x01";
const BINDING_ERROR = "\x01\x11";
const MAGIC_COOKIE = "\x21\x12\xa4\x42";
const XOR_MAPPED_ADDRESS = "\x00\x20";
const ERROR_CODE = "\x00\x09";
const UNKNOWN_ATTRIBUTES = "\x00\x0a";
/** Types below this must be understood (RFC 5389 section 15); those that a Binding request may bring and that we need not heed. */
const OPTIONAL = 0x8000;
const HARMLESS: readonly number[] = [0x0006, 0x0008, 0x0024, 0x0025];

/** Whether a datagram is no SIP but STUN: SIP begins with a letter, STUN with two zero bits. */
export const isStun = (octets: string): boolean => octets.charCodeAt(0) < 0x04;

/** The answer to a Binding request from `source`; `undefined` to anything else. */
export function stunAnswer(octets: string, source: Address): string | undefined {
  if (octets.length < HEADER || !octets.startsWith(BINDING_REQUEST) || octets.slice(4, 8) !== MAGIC_COOKIE) return undefined;
  if (octets.length !== HEADER + word(octets, 2)) return undefined;
  const unknown = unknownAttribute(octets);
  if (unknown === "malformed") return undefined;
  const transaction = octets.slice(4, HEADER);
  if (unknown !== undefined) {
    const body = attribute(ERROR_CODE, "\x00\x00\x04\x14Unknown Attribute") + attribute(UNKNOWN_ATTRIBUTES, unknown);
    return BINDING_ERROR + sixteen(body.length) + transaction + body;
  }
  const body = xorMappedAddress(source, transaction);
  return body === undefined ? undefined : BINDING_SUCCESS + sixteen(body.length) + transaction + body;
}

/** The type of the first attribute that must be understood and is not. */
function unknownAttribute(octets: string): string | "malformed" | undefined {
  for (let at = HEADER; at < octets.length; ) {
    if (at + 4 > octets.length) return "malformed";
    const type = word(octets, at);
    if (type < OPTIONAL && !HARMLESS.includes(type)) return octets.slice(at, at + 2);
    at += 4 + padded(word(octets, at + 2));
    if (at > octets.length) return "malformed";
  }
  return undefined;
}

/** RFC 5389 section 15.2: masked, so that no NAT on the way "corrects" it. */
function xorMappedAddress({ host, port }: Address, transaction: string): string | undefined {
  const bytes = parseNumericHost(host);
  if (bytes === undefined) return undefined;
  let text = `\x00${bytes.length === 4 ? "\x01" : "\x02"}${sixteen(port ^ word(MAGIC_COOKIE, 0))}`;
  for (const [i, byte] of bytes.entries()) text += String.fromCharCode(byte ^ transaction.charCodeAt(i));
  return attribute(XOR_MAPPED_ADDRESS, text);
}

const attribute = (type: string, value: string): string =>
  type + sixteen(value.length) + value.padEnd(padded(value.length), "\x00");

const padded = (length: number): number => (length + 3) & ~3;
const word = (octets: string, at: number): number => octets.charCodeAt(at) * 256 + octets.charCodeAt(at + 1);
const sixteen = (value: number): string => String.fromCharCode((value >> 8) & 0xff, value & 0xff);
