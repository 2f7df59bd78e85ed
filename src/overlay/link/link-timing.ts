// Every waiting time of a link, in one place.

import { type Duration, milliseconds, seconds } from "../../base/time.ts";

export const LINK_TIMING = {
  /** Nothing received for this long: ask whether the other side is there. */
  keepAlive: milliseconds(500),
  /** Nothing received for this long, three questions unanswered: the link is silent. */
  silence: milliseconds(1_700),
  /** What came is acknowledged with the next message, and by itself after this long. */
  acknowledge: milliseconds(40),
  /** Woken this much too late, the box doubts itself and not the others. */
  ownSleep: milliseconds(1_000),
  /** Least and most retransmission timeout; nothing is resent on TCP, it only says what is slow. */
  leastTimeout: milliseconds(200),
  mostTimeout: seconds(60),
} as const satisfies Record<string, Duration>;
