// URIs: `SipUri` for sip: and sips:, `OpaqueUri` for every other scheme. parseUri, serializeUri,
// addressOfRecord (RFC 3261 10.3 step 5), uriParameter. Comparison is in uri-compare.ts.

import { isIpv6 } from "../../base/address.ts";
import { LIMITS } from "./limits.ts";
import type { Parameter } from "./parameters.ts";
import { serializeParameters } from "./parameters.ts";
import {
  COLON, DIGIT, equalIgnoringCase, EQUALS, hasSoundEscapes, HEX, HOST, isAll, isIn, lowerCase, parseUnsigned, PERCENT, skipClass,
  URI_CHARACTER, URI_PARAMETER, USER,
} from "./scan.ts";

export interface SipUri {
  readonly scheme: "sip" | "sips";
  /** As written, still escaped, with any `;par` inside it; `undefined` if there is no `@`. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Lower case; IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** In order, names as written. */
  readonly parameters: readonly Parameter[];
  /** What follows `?`, as written, without it; `undefined` if there is none. */
  readonly headers: string | undefined;
}

/** A URI that SIP does not look into (tel:, urn:, …). */
export interface OpaqueUri {
  /** Lower case. */
  readonly scheme: string;
  /** What follows the colon, as written. */
  readonly opaque: string;
}

export type Uri = SipUri | OpaqueUri;

export const isSipUri = (uri: Uri): uri is SipUri => "host" in uri;

/** `undefined` if it is not a URI, or breaks the grammar of its scheme (sip, sips). */
export function parseUri(text: string): Uri | undefined {
  const colon = schemeEnd(text);
  if (colon < 0) return undefined;
  const scheme = lowerCase(text.slice(0, colon));
  if (scheme === "sip" || scheme === "sips") return parseSipUri(scheme, text, colon + 1);
  return isAll(text, colon + 1, text.length, URI_CHARACTER) ? { scheme, opaque: text.slice(colon + 1) } : undefined;
}

const isLetter = (code: number): boolean => (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

/** Where the colon after the scheme is (RFC 3986 3.1), or -1. */
function schemeEnd(text: string): number {
  if (!isLetter(text.charCodeAt(0))) return -1;
  for (let at = 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COLON) return at;
    if (!isLetter(code) && !isIn(code, DIGIT) && code !== 0x2b && code !== 0x2d && code !== 0x2e) return -1;
  }
  return -1;
}

function parseSipUri(scheme: "sip" | "sips", text: string, start: number): SipUri | undefined {
  const at = text.indexOf("@", start);
  let user: string | undefined;
  let password: string | undefined;
  if (at >= 0) {
    const userEnd = skipEscaped(text, start, at, USER);
    if (userEnd === start || !hasSoundEscapes(text, start, at)) return undefined;
    user = text.slice(start, userEnd);
    if (userEnd < at) {
      if (text.charCodeAt(userEnd) !== COLON || skipEscaped(text, userEnd + 1, at, USER) !== at) return undefined;
      password = text.slice(userEnd + 1, at);
    }
  }
  const hostPort = parseHostPort(text, at < 0 ? start : at + 1);
  if (hostPort === undefined) return undefined;
  const question = text.indexOf("?", hostPort.end);
  const parametersEnd = question < 0 ? text.length : question;
  const parameters = parseUriParameters(text, hostPort.end, parametersEnd);
  if (parameters === undefined || !hasSoundEscapes(text, hostPort.end, text.length)) return undefined;
  const headers = question < 0 ? undefined : text.slice(question + 1);
  if (headers !== undefined && !isAll(headers, 0, headers.length, URI_CHARACTER)) return undefined;
  return { scheme, user, password, host: hostPort.host, port: hostPort.port, parameters, headers };
}

function skipEscaped(text: string, at: number, end: number, classBits: number): number {
  let position = skipClass(text, at, end, classBits);
  while (position < end && text.charCodeAt(position) === PERCENT) position = skipClass(text, position + 1, end, classBits);
  return position;
}

export interface HostPort {
  /** Lower case; IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** Where it ends. */
  readonly end: number;
}

/** `host [":" port]` (25.1); `undefined` if there is none at `at`. */
export function parseHostPort(text: string, at: number): HostPort | undefined {
  const host = parseHost(text, at);
  return host !== undefined && text.charCodeAt(host.end) === COLON ? withPort(text, host, host.end + 1) : host;
}

/** `host` with the port whose digits begin at `at`. */
export function withPort(text: string, { host }: HostPort, at: number): HostPort | undefined {
  const end = skipClass(text, at, text.length, DIGIT);
  const port = parseUnsigned(text.slice(at, end), 65_535);
  return port === undefined || port === 0 ? undefined : { host, port, end };
}

/** The host alone. */
export function parseHost(text: string, at: number): HostPort | undefined {
  const bracketed = text.charCodeAt(at) === 0x5b;
  const hostEnd = bracketed ? text.indexOf("]", at) : skipClass(text, at, text.length, HOST);
  if (bracketed ? !isIpv6Reference(text, at + 1, hostEnd) : !isHostName(text, at, hostEnd)) return undefined;
  const host = lowerCase(bracketed ? text.slice(at + 1, hostEnd) : text.slice(at, hostEnd));
  return { host, port: undefined, end: bracketed ? hostEnd + 1 : hostEnd };
}

const isHostName = (text: string, at: number, end: number): boolean => {
  const first = text.charCodeAt(at);
  return end > at && end - at <= 255 && first !== 0x2e && first !== 0x2d;
};

/** Hex digits, colons and dots with at least two colons: RFC 5118 4.10 wants even `[1:::2]` taken. */
function isIpv6Reference(text: string, at: number, end: number): boolean {
  if (end < 0 || end - at > 45) return false;
  let colons = 0;
  for (let i = at; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === COLON) colons++;
    else if (!isIn(code, HEX) && code !== 0x2e) return false;
  }
  return colons >= 2;
}

const NONE: readonly Parameter[] = [];

function parseUriParameters(text: string, start: number, end: number): readonly Parameter[] | undefined {
  if (start === end) return NONE;
  const parameters: Parameter[] = [];
  let at = start;
  while (at < end) {
    if (text.charAt(at) !== ";" || parameters.length === LIMITS.parameters) return undefined;
    const stop = skipEscaped(text, at + 1, end, URI_PARAMETER);
    let nameEnd = at + 1;
    while (nameEnd < stop && text.charCodeAt(nameEnd) !== EQUALS) nameEnd++;
    if (nameEnd === at + 1) return undefined;
    parameters.push({ name: text.slice(at + 1, nameEnd), value: nameEnd < stop ? text.slice(nameEnd + 1, stop) : undefined });
    at = stop;
  }
  return parameters;
}

export function serializeUri(uri: Uri): string {
  if (!isSipUri(uri)) return `${uri.scheme}:${uri.opaque}`;
  const password = uri.password === undefined ? "" : `:${uri.password}`;
  const userInfo = uri.user === undefined ? "" : `${uri.user}${password}@`;
  const headers = uri.headers === undefined ? "" : `?${uri.headers}`;
  return `${uri.scheme}:${userInfo}${formatHostPort(uri.host, uri.port)}${serializeParameters(uri.parameters)}${headers}`;
}

/** `host`, `host:port`, `[v6]:port`. */
export function formatHostPort(host: string, port: number | undefined): string {
  const reference = isIpv6(host) ? `[${host}]` : host;
  return port === undefined ? reference : `${reference}:${port}`;
}

/** The value of a parameter ("" if it has none), by name in any case; `undefined` if absent. */
export function uriParameter(uri: SipUri, name: string): string | undefined {
  for (const parameter of uri.parameters) if (equalIgnoringCase(parameter.name, name)) return parameter.value ?? "";
  return undefined;
}

/** `user@domain`: user unescaped, host lower case, no port, no parameters; `undefined` without a user (RFC 3261 10.3 step 5). */
export const addressOfRecord = (uri: SipUri): string | undefined =>
  uri.user === undefined ? undefined : `${unescapeUser(uri.user)}@${uri.host}`;

/** %-escapes undone, once. Malformed escapes stay as they are. */
export function unescapeUser(user: string): string {
  let percent = user.indexOf("%");
  if (percent < 0) return user;
  let plain = user.slice(0, percent);
  while (percent < user.length) {
    const isEscape =
      user.charCodeAt(percent) === PERCENT && isIn(user.charCodeAt(percent + 1), HEX) && isIn(user.charCodeAt(percent + 2), HEX);
    plain += isEscape ? String.fromCharCode(Number.parseInt(user.slice(percent + 1, percent + 3), 16)) : user.charAt(percent);
    percent += isEscape ? 3 : 1;
  }
  return plain;
}

/** The user part of a URI for these octets: what the grammar does not allow is escaped. */
export function escapeUser(user: string): string {
  let escaped = "";
  for (let i = 0; i < user.length; i++) {
    const code = user.charCodeAt(i);
    const plain = isIn(code, USER) && code < 0x80 && code !== 0x23;
    escaped += plain ? user.charAt(i) : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}
