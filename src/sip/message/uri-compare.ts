// Whether two URIs are equivalent by RFC 3261 19.1.4.

import type { Parameter } from "./parameters.ts";
import { HEX, isIn, lowerCase, PERCENT } from "./scan.ts";
import { isSipUri, type SipUri, uriParameter, type Uri } from "./uri.ts";

export function sameUri(a: Uri, b: Uri): boolean {
  if (!isSipUri(a) || !isSipUri(b)) return !isSipUri(a) && !isSipUri(b) && a.scheme === b.scheme && a.opaque === b.opaque;
  return uriKey(a) === uriKey(b) && haveSameParameters(a, b) && haveSameHeaders(a.headers, b.headers);
}

/** Equal for equivalent URIs as far as a string can say it: a key for a map, to be followed by `sameUri`. */
export function uriKey(uri: Uri): string {
  if (!isSipUri(uri)) return `${uri.scheme}:${uri.opaque}`;
  // A space parts them: no part of a URI contains one.
  const user = uri.user === undefined ? "" : `${canonicalEscapes(uri.user)}:${canonicalEscapes(uri.password ?? "")}@`;
  return `${uri.scheme}:${user}${uri.host} ${uri.port ?? ""} ${DECISIVE.map((name) => keyOf(uri, name)).join(" ")}`;
}

/** Present in one URI only, these make a difference; other parameters do not (19.1.4). */
const DECISIVE: readonly string[] = ["user", "ttl", "method", "maddr", "transport"];

const keyOf = (uri: SipUri, name: string): string => {
  const value = uriParameter(uri, name);
  return value === undefined ? "" : `=${lowerCase(canonicalEscapes(value))}`;
};

function haveSameParameters(a: SipUri, b: SipUri): boolean {
  const ofB = firstOfEach(b);
  for (const [name, text] of firstOfEach(a)) {
    const other = ofB.get(name);
    if (other !== undefined && other !== text) return false;
  }
  return true;
}

/** No parameter may stand twice (19.1.1); where one does, the first counts, as in `uriParameter`. */
function firstOfEach({ parameters }: SipUri): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const parameter of parameters) {
    const name = parameterName(parameter);
    if (!texts.has(name)) texts.set(name, parameterText(parameter));
  }
  return texts;
}

const parameterName = ({ name }: Parameter): string => lowerCase(canonicalEscapes(name));
const parameterText = ({ value }: Parameter): string => (value === undefined ? "" : `=${lowerCase(canonicalEscapes(value))}`);

/** URI headers are never ignored; their order does not matter. */
function haveSameHeaders(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const ofA = a.split("&").map(canonicalHeader).sort();
  const ofB = b.split("&").map(canonicalHeader).sort();
  return ofA.length === ofB.length && ofA.every((header, i) => header === ofB[i]);
}

function canonicalHeader(header: string): string {
  const equals = header.indexOf("=");
  if (equals < 0) return lowerCase(canonicalEscapes(header));
  return `${lowerCase(canonicalEscapes(header.slice(0, equals)))}=${canonicalEscapes(header.slice(equals + 1))}`;
}

const UNRESERVED = "-_.!~*'()";

/** Escapes of unreserved characters undone, others in upper case: "%61" is "a", "%40" is not "@" (19.1.4). */
function canonicalEscapes(text: string): string {
  if (!text.includes("%")) return text;
  let canonical = "";
  for (let i = 0; i < text.length; i++) {
    const isEscape = text.charCodeAt(i) === PERCENT && isIn(text.charCodeAt(i + 1), HEX) && isIn(text.charCodeAt(i + 2), HEX);
    if (!isEscape) {
      canonical += text.charAt(i);
      continue;
    }
    const escaped = text.slice(i, i + 3).toUpperCase();
    const code = Number.parseInt(escaped.slice(1), 16);
    canonical += isUnreserved(code) ? String.fromCharCode(code) : escaped;
    i += 2;
  }
  return canonical;
}

const isUnreserved = (code: number): boolean =>
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  (code >= 97 && code <= 122) ||
  (code < 0x80 && UNRESERVED.includes(String.fromCharCode(code)));
