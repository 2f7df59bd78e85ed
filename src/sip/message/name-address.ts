// From, To, Contact, Route, Record-Route, Path: name-addr or addr-spec, then header parameters.
// RFC 3261 20.10: without angle brackets every `;` begins a header parameter and `?` may not occur.
import type { Parameter } from "./parameters.ts";
import type { Uri } from "./uri.ts";

export interface NameAddress {
  /** Without quotes, escapes undone; "" if there is none. */
  readonly displayName: string;
  /** As written. */
  readonly uriText: string;
  readonly uri: Uri;
  readonly parameters: readonly Parameter[];
}
export declare function parseNameAddress(text: string): NameAddress | undefined;
/** `<uri>` with parameters. */
export declare function serializeNameAddress(uri: string, parameters?: string): string;
/** 0 to 1000; `undefined` if malformed or out of range. */
export declare function parseQ(text: string): number | undefined;
/** 1000 -> `1`, 500 -> `0.5`. */
export declare function formatQ(thousandths: number): string;
