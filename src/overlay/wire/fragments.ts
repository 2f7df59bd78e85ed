// Reassembly of fragmented messages (RFC 6940 section 6.7). On a TCP link nobody needs to fragment;
// what others fragmented is accepted by its destination, and nowhere else.

import { BoundedMap } from "../../base/bounded-map.ts";
import { ByteWriter } from "../../base/bytes.ts";
import { after, type Duration, type Instant, seconds } from "../../base/time.ts";
import { type DecodedHeader, endMessage, type ForwardingHeader, writeHeader } from "./forwarding-header.ts";
import type { TransactionId } from "./identifiers.ts";

interface Pieces {
  readonly expiresAt: Instant;
  readonly byOffset: Map<number, Uint8Array>;
  bytes: number;
  /** Length behind the header, once the last piece is there. */
  total: number | undefined;
}

/** An incomplete message is forgotten after this (RFC 6940 section 6.7). */
export const FRAGMENT_LIFETIME: Duration = seconds(15);

/** BOUNDED: incomplete messages at a time; one more displaces the oldest. */
const MAX_MESSAGES = 16;
/** BOUNDED: pieces of one message; more, and the message is forgotten. */
const MAX_PIECES = 256;

export class FragmentCollector {
  readonly #maxMessageBytes: number;
  readonly #incomplete = new BoundedMap<TransactionId, Pieces>(MAX_MESSAGES, "evict");

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Takes one fragment; gives the whole message when it was the missing one. */
  add(now: Instant, message: Uint8Array, header: DecodedHeader): Uint8Array | undefined {
    if (header.fragment === undefined) return message;
    this.#forgetExpired(now);
    const pieces = this.#piecesOf(now, header.transactionId);
    const { offset, last } = header.fragment;
    // A place that is filled stays as it is: a second piece there would be held without being counted.
    if (pieces.byOffset.has(offset)) return undefined;
    const piece = message.slice(header.headerLength);
    pieces.bytes += piece.length;
    pieces.byOffset.set(offset, piece);
    if (last) pieces.total = offset + piece.length;
    if (pieces.bytes > this.#maxMessageBytes || pieces.byOffset.size > MAX_PIECES) {
      this.#incomplete.delete(header.transactionId);
      return undefined;
    }
    const whole = pieces.bytes === pieces.total ? assemble(header, pieces) : undefined;
    if (whole !== undefined) this.#incomplete.delete(header.transactionId);
    return whole;
  }

  #piecesOf(now: Instant, id: TransactionId): Pieces {
    const known = this.#incomplete.get(id);
    if (known !== undefined) return known;
    const pieces: Pieces = { expiresAt: after(now, FRAGMENT_LIFETIME), byOffset: new Map(), bytes: 0, total: undefined };
    this.#incomplete.set(id, pieces);
    return pieces;
  }

  /** The oldest come first: all have the same lifetime. */
  #forgetExpired(now: Instant): void {
    for (const [id, pieces] of this.#incomplete) {
      if (pieces.expiresAt > now) return;
      this.#incomplete.delete(id);
    }
  }
}

/** `undefined` if the pieces leave a gap or overlap. */
function assemble(header: ForwardingHeader, { byOffset, total = 0 }: Pieces): Uint8Array | undefined {
  const writer = new ByteWriter(total + 256);
  const { fragment: _, ...whole } = header;
  writeHeader(writer, whole);
  for (let at = 0; at < total; ) {
    const piece = byOffset.get(at);
    if (piece === undefined || piece.length === 0) return undefined;
    writer.bytes(piece);
    at += piece.length;
  }
  endMessage(writer, 0);
  return writer.finish();
}
