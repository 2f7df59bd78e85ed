// Digest authentication (RFC 7616, RFC 8760): challenges, credentials, the response, as values.

import type { Crypto } from "../../base/crypto.ts";
import { LIMITS } from "./limits.ts";
import { EQUALS, equalIgnoringCase, lowerCase, quote, skipBlank, skipClass, splitList, standsAt, TOKEN, trim, unquote } from "./scan.ts";

export type DigestAlgorithm = "MD5" | "SHA-256";

export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** Lower-case hex. */
  readonly response: string;
  /** `undefined`: one we do not have. Absent in the header means MD5. */
  readonly algorithm: DigestAlgorithm | undefined;
  readonly qop: string | undefined;
  readonly cnonce: string | undefined;
  readonly nc: string | undefined;
  readonly opaque: string | undefined;
}

/** `undefined` if it is not Digest or is malformed. */
export function parseDigestCredentials(text: string): DigestCredentials | undefined {
  const start = skipBlank(text, 0);
  if (!standsAt(text, start, "digest")) return undefined;
  const after = start + "digest".length;
  if (skipBlank(text, after) === after) return undefined;
  const values = authParameters(text.slice(after));
  if (values === undefined) return undefined;
  const username = values.get("username");
  const realm = values.get("realm");
  const nonce = values.get("nonce");
  const uri = values.get("uri");
  const response = values.get("response");
  if (username === undefined || realm === undefined || nonce === undefined) return undefined;
  if (uri === undefined || response === undefined) return undefined;
  return {
    username, realm, nonce, uri,
    response: lowerCase(response),
    algorithm: algorithmOf(values.get("algorithm")),
    qop: values.get("qop"),
    cnonce: values.get("cnonce"),
    nc: values.get("nc"),
    opaque: values.get("opaque"),
  };
}

function algorithmOf(text: string | undefined): DigestAlgorithm | undefined {
  if (text === undefined || equalIgnoringCase(text, "MD5")) return "MD5";
  return equalIgnoringCase(text, "SHA-256") ? "SHA-256" : undefined;
}

/** `name=value` pairs by lower-case name, values unquoted; `undefined` if malformed or one occurs twice. */
function authParameters(text: string): Map<string, string> | undefined {
  // BOUNDED: by the members that splitList gives.
  const values = new Map<string, string>();
  for (const member of splitList(text, LIMITS.parameters)) {
    const nameEnd = skipClass(member, 0, member.length, TOKEN);
    const equals = skipBlank(member, nameEnd);
    if (nameEnd === 0 || member.charCodeAt(equals) !== EQUALS) return undefined;
    const name = lowerCase(member.slice(0, nameEnd));
    if (values.has(name)) return undefined;
    values.set(name, unquote(trim(member, equals + 1, member.length)));
  }
  return values;
}

export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  readonly stale: boolean;
  readonly opaque?: string;
}

/** Of a WWW-Authenticate or Proxy-Authenticate; `undefined` if it is none that we can answer. */
export function parseChallenge(text: string): Challenge | undefined {
  const start = skipBlank(text, 0);
  if (!standsAt(text, start, "digest ")) return undefined;
  const values = authParameters(text.slice(start + "digest ".length));
  const realm = values?.get("realm");
  const nonce = values?.get("nonce");
  const algorithm = algorithmOf(values?.get("algorithm"));
  if (values === undefined || realm === undefined || nonce === undefined || algorithm === undefined) return undefined;
  return { realm, nonce, algorithm, stale: values.get("stale") === "true" };
}

/** Value of WWW-Authenticate or Proxy-Authenticate, qop="auth". */
export function formatChallenge({ realm, nonce, algorithm, stale, opaque }: Challenge): string {
  const rest = opaque === undefined ? "" : `, opaque=${quote(opaque)}`;
  return `Digest realm=${quote(realm)}, nonce=${quote(nonce)}, qop="auth", algorithm=${algorithm}${stale ? ", stale=true" : ""}${rest}`;
}

/**
 * Whether the response is right for the method and HA1 (hex) of the credentials' algorithm; qop=auth and none.
 * The caller checks realm, nonce and that the digest-uri is the one it was asked for.
 */
export function isRightResponse(crypto: Crypto, credentials: DigestCredentials, method: string, ha1: string): boolean {
  if (credentials.algorithm === undefined) return false;
  const { qop } = credentials;
  if (qop !== undefined) {
    if (!equalIgnoringCase(qop, "auth") || credentials.cnonce === undefined) return false;
    if (credentials.nc === undefined || credentials.nc.length !== 8) return false;
  }
  return equalSecrets(credentials.response, digestResponse(crypto, credentials, method, ha1));
}

/** HA1 of RFC 7616 3.4.2, hex. */
export const digestHa1 = (crypto: Crypto, algorithm: DigestAlgorithm, username: string, realm: string, password: string): string =>
  hash(crypto, algorithm, `${username}:${realm}:${password}`);

/** What belongs into `response` (RFC 7616 3.4.1), hex. */
export function digestResponse(
  crypto: Crypto,
  { algorithm, nonce, uri, qop, nc, cnonce }: Omit<DigestCredentials, "response">,
  method: string,
  ha1: string,
): string {
  const ha2 = hash(crypto, algorithm, `${method}:${uri}`);
  const middle = qop === undefined ? nonce : `${nonce}:${nc ?? ""}:${cnonce ?? ""}:${qop}`;
  return hash(crypto, algorithm, `${ha1}:${middle}:${ha2}`);
}

const hash = (crypto: Crypto, algorithm: DigestAlgorithm | undefined, octets: string): string =>
  algorithm === "SHA-256" ? crypto.sha256Hex(octets) : crypto.md5Hex(octets);

/** Whether equal, without a branch on where they differ. */
export function equalSecrets(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
