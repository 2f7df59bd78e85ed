// parseMessage: one whole message (a datagram, or what the stream framer cut out) to SipRequest or SipResponse, or why not.
// readMessage: the same, then validated: what a SIP element does first with anything that comes in.

import type { Result } from "../../base/result.ts";
import type { SipRequest, SipResponse, ValidRequest, ValidResponse } from "./message.ts";
import type { Rejection } from "./validate.ts";

/** Nothing that can or may be answered. */
export interface Dropped {
  readonly type: "dropped";
  /** A name out of a fixed set, for counting. */
  readonly event: "keep-alive" | "stun" | "garbage" | "bad-response" | "bad-ack" | "too-large";
}
export type ParseFault = Rejection | Dropped;
export declare function parseMessage(octets: string): Result<SipRequest | SipResponse, ParseFault>;
export declare function readMessage(octets: string): Result<ValidRequest | ValidResponse, ParseFault>;
