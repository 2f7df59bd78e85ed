// The forwarding header (RFC 6940 section 6.3.2).

import type { Result } from "../../base/result.ts";
import type { NodeId, ResourceId } from "../ports.ts";
import type { TransactionId } from "./identifiers.ts";
import type { WireFault } from "./wire-fault.ts";

export type Destination =
  | { readonly type: "node"; readonly nodeId: NodeId }
  | { readonly type: "resource"; readonly resource: ResourceId }
  /** Bytes only the peer that made them understands, hex. */
  | { readonly type: "opaque"; readonly id: string }
  /** The two-byte form of an opaque id: 15 bits. */
  | { readonly type: "compressed"; readonly id: number }
  /** A type we do not know, hex of its data; passed on as it came. */
  | { readonly type: "unknown"; readonly code: number; readonly contents: string };

export interface ForwardingOption {
  readonly type: number;
  /** FORWARD_CRITICAL 1, DESTINATION_CRITICAL 2, RESPONSE_COPY 4 (RFC 6940 section 6.3.2.3). */
  readonly flags: number;
  readonly value: Uint8Array;
}

export interface ForwardingHeader {
  /** Hash of the overlay's name, see `overlayHash`. */
  readonly overlay: number;
  readonly configurationSequence: number;
  readonly ttl: number;
  readonly transactionId: TransactionId;
  /** Bytes; 0 is unlimited. */
  readonly maxResponseLength: number;
  readonly via: readonly Destination[];
  readonly destinations: readonly Destination[];
  readonly options: readonly ForwardingOption[];
  /** Absent: whole. Otherwise where this piece begins, in bytes after the header. */
  readonly fragment?: { readonly offset: number; readonly last: boolean };
}

export interface DecodedHeader extends ForwardingHeader {
  /** Where the header ends and the contents begin. */
  readonly headerLength: number;
}

export const INITIAL_TTL = 100;

/** Token, version, overlay, length and lists are checked; the contents are not looked at. */
export declare function decodeHeader(message: Uint8Array, overlay: number): Result<DecodedHeader, WireFault>;
