// Drives one peer: collects what arrived into a batch, reads the clock once, steps, persists, then
// transmits. Effects never call `step`: what comes of them joins the queue as inputs.

import type { Duration, Instant, WallTime } from "../base/time.ts";
import type { PeerEffect, PeerInput } from "../peer/ports.ts";

export interface Stepped {
  step(now: Instant, inputs: readonly PeerInput[]): readonly PeerEffect[];
  nextDeadline(): Instant | undefined;
}

export interface Clocks {
  now(): Instant;
  wall(): WallTime;
}

/** Carries the effects of one step out, in order; may keep some back to send them together at the end. */
export interface Performer {
  perform(effects: readonly PeerEffect[]): void;
}

/** A step longer than this would keep the loop from its sockets; the rest of the queue waits its turn. */
const BATCH_MAX = 512;

/** A box that does not come to its turn for so long stood still: nobody gives it up before… */
const OWN_SLEEP = 1_000 as Duration;
/** …and this often it looks, so that an idle one does not take its idleness for sleep. */
const BEAT_MS = 250;

/** The wall clock is read again this often, so that a jump of it is noticed. */
const CLOCK_EVERY = 1_000 as Duration;

export class Driver {
  readonly #peer: Stepped;
  readonly #clocks: Clocks;
  readonly #performer: Performer;
  /** BOUNDED: by the sockets' own buffers: everything queued is taken in the next turns of the loop. */
  #queue: PeerInput[] = [];
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** The deadline that the timer waits for; infinite: none runs. */
  #armedFor: number = Number.POSITIVE_INFINITY;
  #clockReadAt: number = Number.NEGATIVE_INFINITY;
  readonly #heart: NodeJS.Timeout;
  #aliveAt: Instant;
  #closed = false;

  constructor(peer: Stepped, clocks: Clocks, performer: Performer) {
    this.#peer = peer;
    this.#clocks = clocks;
    this.#performer = performer;
    this.#aliveAt = clocks.now();
    this.#heart = setInterval(this.#beat, BEAT_MS);
  }

  /** Queues an input; all that arrive in one turn of the event loop make one step. */
  readonly take = (input: PeerInput): void => {
    this.#queue.push(input);
    this.#schedule();
  };

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#heart);
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    if (this.#closed) return;
    const now = this.#clocks.now();
    // Before all that was waiting in the sockets meanwhile.
    if (this.#stoodStill(now)) this.#queue.unshift({ type: "slept" });
    const batch = this.#queue.length <= BATCH_MAX ? this.#queue : this.#queue.slice(0, BATCH_MAX);
    this.#queue = batch.length === this.#queue.length ? [] : this.#queue.slice(BATCH_MAX);
    if (now - this.#clockReadAt >= CLOCK_EVERY) {
      this.#clockReadAt = now;
      batch.unshift({ type: "clock", wall: this.#clocks.wall() });
    }
    const deadline = this.#peer.nextDeadline();
    if (deadline !== undefined && deadline <= now) batch.push({ type: "tick" });
    this.#performer.perform(this.#peer.step(now, batch));
    if (this.#queue.length > 0) this.#schedule();
    this.#arm();
  };

  readonly #beat = (): void => {
    const now = this.#clocks.now();
    if (now - this.#aliveAt > OWN_SLEEP) this.#schedule();
    else this.#aliveAt = now;
  };
  #stoodStill(now: Instant): boolean {
    const slept = now - this.#aliveAt > OWN_SLEEP;
    this.#aliveAt = now;
    return slept;
  }

  /** A timer that fires too early only looks and arms itself again; most deadlines move back, turn after turn. */
  #arm(): void {
    const deadline = this.#peer.nextDeadline();
    if (deadline === undefined || deadline >= this.#armedFor) return;
    clearTimeout(this.#timer);
    this.#armedFor = deadline;
    const delay = Math.max(0, Math.min(deadline - this.#clocks.now(), 2 ** 31 - 1));
    this.#timer = setTimeout(this.#wake, Math.ceil(delay));
  }

  readonly #wake = (): void => {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const deadline = this.#peer.nextDeadline();
    if (deadline !== undefined && deadline <= this.#clocks.now()) this.#schedule();
    else this.#arm();
  };
}
