// Frames of a TLS-TCP-FH-NO-ICE link (RFC 6940 sections 6.6.2 and 6.6.5): messages and their
// acknowledgements, back to back in one stream, cut by TCP wherever it likes.

import { fault, ok, type Result } from "../../base/result.ts";
import { FIXED_HEADER_LENGTH } from "./forwarding-header.ts";

export type Frame =
  /** `message` is a view of the bytes that came, or a copy if they came in several pieces. */
  | { readonly type: "data"; readonly sequence: number; readonly message: Uint8Array }
  /** Bit k of `received` (from 0): sequence - 1 - k came too. */
  | { readonly type: "ack"; readonly sequence: number; readonly received: number };

const DATA = 0x80;
const ACK = 0x81;
export const DATA_OVERHEAD = 8;
export const ACK_LENGTH = 9;

/** The overlay's `max-message-size` (RFC 6940 section 11.1), bytes: nothing larger is taken from a link, or given to one. */
export const MAX_MESSAGE_BYTES = 256 * 1_024;

/** Most a frame can say; the limit of the overlay is lower. */
export const MAX_FRAMED_BYTES = 0xffffff;

/** Writes a data frame at `at` and returns where it ends. */
export function putDataFrame(target: Uint8Array, at: number, sequence: number, message: Uint8Array): number {
  target[at] = DATA;
  putU32(target, at + 1, sequence);
  target[at + 5] = message.length >>> 16;
  target[at + 6] = message.length >>> 8;
  target[at + 7] = message.length;
  target.set(message, at + DATA_OVERHEAD);
  return at + DATA_OVERHEAD + message.length;
}

/** Writes an acknowledgement at `at` and returns where it ends. */
export function putAck(target: Uint8Array, at: number, sequence: number, received: number): number {
  target[at] = ACK;
  putU32(target, at + 1, sequence);
  putU32(target, at + 5, received);
  return at + ACK_LENGTH;
}

function putU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;

const getU32 = (bytes: Uint8Array, at: number): number =>
  byteAt(bytes, at) * 2 ** 24 + byteAt(bytes, at + 1) * 65_536 + byteAt(bytes, at + 2) * 256 + byteAt(bytes, at + 3);

/** Cuts a stream into frames. After a fault the stream is lost: there is no way back into step. */
export class FrameDecoder {
  readonly #maxMessageBytes: number;
  /** BOUNDED: the beginning of one frame, at most `maxMessageBytes` and its overhead. */
  #partial = NOTHING;
  #have = 0;
  #refused: Uint8Array = NOTHING;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** What is there of a message that was refused for its length; the stream is lost all the same. */
  get refused(): Uint8Array {
    return this.#refused;
  }

  /** All frames that end in `chunk`. `chunk` must not change afterwards. */
  decode(chunk: Uint8Array): Result<readonly Frame[], string> {
    const frames: Frame[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#have > 0) {
        const taken = this.#continue(chunk, at, frames);
        if (typeof taken === "string") return fault(taken);
        at += taken;
        continue;
      }
      const length = this.#frameLength(chunk, at, chunk.length);
      if (typeof length === "string") {
        this.#refused = chunk.subarray(at + DATA_OVERHEAD);
        return fault(length);
      }
      if (length === undefined || length > chunk.length - at) {
        this.#begin(chunk.subarray(at), length ?? ACK_LENGTH);
        break;
      }
      frames.push(frameOf(chunk, at, at + length));
      at += length;
    }
    return ok(frames);
  }

  #begin(start: Uint8Array, room: number): void {
    this.#partial = new Uint8Array(room);
    this.#partial.set(start);
    this.#have = start.length;
  }

  /** How many bytes of `chunk` from `at` the unfinished frame took. */
  #continue(chunk: Uint8Array, at: number, frames: Frame[]): number | string {
    const length = this.#frameLength(this.#partial, 0, this.#have);
    if (typeof length === "string") return length;
    const wanted = length ?? headerLength(byteAt(this.#partial, 0));
    this.#makeRoom(wanted);
    const taken = Math.min(wanted - this.#have, chunk.length - at);
    this.#partial.set(chunk.subarray(at, at + taken), this.#have);
    this.#have += taken;
    if (length !== undefined && this.#have === length) {
      frames.push(frameOf(this.#partial, 0, length));
      this.#partial = NOTHING;
      this.#have = 0;
    }
    return taken;
  }

  #makeRoom(room: number): void {
    if (this.#partial.length >= room) return;
    const larger = new Uint8Array(room);
    larger.set(this.#partial.subarray(0, this.#have));
    this.#partial = larger;
  }

  /** Length of the frame at `at`; `undefined` if too little of it is there; a text if it is none. */
  #frameLength(bytes: Uint8Array, at: number, end: number): number | undefined | string {
    const type = byteAt(bytes, at);
    if (type === ACK) return ACK_LENGTH;
    if (type !== DATA) return `frame type ${type}`;
    if (end - at < DATA_OVERHEAD) return undefined;
    const length = byteAt(bytes, at + 5) * 65_536 + byteAt(bytes, at + 6) * 256 + byteAt(bytes, at + 7);
    if (length > this.#maxMessageBytes) return `message of ${length} bytes, at most ${this.#maxMessageBytes} are taken`;
    if (length < FIXED_HEADER_LENGTH) return `message of ${length} bytes`;
    return DATA_OVERHEAD + length;
  }
}

const NOTHING = new Uint8Array(0);

const headerLength = (type: number): number => (type === ACK ? ACK_LENGTH : DATA_OVERHEAD);

function frameOf(bytes: Uint8Array, at: number, end: number): Frame {
  const sequence = getU32(bytes, at + 1);
  if (byteAt(bytes, at) === ACK) return { type: "ack", sequence, received: getU32(bytes, at + 5) };
  return { type: "data", sequence, message: bytes.subarray(at + DATA_OVERHEAD, end) };
}
