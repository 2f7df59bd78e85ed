// Non-INVITE server transaction: RFC 3261 17.2.2 with RFC 4320: no provisional response but a 100,
// that one not before the client's timer E has reached T2, and no answer at all once it came too late.

import { type Instant, milliseconds } from "../../base/time.ts";
import { TimerTable } from "../../base/timer-table.ts";
import { SIXTY_FOUR_T1, TRYING_NOTICE } from "./timers.ts";
import { type Cell, go } from "./transition.ts";

export type NonInviteServerState = "trying" | "proceeding" | "completed" | "terminated";
/** "100": RFC 4320 4.1. "late": the client's timer F has fired, an answer would reach nobody. */
export type NonInviteServerTimer = "J" | "100" | "late";
export type NonInviteServerTrigger = "request" | "send final" | "transport-error" | `timer ${NonInviteServerTimer}`;

export type NonInviteServerOutward = "send" | "resend" | "send trying" | "report too late";
export type NonInviteServerAction = NonInviteServerOutward | "start J";

export const NON_INVITE_SERVER_TRANSITIONS = {
  trying: {
    request: "ignore",
    "send final": go("completed", "start J", "send"),
    "transport-error": go("terminated"),
    "timer J": "ignore",
    "timer 100": go("proceeding", "send trying"),
    "timer late": go("terminated", "report too late"),
  },
  proceeding: {
    request: go("proceeding", "resend"),
    "send final": go("completed", "start J", "send"),
    "transport-error": go("terminated"),
    "timer J": "ignore",
    "timer 100": "ignore",
    "timer late": go("terminated", "report too late"),
  },
  completed: {
    request: go("completed", "resend"),
    "send final": "ignore",
    "transport-error": go("terminated"),
    "timer J": go("terminated"),
    "timer 100": "ignore",
    "timer late": "ignore",
  },
  terminated: {
    request: "ignore",
    "send final": "ignore",
    "transport-error": "ignore",
    "timer J": "ignore",
    "timer 100": "ignore",
    "timer late": "ignore",
  },
} as const satisfies Record<
  NonInviteServerState,
  Record<NonInviteServerTrigger, Cell<NonInviteServerState, NonInviteServerAction>>
>;

/** Runs the table; the layer carries out what `step` returns. Starts in "trying". */
export class NonInviteServer {
  readonly #reliable: boolean;
  readonly #timers = new TimerTable<NonInviteServerTimer>();
  #state: NonInviteServerState = "trying";

  constructor(now: Instant, reliable: boolean) {
    this.#reliable = reliable;
    this.#timers.start("100", now, TRYING_NOTICE);
    this.#timers.start("late", now, SIXTY_FOUR_T1);
  }

  get state(): NonInviteServerState {
    return this.#state;
  }
  next(): Instant | undefined {
    return this.#timers.next();
  }
  takeDue(now: Instant): NonInviteServerTrigger | undefined {
    const timer = this.#timers.takeDue(now);
    return timer === undefined ? undefined : `timer ${timer}`;
  }

  step(now: Instant, trigger: NonInviteServerTrigger): readonly NonInviteServerOutward[] {
    const cell: Cell<NonInviteServerState, NonInviteServerAction> = NON_INVITE_SERVER_TRANSITIONS[this.#state][trigger];
    if (cell === "ignore") return [];
    this.#state = cell.next;
    const outward: NonInviteServerOutward[] = [];
    for (const action of cell.actions) {
      if (action === "start J") this.#startJ(now);
      else outward.push(action);
    }
    if (this.#state === "terminated") this.#timers.stopAll();
    return outward;
  }

  #startJ(now: Instant): void {
    this.#timers.stopAll();
    this.#timers.start("J", now, this.#reliable ? milliseconds(0) : SIXTY_FOUR_T1);
  }
}
