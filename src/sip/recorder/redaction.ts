// A SIP message without what is secret in it, for people to read. What is not known to be harmless goes: a header
// field, a parameter of credentials, an attribute of SDP that is not on a list here is replaced, its name stays.

import { LIMITS } from "../message/limits.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import { EQUALS, lowerCase, skipBlank, skipClass, splitList, TOKEN } from "../message/scan.ts";
import { redactSdp } from "./sdp-redaction.ts";
import { REMOVED, redactUris } from "./uri-redaction.ts";

/** Values that hold no secret by what they are. */
const HARMLESS: readonly string[] = [
  "accept", "accept-contact", "accept-encoding", "accept-language", "allow", "allow-events", "answer-mode", "call-id", "content-disposition",
  "content-encoding", "content-language", "content-length", "content-type", "cseq", "date", "event", "expires", "flow-timer", "max-breadth",
  "max-forwards", "mime-version", "min-expires", "min-se", "organization", "p-early-media", "priority", "privacy", "proxy-require", "rack", "reason",
  "recv-info", "reject-contact", "request-disposition", "require", "retry-after", "rseq", "server", "session-expires", "subscription-state",
  "supported", "timestamp", "unsupported", "user-agent", "via", "warning",
];
/** Values with URIs in them. */
const WITH_URIS: readonly string[] = [
  "contact", "diversion", "from", "history-info", "p-asserted-identity", "p-associated-uri", "p-called-party-id", "p-preferred-identity", "refer-to",
  "referred-by", "remote-party-id", "reply-to", "to",
];
/** Values whose URIs are ways, not people. */
const WAYS: readonly string[] = ["path", "record-route", "route", "service-route"];
/** Challenges and credentials, of which some parameters stay. */
const AUTHENTICATION: readonly string[] = [
  "authentication-info", "authorization", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization", "www-authenticate",
];
/** What RFC 7616 has in the open and nobody can log in with. */
const OPEN_PARAMETERS: readonly string[] = ["algorithm", "nc", "qop", "realm", "stale", "uri", "userhash", "username"];

type Treatment = "harmless" | "uris" | "ways" | "authentication";

const TREATMENTS: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ...HARMLESS.map((name) => [name, "harmless"] as const),
  ...WITH_URIS.map((name) => [name, "uris"] as const),
  ...WAYS.map((name) => [name, "ways"] as const),
  ...AUTHENTICATION.map((name) => [name, "authentication"] as const),
]);

/** Start line, fields and body, in octets, with `(removed)` in the place of secrets. */
export function redacted(message: SipRequest | SipResponse): string {
  let text = `${startLine(message)}\r\n`;
  for (const field of message.fields) {
    const treatment = TREATMENTS.get(field.name);
    if (treatment === "harmless") text += field.text.slice(field.start, field.end);
    else text += `${field.text.slice(field.start, field.valueStart)} ${redactedValue(treatment, field.value)}\r\n`;
  }
  return `${text}\r\n${redactedBody(message)}`;
}

/** The first line as it is shown. */
export const startLine = (message: SipRequest | SipResponse): string =>
  message.type === "request" ? `${message.method} ${redactUris(message.uriText)} SIP/2.0` : `SIP/2.0 ${message.status} ${message.reason}`;

function redactedValue(treatment: Treatment | undefined, value: string): string {
  if (treatment === "uris" || treatment === "ways") return redactUris(value, treatment === "ways");
  return treatment === "authentication" ? redactedCredentials(value) : REMOVED;
}

/** Of a scheme that is not Digest nothing stays but its name: Basic is a password, Bearer a key. */
function redactedCredentials(value: string): string {
  const schemeEnd = skipClass(value, 0, value.length, TOKEN);
  const isDigest = lowerCase(value.slice(0, schemeEnd)) === "digest";
  const hasScheme = value.charCodeAt(skipBlank(value, schemeEnd)) !== EQUALS;
  if (hasScheme && !isDigest) return `${value.slice(0, schemeEnd)} ${REMOVED}`;
  const parameters = splitList(hasScheme ? value.slice(schemeEnd) : value, LIMITS.parameters).map(redactedParameter);
  return `${hasScheme ? "Digest " : ""}${parameters.join(", ")}`;
}

function redactedParameter(parameter: string): string {
  const nameEnd = skipClass(parameter, 0, parameter.length, TOKEN);
  const name = lowerCase(parameter.slice(0, nameEnd));
  const isPair = parameter.charCodeAt(skipBlank(parameter, nameEnd)) === EQUALS;
  if (!isPair || nameEnd === 0) return REMOVED;
  return OPEN_PARAMETERS.includes(name) ? redactUris(parameter) : `${parameter.slice(0, nameEnd)}=${REMOVED}`;
}

/** Only a session description is shown, and how a transfer goes: words and keys that were typed are nobody's business. */
function redactedBody(message: SipRequest | SipResponse): string {
  const { body } = message;
  if (body === "") return "";
  const type = canonicalType(message.header("content-type") ?? "");
  const isPlain = !message.has("content-encoding");
  if (type === "application/sdp" && isPlain) return redactSdp(body);
  if (type === "message/sipfrag" && isPlain && body.startsWith("SIP/2.0 ")) return `${firstLine(body)}\r\n`;
  return `(removed: ${body.length} octets${type === "" ? "" : ` of ${type}`})`;
}

const canonicalType = (value: string): string => lowerCase((value.split(";", 1)[0] ?? "").trim());

function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return (end < 0 ? text : text.slice(0, end)).trimEnd();
}
