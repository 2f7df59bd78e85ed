// From, To, Contact, Route, Record-Route, Path: name-addr or addr-spec, then header parameters.
// RFC 3261 20.10: without angle brackets every `;` begins a header parameter and `?` may not occur.

import { type Parameter, parseParameters } from "./parameters.ts";
import { BARE_VALUE, isBlank, isIn, LEFT_ANGLE, parseUnsigned, QUOTE, skipBlank, skipQuoted, trim, unquote } from "./scan.ts";
import { parseUri, type Uri } from "./uri.ts";

export interface NameAddress {
  /** Without quotes, escapes undone; "" if there is none. */
  readonly displayName: string;
  /** As written. */
  readonly uriText: string;
  readonly uri: Uri;
  readonly parameters: readonly Parameter[];
}

/** `undefined` if malformed. The text is one value, unfolded. */
export function parseNameAddress(text: string): NameAddress | undefined {
  const start = skipBlank(text, 0);
  if (text.charCodeAt(start) === QUOTE) {
    const end = skipQuoted(text, start);
    if (end < 0) return undefined;
    const angle = skipBlank(text, end);
    return text.charCodeAt(angle) === LEFT_ANGLE ? bracketed(text, angle, unquote(text.slice(start, end))) : undefined;
  }
  const angle = text.indexOf("<", start);
  if (angle < 0) return unbracketed(text, start);
  return isPlainName(text, start, angle) ? bracketed(text, angle, trim(text, start, angle)) : undefined;
}

/** Wider than `*(token LWS)`: no character in it could be taken for the end of the name or of the value. */
function isPlainName(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (!isBlank(code) && !isIn(code, BARE_VALUE)) return false;
  }
  return true;
}

function bracketed(text: string, angle: number, displayName: string): NameAddress | undefined {
  const close = text.indexOf(">", angle);
  if (close < 0) return undefined;
  return nameAddress(displayName, text.slice(angle + 1, close), text, close + 1);
}

function unbracketed(text: string, start: number): NameAddress | undefined {
  const semicolon = text.indexOf(";", start);
  const end = semicolon < 0 ? text.length : semicolon;
  const uriText = trim(text, start, end);
  if (uriText.includes("?") || uriText.includes(",")) return undefined;
  return nameAddress("", uriText, text, end);
}

function nameAddress(displayName: string, uriText: string, text: string, at: number): NameAddress | undefined {
  const uri = parseUri(uriText);
  if (uri === undefined) return undefined;
  const parameters = parseParameters(text, at);
  return parameters === undefined ? undefined : { displayName, uriText, uri, parameters };
}

/** `<uri>` with parameters, written as `;name=value…`. */
export const serializeNameAddress = (uri: string, parameters = ""): string => `<${uri}>${parameters}`;

/** 0 to 1000 for `q=0` to `q=1.000`; `undefined` if malformed or out of range. */
export function parseQ(text: string): number | undefined {
  const point = text.indexOf(".");
  const whole = parseUnsigned(point < 0 ? text : text.slice(0, point), 1);
  if (whole === undefined) return undefined;
  const decimals = point < 0 ? "" : text.slice(point + 1);
  if (decimals.length > 3) return undefined;
  const thousandths = parseUnsigned(decimals.padEnd(3, "0"), 999);
  if (thousandths === undefined) return undefined;
  const value = whole * 1_000 + thousandths;
  return value > 1_000 ? undefined : value;
}

/** 1000 -> `1`, 500 -> `0.5`. */
export function formatQ(thousandths: number): string {
  if (thousandths >= 1_000) return "1";
  let decimals = String(thousandths).padStart(3, "0");
  while (decimals.endsWith("0")) decimals = decimals.slice(0, -1);
  return decimals === "" ? "0" : `0.${decimals}`;
}
