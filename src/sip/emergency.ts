// Calls that are let through when there is no room for others: the numbers by which help is called, and the
// service URN (RFC 5031).

import { isSipUri, type Uri } from "./message/uri.ts";

const NUMBERS: ReadonlySet<string> = new Set(["112", "911", "999", "000", "110", "118"]);
const SERVICE = "urn:service:sos";

export function isEmergencyUri(uri: Uri): boolean {
  if (isSipUri(uri)) return uri.user !== undefined && NUMBERS.has(uri.user);
  return `${uri.scheme}:${uri.opaque.toLowerCase()}`.startsWith(SERVICE) || (uri.scheme === "tel" && NUMBERS.has(uri.opaque));
}

const LONGEST_LOOK = 64;

/** The same of a message that is not parsed, by its first octets. */
export function looksLikeEmergency(octets: string): boolean {
  if (!octets.startsWith("INVITE ")) return false;
  const start = octets.slice(7, 7 + LONGEST_LOOK).toLowerCase();
  if (start.startsWith(SERVICE)) return true;
  const scheme = ["sip:", "sips:", "tel:"].find((prefix) => start.startsWith(prefix));
  if (scheme === undefined) return false;
  let end = scheme.length;
  while (end < start.length && start.charAt(end) >= "0" && start.charAt(end) <= "9") end++;
  return NUMBERS.has(start.slice(scheme.length, end));
}
