// What a peer on the way does to a message: ttl, via list, destination list; nothing behind the
// header is touched or even read (RFC 6940 section 6.1).

import type { DecodedHeader, Destination } from "./forwarding-header.ts";

export interface Rewriting {
  /** Destinations to take off the front (our own Node-ID). */
  readonly dropDestinations?: number;
  /** Put in front of what is left (expansion of an opaque id). */
  readonly prependDestinations?: readonly Destination[];
  /** The previous hop, on requests. */
  readonly appendVia?: Destination;
}

/** A copy of `message` with its ttl one lower and its lists changed. `header` is that of `message`. */
export declare function rewriteForForwarding(message: Uint8Array, header: DecodedHeader, change: Rewriting): Uint8Array;
