// What a peer on the way does to a message: ttl, via list, destination list; nothing behind the
// header is touched or even read (RFC 6940 section 6.1).

import { ByteWriter } from "../../base/bytes.ts";
import { assert } from "../../base/assert.ts";
import type { Destination } from "./destination.ts";
import { type DecodedHeader, endMessage, writeHeader } from "./forwarding-header.ts";

export interface Rewriting {
  /** Destinations to take off the front (our own Node-ID). */
  readonly dropDestinations?: number;
  /** Put in front of what is left (expansion of an opaque id). */
  readonly prependDestinations?: readonly Destination[];
  /** The previous hop, on requests. */
  readonly appendVia?: Destination;
}

/** A copy of `message` with its ttl one lower and its lists changed. `header` is that of `message`. */
export function rewriteForForwarding(message: Uint8Array, header: DecodedHeader, change: Rewriting): Uint8Array {
  assert(header.ttl > 0, "a message without ttl is not forwarded");
  const left = header.destinations.slice(change.dropDestinations ?? 0);
  const writer = new ByteWriter(message.length + 64);
  writeHeader(writer, {
    ...header,
    ttl: header.ttl - 1,
    destinations: change.prependDestinations === undefined ? left : [...change.prependDestinations, ...left],
    via: change.appendVia === undefined ? header.via : [...header.via, change.appendVia],
  });
  writer.bytes(message.subarray(header.headerLength));
  endMessage(writer, 0);
  return writer.view(0, writer.length);
}
