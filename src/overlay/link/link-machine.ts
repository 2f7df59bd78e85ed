// One TLS stream between two enrolled boxes, framed by RFC 6940 section 6.6.

import type { Instant, Duration, WallTime } from "../../base/time.ts";
import type { Machine } from "../../base/machine.ts";
import type { Random } from "../../base/random.ts";

export type LinkInput =
  /** `wall` is written into answers to the other side's pings. */
  | { readonly type: "bytes"; readonly bytes: Uint8Array; readonly wall: WallTime }
  | { readonly type: "send"; readonly message: Uint8Array }
  /** Ends a batch: everything waiting leaves in one write. */
  | { readonly type: "tick" };

export type LinkEffect =
  | { readonly type: "write"; readonly bytes: Uint8Array }
  | { readonly type: "message"; readonly message: Uint8Array }
  /** Nothing was heard for `LINK_TIMING.silence`. */
  | { readonly type: "silent" }
  | { readonly type: "heard" }
  /** The other side does not speak the protocol: close the stream. */
  | { readonly type: "broken"; readonly reason: string };

export interface RoundTrip {
  /** SRTT, RTTVAR and RTO of RFC 6298. */
  readonly smoothed: Duration;
  readonly variation: Duration;
  readonly timeout: Duration;
}

export declare class LinkMachine implements Machine<LinkInput, LinkEffect> {
  constructor(settings: { readonly overlay: number; readonly maxMessageBytes: number; readonly random: Random }, now: Instant);
  step(now: Instant, input: LinkInput): readonly LinkEffect[];
  nextDeadline(): Instant | undefined;
  get roundTrip(): RoundTrip | undefined;
}
