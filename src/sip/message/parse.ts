// parseMessage: one whole message (a datagram, or what the stream framer cut out) to SipRequest or SipResponse,
// or why not. readMessage: the same, then validated: what a SIP element does first with anything that comes in.

import { fault, ok, type Result } from "../../base/result.ts";
import type { HeaderField } from "./header-field.ts";
import { LIMITS } from "./limits.ts";
import { type LocatedFields, locateFields } from "./locate.ts";
import { SipRequest, SipResponse, type ValidRequest, type ValidResponse } from "./message.ts";
import { CR, DIGIT, isIn, isToken, LF, parseUnsigned, SPACE, standsAt, trim } from "./scan.ts";
import { isAnswerable, reject, type Rejection, validateRequest, validateResponse } from "./validate.ts";

/** Nothing that can or may be answered. */
export interface Dropped {
  readonly type: "dropped";
  /** A name out of a fixed set, for counting. */
  readonly event: "keep-alive" | "stun" | "garbage" | "bad-response" | "bad-ack" | "unanswerable" | "too-large";
}

export type ParseFault = Rejection | Dropped;

/** Start line and fields located, body cut by Content-Length (RFC 3261 18.3): octets behind it are left out. */
export function parseMessage(octets: string): Result<SipRequest | SipResponse, ParseFault> {
  if (octets.length > LIMITS.headerSection + LIMITS.body) return drop("too-large");
  if (isStun(octets)) return drop("stun");
  const start = skipLineEnds(octets);
  if (start === octets.length) return drop("keep-alive");
  const lf = octets.indexOf("\n", start);
  if (lf < 0 || lf - start > LIMITS.headerSection) return drop("garbage");
  const lineEnd = octets.charCodeAt(lf - 1) === CR ? lf - 1 : lf;
  const line = octets.slice(start, lineEnd);
  if (standsAt(line, 0, "sip/")) return parseResponse(octets, line, lf + 1);
  return parseRequest(octets, line, lf + 1);
}

/** Parsed and valid, a rejection to answer, or nothing to answer. */
export function readMessage(octets: string): Result<ValidRequest | ValidResponse, ParseFault> {
  const parsed = parseMessage(octets);
  if (!parsed.ok) return parsed.fault.type === "rejected" ? fault(ifAnswerable(parsed.fault)) : fault(parsed.fault);
  if (parsed.value.type === "response") {
    const response = validateResponse(parsed.value);
    return response === undefined ? drop("bad-response") : ok(response);
  }
  const valid = validateRequest(parsed.value);
  return valid.ok ? valid : fault(ifAnswerable(valid.fault));
}

function ifAnswerable(rejection: Rejection): ParseFault {
  if (isAnswerable(rejection.request)) return rejection;
  return { type: "dropped", event: rejection.request.method === "ACK" ? "bad-ack" : "unanswerable" };
}

const drop = (event: Dropped["event"]): Result<never, Dropped> => fault({ type: "dropped", event });

/** RFC 8489 5: two zero bits, magic cookie. */
const isStun = (octets: string): boolean => octets.charCodeAt(0) < 0x40 && octets.startsWith("\x21\x12\xa4\x42", 4);

/** Line ends before the start line are ignored (RFC 3261 7.5); alone, or as NUL, they keep a NAT binding alive. */
function skipLineEnds(octets: string): number {
  let at = 0;
  while (at < octets.length) {
    const code = octets.charCodeAt(at);
    if (code !== CR && code !== LF && code !== 0) return at;
    at++;
  }
  return at;
}

function parseResponse(octets: string, line: string, fieldsStart: number): Result<SipResponse, Dropped> {
  const isVersion2 = standsAt(line, 0, "sip/2.0 ");
  const status = parseUnsigned(line.slice(8, 11), 699);
  const hasEnd = line.length === 11 || line.charCodeAt(11) === SPACE;
  if (!isVersion2 || status === undefined || status < 100 || !hasEnd || line.includes("\r")) return drop("bad-response");
  const located = locateFields(octets, fieldsStart);
  if (located.fault !== undefined) return drop("bad-response");
  const { fields, bodyStart } = located;
  const length = contentLength(fields, octets.length - bodyStart);
  if (typeof length !== "number") return drop("bad-response");
  return ok(new SipResponse(status, line.slice(12), fields, octets.slice(bodyStart, bodyStart + length)));
}

function parseRequest(octets: string, line: string, fieldsStart: number): Result<SipRequest, ParseFault> {
  const first = line.indexOf(" ");
  const method = line.slice(0, first);
  const last = line.lastIndexOf(" ");
  if (first < 1 || !isToken(method)) return drop("garbage");
  const version = line.slice(last + 1);
  const isVersion2 = version.length === 7 && standsAt(version, 0, "sip/2.0") && last > first;
  const located = locateFields(octets, fieldsStart);
  const { fields, bodyStart } = located;
  if (!isVersion2) return wrongStartLine(method, line, fields);
  const uriText = line.slice(first + 1, last);
  if (uriText.includes("\r")) return drop("garbage");
  if (located.fault !== undefined) return fault(fieldsRejection(new SipRequest(method, uriText, fields, ""), located.fault));
  const length = contentLength(fields, octets.length - bodyStart);
  if (typeof length === "number") return ok(new SipRequest(method, uriText, fields, octets.slice(bodyStart, bodyStart + length)));
  const request = new SipRequest(method, uriText, fields, "");
  return fault(length === "too-large" ? reject(request, 513, "Message Too Large") : reject(request, 400, length));
}

/** 505 for another version of SIP (RFC 3261 21.5.6), 400 for a line that means ours, nothing for what is not SIP. */
function wrongStartLine(method: string, line: string, fields: readonly HeaderField[]): Result<never, ParseFault> {
  const trimmed = trim(line, 0, line.length);
  const last = trimmed.lastIndexOf(" ");
  if (!standsAt(trimmed, last + 1, "sip/") || last <= method.length) return drop("garbage");
  const request = new SipRequest(method, trim(trimmed, method.length, last), fields, "");
  const isOtherVersion = trimmed.length === line.length && isVersion(trimmed.slice(last + 5));
  return fault(isOtherVersion ? reject(request, 505, "Version Not Supported") : reject(request, 400, "Malformed Request-Line"));
}

/** 1*DIGIT "." 1*DIGIT */
function isVersion(text: string): boolean {
  const point = text.indexOf(".");
  if (point < 1 || point === text.length - 1) return false;
  for (let i = 0; i < text.length; i++) if (i !== point && !isIn(text.charCodeAt(i), DIGIT)) return false;
  return true;
}

function fieldsRejection(request: SipRequest, reason: Exclude<LocatedFields["fault"], undefined>): Rejection {
  switch (reason) {
    case "too-large":
      return reject(request, 513, "Message Too Large");
    case "too-many":
      return reject(request, 513, "Too Many Header Fields");
    case "unterminated":
      return reject(request, 400, "Incomplete Message");
    case "bare-cr":
    case "malformed-field":
      return reject(request, 400, "Malformed Header Field");
  }
}

/** How many of the available octets are body; else what is wrong, as a reason phrase or "too-large". */
function contentLength(fields: readonly HeaderField[], available: number): number | string {
  let length: number | undefined;
  for (const field of fields) {
    if (field.name !== "content-length") continue;
    if (length !== undefined) return "Multiple Content-Length";
    length = parseUnsigned(field.value, Number.MAX_SAFE_INTEGER);
    if (length === undefined) return "Malformed Content-Length";
  }
  const wanted = length ?? available;
  if (wanted > LIMITS.body) return "too-large";
  return wanted > available ? "Incomplete Body" : wanted;
}
