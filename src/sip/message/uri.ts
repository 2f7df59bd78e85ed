// URIs: `SipUri` for sip: and sips:, `OpaqueUri` for every other scheme. parseUri, serializeUri,
// addressOfRecord (RFC 3261 10.3 step 5), uriParameter. Comparison is in uri-compare.ts.

import type { Parameter } from "./parameters.ts";

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
export declare function parseUri(text: string): Uri | undefined;
export declare function serializeUri(uri: Uri): string;
/** The value of a parameter ("" if it has none), by name in any case; `undefined` if absent. */
export declare function uriParameter(uri: SipUri, name: string): string | undefined;
/** `user@domain`: user unescaped, host lower case, no port, no parameters; `undefined` without a user (RFC 3261 10.3 step 5). */
export declare function addressOfRecord(uri: SipUri): string | undefined;
/** %-escapes undone, once. Malformed escapes stay as they are. */
export declare function unescapeUser(user: string): string;
/** The user part of a URI for these octets: what the grammar does not allow is escaped. */
export declare function escapeUser(user: string): string;
