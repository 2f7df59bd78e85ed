// One way of a TCP connection over a path that loses and delays packets: segments in order, cumulative
// acknowledgements that may be lost too, a retransmission timer that doubles. No fast retransmission and
// no selective acknowledgement: worse than any kernel of today.

import type { EventQueue } from "./event-queue.ts";

/** What lies between two places. */
export interface Path {
  /** Milliseconds until a packet sent now arrives; `undefined`: it never does. */
  packet(from: number, to: number): number | undefined;
}

/** Linux: the round trip of such a path and its least variance of 200 ms. */
const FIRST_TIMEOUT = 300;
const LONGEST_TIMEOUT = 120_000;

/** Retransmits the same thing until it is acknowledged, at doubling distances. */
export class TcpDirection<Segment> {
  readonly #queue: EventQueue;
  readonly #path: Path;
  readonly #from: number;
  readonly #to: number;
  readonly #deliver: (segment: Segment) => void;
  readonly #unacknowledged: Segment[] = [];
  #firstUnacknowledged = 0;
  #delivered = 0;
  readonly #early = new Map<number, Segment>();
  #timeout = FIRST_TIMEOUT;
  #timer = 0;
  #recoverUpTo = 0;

  constructor(queue: EventQueue, path: Path, ends: { readonly from: number; readonly to: number }, deliver: (segment: Segment) => void) {
    this.#queue = queue;
    this.#path = path;
    this.#from = ends.from;
    this.#to = ends.to;
    this.#deliver = deliver;
  }

  send(segment: Segment): void {
    this.#unacknowledged.push(segment);
    this.#transmit(this.#firstUnacknowledged + this.#unacknowledged.length - 1);
    if (this.#unacknowledged.length === 1) this.#arm();
  }

  #transmit(sequence: number): void {
    const segment = this.#unacknowledged[sequence - this.#firstUnacknowledged];
    const delay = this.#path.packet(this.#from, this.#to);
    if (segment !== undefined && delay !== undefined) this.#queue.after(delay, () => this.#arrive(sequence, segment));
  }

  #arrive(sequence: number, segment: Segment): void {
    if (sequence >= this.#delivered) this.#early.set(sequence, segment);
    for (let next = this.#early.get(this.#delivered); next !== undefined; next = this.#early.get(this.#delivered)) {
      this.#early.delete(this.#delivered++);
      this.#deliver(next);
    }
    const acknowledged = this.#delivered;
    const delay = this.#path.packet(this.#to, this.#from);
    if (delay !== undefined) this.#queue.after(delay, () => this.#acknowledged(acknowledged));
  }

  #acknowledged(upTo: number): void {
    if (upTo <= this.#firstUnacknowledged) return;
    this.#unacknowledged.splice(0, upTo - this.#firstUnacknowledged);
    this.#firstUnacknowledged = upTo;
    this.#timeout = FIRST_TIMEOUT;
    if (upTo < this.#recoverUpTo) this.#transmit(upTo);
    this.#arm();
  }

  #arm(): void {
    const timer = ++this.#timer;
    if (this.#unacknowledged.length === 0) return;
    this.#queue.after(this.#timeout, () => {
      if (timer !== this.#timer) return;
      this.#timeout = Math.min(2 * this.#timeout, LONGEST_TIMEOUT);
      this.#recoverUpTo = this.#firstUnacknowledged + this.#unacknowledged.length;
      this.#transmit(this.#firstUnacknowledged);
      this.#arm();
    });
  }
}
