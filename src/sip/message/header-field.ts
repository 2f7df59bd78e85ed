// One header field: where it lies in the text that it came in, so that what nobody touches goes on byte
// for byte. Header names: canonicalName (lower-case full form), fieldName (of a field being located).

import { CR, isBlank, LF } from "./scan.ts";

export class HeaderField {
  /** Lower-case full form; compact forms resolved. */
  readonly name: string;
  readonly text: string;
  readonly start: number;
  readonly valueStart: number;
  /** After the line end. */
  readonly end: number;

  constructor(name: string, text: string, start: number, valueStart: number, end: number) {
    this.name = name;
    this.text = text;
    this.start = start;
    this.valueStart = valueStart;
    this.end = end;
  }

  /** Unfolded, without blanks around. */
  get value(): string {
    const { text } = this;
    let first = this.valueStart;
    let last = this.end;
    while (first < last && isLinearSpace(text.charCodeAt(first))) first++;
    while (last > first && isLinearSpace(text.charCodeAt(last - 1))) last--;
    const value = text.slice(first, last);
    return value.includes("\n") ? unfold(value) : value;
  }
}

const isLinearSpace = (code: number): boolean => isBlank(code) || code === CR || code === LF;

/** Each line end with the blanks around it becomes one space (RFC 3261 7.3.1). */
function unfold(value: string): string {
  const lines = value.split("\n");
  let unfolded = "";
  for (const line of lines) {
    let first = 0;
    let last = line.length;
    while (isLinearSpace(line.charCodeAt(first))) first++;
    while (last > first && isLinearSpace(line.charCodeAt(last - 1))) last--;
    if (first < last) unfolded += unfolded === "" ? line.slice(first, last) : ` ${line.slice(first, last)}`;
  }
  return unfolded;
}

/** A field of our own: `Name: value`. */
export const makeField = (name: string, value: string): HeaderField =>
  new HeaderField(canonicalName(name), `${name}: ${value}\r\n`, 0, name.length + 2, name.length + value.length + 4);

/** Lower-case full form of a header name. */
export const canonicalName = (name: string): string => fieldName(name, 0, name.length);

/** Names that are compared often: one string each, so that comparing them is comparing addresses. */
const KNOWN: readonly string[] = [
  "accept", "accept-encoding", "accept-language", "alert-info", "allow", "allow-events", "authorization", "call-id",
  "call-info", "contact", "content-disposition", "content-encoding", "content-language", "content-length",
  "content-type", "cseq", "date", "error-info", "event", "expires", "flow-timer", "from", "geolocation", "identity",
  "in-reply-to", "join", "max-breadth", "max-forwards", "mime-version", "min-expires", "min-se", "organization",
  "p-asserted-identity", "p-preferred-identity", "path", "priority", "privacy", "proxy-authenticate",
  "proxy-authorization", "proxy-require", "rack", "reason", "record-route", "refer-to", "referred-by", "replaces",
  "reply-to", "require", "retry-after", "route", "rseq", "server", "service-route", "session-expires", "sip-etag",
  "sip-if-match", "subject", "subscription-state", "supported", "timestamp", "to", "unsupported", "user-agent", "via",
  "warning", "www-authenticate",
];

const COMPACT: readonly (readonly [compact: string, name: string])[] = [
  ["a", "accept-contact"], ["b", "referred-by"], ["c", "content-type"], ["d", "request-disposition"],
  ["e", "content-encoding"], ["f", "from"], ["i", "call-id"], ["j", "reject-contact"], ["k", "supported"],
  ["l", "content-length"], ["m", "contact"], ["n", "identity-info"], ["o", "event"], ["r", "refer-to"],
  ["s", "subject"], ["t", "to"], ["u", "allow-events"], ["v", "via"], ["x", "session-expires"], ["y", "identity"],
];

interface Candidate {
  readonly spelling: string;
  readonly name: string;
}

const BUCKETS = 1_024;
const LONGEST = 31;
const byLengthAndFirst: readonly (readonly Candidate[] | undefined)[] = candidates();

function candidates(): readonly (readonly Candidate[] | undefined)[] {
  const buckets: (Candidate[] | undefined)[] = new Array<undefined>(BUCKETS).fill(undefined);
  for (const [spelling, name] of [...KNOWN.map((full) => [full, full] as const), ...COMPACT]) {
    const at = bucketOf(spelling.length, spelling.charCodeAt(0));
    const bucket = buckets[at] ?? [];
    bucket.push({ spelling, name });
    buckets[at] = bucket;
  }
  return buckets;
}

function bucketOf(length: number, firstCode: number): number {
  return length * 32 + (firstCode & 31);
}

/** Lower-case full form of the header name in [start, end), which is a token. */
export function fieldName(text: string, start: number, end: number): string {
  const length = end - start;
  if (length <= LONGEST) {
    const bucket = byLengthAndFirst[bucketOf(length, text.charCodeAt(start))];
    if (bucket !== undefined) {
      for (const candidate of bucket) if (spells(text, start, candidate.spelling)) return candidate.name;
    }
  }
  return text.slice(start, end).toLowerCase();
}

/** For tokens, whose other characters keep apart when bit 5 is set. */
function spells(text: string, start: number, spelling: string): boolean {
  for (let i = 0; i < spelling.length; i++) {
    if ((text.charCodeAt(start + i) | 0x20) !== spelling.charCodeAt(i)) return false;
  }
  return true;
}

/** The lines of the fields as they are; neighbors in one text in one piece. */
export function joinFields(fields: readonly HeaderField[]): string {
  let joined = "";
  let text = "";
  let start = 0;
  let end = 0;
  for (const field of fields) {
    if (field.text === text && field.start === end) {
      end = field.end;
      continue;
    }
    if (end > start) joined += text.slice(start, end);
    ({ text, start, end } = field);
  }
  return end > start ? joined + text.slice(start, end) : joined;
}
