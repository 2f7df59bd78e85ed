// What a link has to say until its next write: messages, and one acknowledgement for all that came.

import { ACK_LENGTH, DATA_OVERHEAD, putAck, putDataFrame } from "../wire/framing.ts";

export class OutgoingFrames {
  /** BOUNDED: by the owner, who takes them out at `LinkMachine`'s limit. */
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #nextSequence = 0;
  #newestReceived: number | undefined;
  /** Bit k: `#newestReceived` - 1 - k came too (RFC 6940 section 6.6.2). */
  #received = 0;
  /** Frames that came since the last write. */
  #owed = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0 && this.#owed === 0;
  }
  /** Bytes the next write would have. */
  get bytes(): number {
    return this.#bytes + (this.#owed > 0 ? ACK_LENGTH : 0);
  }
  /** Sequence number of the newest message taken so far. */
  get newestSent(): number {
    return (this.#nextSequence - 1) >>> 0;
  }
  /** Data frames that came and were not acknowledged. */
  get owed(): number {
    return this.#owed;
  }
  get hasMessages(): boolean {
    return this.#messages.length > 0;
  }

  add(message: Uint8Array): void {
    this.#messages.push(message);
    this.#bytes += DATA_OVERHEAD + message.length;
  }

  /** A data frame came: it will be acknowledged with the next write. */
  owe(sequence: number): void {
    const step = this.#newestReceived === undefined ? 0 : (sequence - this.#newestReceived) >>> 0;
    this.#received = step === 0 || step > 32 ? 0 : (step === 32 ? 0 : this.#received << step) | (1 << (step - 1));
    this.#newestReceived = sequence;
    this.#owed++;
  }

  /** All of it as one piece of the stream. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.bytes);
    let at = 0;
    if (this.#owed > 0) at = putAck(bytes, at, this.#newestReceived ?? 0, this.#received >>> 0);
    for (const message of this.#messages) {
      at = putDataFrame(bytes, at, this.#nextSequence, message);
      this.#nextSequence = (this.#nextSequence + 1) >>> 0;
    }
    this.#messages = [];
    this.#bytes = 0;
    this.#owed = 0;
    return bytes;
  }
}
