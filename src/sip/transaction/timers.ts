// RFC 3261 table 4, with RFC 6026 (L, M) and RFC 4320. The names are the RFCs'.

import { type Duration, milliseconds, seconds } from "../../base/time.ts";

/** Estimate of the round trip. */
export const T1: Duration = milliseconds(500);
/** Longest interval between retransmissions of a non-INVITE request or an INVITE response. */
export const T2: Duration = seconds(4);
/** How long a message stays in the network. */
export const T4: Duration = seconds(5);
/** Timers B, F, H, J, L, M, and the wait for a final response after a CANCEL (9.1). */
export const SIXTY_FOUR_T1: Duration = milliseconds(64 * T1);
/** Timer D: as long as the far side's timer H over an unreliable transport. */
export const TIMER_D: Duration = SIXTY_FOUR_T1;
/** RFC 4320 4.1: when the client's timer E reaches T2, a 100 is due and allowed. */
export const TRYING_NOTICE: Duration = milliseconds(T1 + 2 * T1 + 4 * T1);
/** RFC 3261 16.6 step 11: more than three minutes. */
export const TIMER_C: Duration = seconds(185);

export const doubled = (interval: Duration, ceiling: Duration): Duration =>
  milliseconds(Math.min(2 * interval, ceiling));
