// SIP out of captured TCP segments: each direction of a connection is put in order, and cut into messages as the box cuts
// it. A connection that was there before the capture is taken up at the next segment that begins a message.

import { BoundedMap } from "../../../base/bounded-map.ts";
import { StreamFramer } from "../../../sip/message/stream-framer.ts";

/** Directions of connections in one capture; the one that began longest ago is forgotten. */
const STREAMS_MAX = 1_024;
/** Segments that came before the one that is missing; then the gap is passed over. */
const AHEAD_MAX = 64;
const HEADER = 20;
const SYN = 0x02;

interface Stream {
  /** Sequence number of the octet that comes next. */
  next: number;
  framer: StreamFramer;
  /** By sequence number. BOUNDED: AHEAD_MAX. */
  readonly ahead: Map<number, string>;
}

export class TcpStreams {
  readonly #streams = new BoundedMap<string, Stream>(STREAMS_MAX, "evict");

  /**
   * The messages that are whole with this segment, TCP header included; none while one is on its way. `undefined`: it is no
   * SIP. `direction` names addresses; the ports are the segment's.
   */
  take(direction: string, segment: Buffer): readonly string[] | undefined {
    if (segment.length < HEADER) return undefined;
    const start = (segment.readUInt8(12) >> 4) * 4;
    if (start < HEADER || start > segment.length) return undefined;
    const key = `${direction} ${segment.readUInt16BE(0)} ${segment.readUInt16BE(2)}`;
    const isFirst = (segment.readUInt8(13) & SYN) !== 0;
    const sequence = (segment.readUInt32BE(4) + (isFirst ? 1 : 0)) >>> 0;
    const octets = segment.toString("latin1", start);
    const known = isFirst ? undefined : this.#streams.get(key);
    const stream = known ?? { next: sequence, framer: new StreamFramer(), ahead: new Map() };
    if (known === undefined) {
      this.#streams.delete(key);
      this.#streams.set(key, stream);
    }
    if (octets === "") return [];
    const messages = put(stream, sequence, octets);
    if (messages === undefined) this.#streams.delete(key);
    return messages;
  }
}

/** `undefined`: the stream cannot be framed any further. */
function put(stream: Stream, sequence: number, octets: string): readonly string[] | undefined {
  const early = distance(stream.next, sequence);
  if (early > 0) {
    stream.ahead.set(sequence, octets);
    if (stream.ahead.size <= AHEAD_MAX) return [];
    // The capture lacks a segment: what follows it begins anew.
    stream.framer = new StreamFramer();
    stream.next = [...stream.ahead.keys()].reduce((first, other) => (distance(first, other) < 0 ? other : first));
    return drain(stream);
  }
  stream.ahead.set(stream.next, octets.slice(-early)); // what was sent again is left out
  return drain(stream);
}

function drain(stream: Stream): readonly string[] | undefined {
  const messages: string[] = [];
  for (let octets = stream.ahead.get(stream.next); octets !== undefined; octets = stream.ahead.get(stream.next)) {
    stream.ahead.delete(stream.next);
    if (octets === "") break;
    stream.next = (stream.next + octets.length) >>> 0;
    for (const framed of stream.framer.push(octets)) {
      if (framed.type === "message") messages.push(framed.octets);
      if (framed.type === "broken") return messages.length > 0 ? messages : undefined;
    }
  }
  return messages;
}

/** From one sequence number to another, on their circle. */
const distance = (from: number, to: number): number => (to - from) | 0;
