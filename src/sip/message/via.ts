// Via values (RFC 3261 20.42, RFC 3581).
import type { Parameter } from "./parameters.ts";
import type { Address } from "../../base/address.ts";

export interface Via {
  /** Upper case: "UDP", "TCP", … */
  readonly transport: string;
  /** sent-by host, lower case; IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** "" if there is none. */
  readonly branch: string;
  /** IPv6 without brackets. */
  readonly received: string | undefined;
  /** `"asked"`: present without a value. */
  readonly rport: number | "asked" | undefined;
  readonly parameters: readonly Parameter[];
}
export declare function parseVia(text: string): Via | undefined;
export declare function serializeVia(via: Via): string;
/** `received` where sent-by differs from the source or rport was asked for; rport's value if asked for (RFC 3261 18.2.1, RFC 3581 4). */
export declare function stampVia(via: Via, source: Address): Via;
/** Where a response goes over an unreliable transport: received or sent-by host, rport or sent-by port or 5060 (RFC 3261 18.2.2, RFC 3581 4). */
export declare function responseAddress(via: Via): Address;
export const MAGIC_COOKIE = "z9hG4bK";
