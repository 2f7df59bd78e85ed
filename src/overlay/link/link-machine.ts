// One TLS stream between two enrolled boxes, framed by RFC 6940 section 6.6. The RFC tests a link
// only by traffic; here a quiet one is pinged, so that its silence means something.
//
// Its host feeds it what happened (`bytes`, `send`) and ends each batch with `tick`, or ticks when
// `nextDeadline` says so, which is at once when something waits. One departure from the RFC: a link
// whose acknowledgements are later than the retransmission timeout is not taken out of the routing
// table (silence decides).

import { assert } from "../../base/assert.ts";
import type { Machine } from "../../base/machine.ts";
import type { Random } from "../../base/random.ts";
import { after, between, type Duration, earliest, type Instant, milliseconds, type WallTime } from "../../base/time.ts";
import type { NodeId } from "../ports.ts";
import { FrameDecoder } from "../wire/framing.ts";
import type { TransactionId } from "../wire/identifiers.ts";
import { answerPing, isKeepAlive, isPingAnswer, makePing, transactionOf } from "./keep-alive.ts";
import { LINK_TIMING } from "./link-timing.ts";
import { refuseTooLarge } from "./too-large.ts";
import { OutgoingFrames } from "./outgoing-frames.ts";
import { type RoundTrip, RoundTripEstimate } from "./round-trip.ts";

export type LinkInput =
  /** From the stream. `wall` is written into answers to the other side's pings. */
  | { readonly type: "bytes"; readonly bytes: Uint8Array; readonly wall: WallTime }
  /** The stream is open: ping at once, so that the other side hears that its certificate was believed. */
  | { readonly type: "greet" }
  /** A whole RELOAD message, at most `maxMessageBytes`; it waits for the end of the batch. */
  | { readonly type: "send"; readonly message: Uint8Array }
  /** Ends a batch: everything waiting leaves in one write. Also what `nextDeadline` asks for. */
  | { readonly type: "tick" };

export type LinkEffect =
  | { readonly type: "write"; readonly bytes: Uint8Array }
  | { readonly type: "message"; readonly message: Uint8Array }
  /** Nothing was heard for `LINK_TIMING.silence`. */
  | { readonly type: "silent" }
  | { readonly type: "heard" }
  /** The other side does not speak the protocol: close the stream. Nothing comes after it. */
  | { readonly type: "broken"; readonly reason: string };

export interface LinkSettings {
  /** See `overlayHash`. */
  readonly overlay: number;
  /** Whose certificate the other end has. */
  readonly remote: NodeId;
  readonly maxMessageBytes: number;
  readonly random: Random;
}

type State = "live" | "silent" | "broken";
type Trigger = "bytes came" | "nothing came" | "malformed";
interface Cell {
  readonly next: State;
  readonly tell: "silent" | "heard" | undefined;
}
const go = (next: State, tell?: "silent" | "heard"): Cell => ({ next, tell });

export const TRANSITIONS = {
  live: {
    "bytes came": go("live"),
    "nothing came": go("silent", "silent"),
    malformed: go("broken"),
  },
  silent: {
    "bytes came": go("live", "heard"),
    "nothing came": go("silent"),
    malformed: go("broken"),
  },
  broken: {
    "bytes came": go("broken"),
    "nothing came": go("broken"),
    malformed: go("broken"),
  },
} as const satisfies Record<State, Record<Trigger, Cell>>;

/** BOUNDED: bytes waiting for the end of a batch; beyond it they are written at once. */
const MAX_WAITING = 65_536;

/** Frames that one acknowledgement can name, one among them by its number (RFC 6940 section 6.6.2); at half of them it is sent. */
const MAX_OWED = 16;

/** BOUNDED: own pings whose answers are still told from the core's; older ones go up to the core, which drops them. */
const MAX_OPEN_PINGS = 8;

export class LinkMachine implements Machine<LinkInput, LinkEffect> {
  readonly #settings: LinkSettings;
  readonly #decoder: FrameDecoder;
  readonly #outgoing = new OutgoingFrames();
  readonly #roundTrip = new RoundTripEstimate();
  readonly #interval: Duration;
  readonly #openPings: TransactionId[] = [];
  #state: State = "live";
  #lastHeard: Instant;
  #lastPing: Instant;
  /** Moved only when it is due, not with every frame, so that a busy link costs its host no timer work. */
  #wakeAt: Instant;
  /** Since when something waits for the end of the batch. */
  #waitingSince: Instant | undefined;
  /** When what came is acknowledged, if nothing is said before. */
  #acknowledgeAt: Instant | undefined;

  constructor(settings: LinkSettings, now: Instant) {
    this.#settings = settings;
    this.#decoder = new FrameDecoder(settings.maxMessageBytes);
    // A little luck keeps the two ends, and many links of one box, from asking at the same moment.
    this.#interval = milliseconds(Math.round(LINK_TIMING.keepAlive * (0.9 + 0.1 * settings.random.fraction())));
    this.#lastHeard = now;
    this.#lastPing = now;
    this.#wakeAt = after(now, this.#interval);
  }

  /** Undefined until the first acknowledgement. */
  get roundTrip(): RoundTrip | undefined {
    return this.#roundTrip.current;
  }

  nextDeadline(): Instant | undefined {
    if (this.#state === "broken") return undefined;
    return this.#waitingSince ?? earliest(this.#acknowledgeAt, this.#wakeAt);
  }

  step(now: Instant, input: LinkInput): readonly LinkEffect[] {
    if (this.#state === "broken") return NOTHING;
    this.#doubtOwnSleep(now);
    const effects: LinkEffect[] = [];
    switch (input.type) {
      case "bytes":
        this.#receive(now, input.bytes, input.wall, effects);
        break;
      case "greet":
        this.#ping(now);
        break;
      case "send":
        assert(input.message.length <= this.#settings.maxMessageBytes, "a message larger than the overlay's limit");
        this.#say(now, input.message);
        break;
      case "tick":
        this.#watch(now, effects);
        this.#flush(now, effects);
    }
    if (this.#outgoing.bytes > MAX_WAITING) this.#flush(now, effects);
    return effects;
  }

  /** Late by more than the other side's silence could explain: it was we who slept. */
  #doubtOwnSleep(now: Instant): void {
    if (between(this.#wakeAt, now) <= LINK_TIMING.ownSleep) return;
    this.#lastHeard = now;
    this.#wakeAt = now;
  }

  #receive(now: Instant, bytes: Uint8Array, wall: WallTime, effects: LinkEffect[]): void {
    const frames = this.#decoder.decode(bytes);
    if (!frames.ok) {
      const refusal = refuseTooLarge(this.#settings.overlay, this.#decoder.refused, this.#settings.remote);
      if (refusal !== undefined) {
        this.#say(now, refusal);
        this.#flush(now, effects);
      }
      this.#enter("malformed", effects);
      effects.push({ type: "broken", reason: frames.fault });
      return;
    }
    this.#lastHeard = now;
    this.#enter("bytes came", effects);
    for (const frame of frames.value) {
      if (frame.type === "ack") this.#roundTrip.acknowledged(frame.sequence, now);
      else this.#deliver(now, frame.sequence, frame.message, wall, effects);
    }
  }

  #deliver(now: Instant, sequence: number, message: Uint8Array, wall: WallTime, effects: LinkEffect[]): void {
    this.#outgoing.owe(sequence);
    if (this.#outgoing.owed >= MAX_OWED) this.#waitingSince ??= now;
    this.#acknowledgeAt ??= after(now, LINK_TIMING.acknowledge);
    if (isKeepAlive(message)) {
      const { overlay, remote, random } = this.#settings;
      this.#say(now, answerPing(overlay, message, remote, random, wall));
    } else if (!this.#isOwnPingAnswered(message)) {
      effects.push({ type: "message", message });
    }
  }

  #isOwnPingAnswered(message: Uint8Array): boolean {
    if (this.#openPings.length === 0 || !isPingAnswer(message)) return false;
    const at = this.#openPings.indexOf(transactionOf(message));
    if (at < 0) return false;
    this.#openPings.splice(0, at + 1);
    return true;
  }

  #say(now: Instant, message: Uint8Array): void {
    this.#outgoing.add(message);
    this.#waitingSince ??= now;
  }

  #watch(now: Instant, effects: LinkEffect[]): void {
    if (now < this.#wakeAt) return;
    if (now >= this.#silentAt()) this.#enter("nothing came", effects);
    if (now >= this.#pingAt()) this.#ping(now);
    const pingAt = this.#pingAt();
    this.#wakeAt = this.#state === "live" && this.#silentAt() < pingAt ? this.#silentAt() : pingAt;
  }

  #silentAt(): Instant {
    return after(this.#lastHeard, LINK_TIMING.silence);
  }

  #pingAt(): Instant {
    return after(this.#lastHeard > this.#lastPing ? this.#lastHeard : this.#lastPing, this.#interval);
  }

  #ping(now: Instant): void {
    const ping = makePing(this.#settings.overlay, this.#settings.random);
    if (this.#openPings.length === MAX_OPEN_PINGS) this.#openPings.shift();
    this.#openPings.push(ping.transactionId);
    this.#lastPing = now;
    this.#say(now, ping.message);
  }

  #flush(now: Instant, effects: LinkEffect[]): void {
    const isDue = this.#waitingSince !== undefined || (this.#acknowledgeAt !== undefined && now >= this.#acknowledgeAt);
    if (!isDue || this.#outgoing.isEmpty) return;
    this.#waitingSince = undefined;
    this.#acknowledgeAt = undefined;
    const hasMessages = this.#outgoing.hasMessages;
    effects.push({ type: "write", bytes: this.#outgoing.take() });
    if (hasMessages) this.#roundTrip.sent(this.#outgoing.newestSent, now);
  }

  #enter(trigger: Trigger, effects: LinkEffect[]): void {
    const { next, tell }: Cell = TRANSITIONS[this.#state][trigger];
    this.#state = next;
    if (tell !== undefined) effects.push({ type: tell });
  }
}

const NOTHING: readonly LinkEffect[] = [];
