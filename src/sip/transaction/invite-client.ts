// INVITE client transaction: RFC 3261 17.1.1 with the Accepted state of RFC 6026.

import { type Duration, type Instant, milliseconds } from "../../base/time.ts";
import { TimerTable } from "../../base/timer-table.ts";
import { SIXTY_FOUR_T1, T1, TIMER_D } from "./timers.ts";
import { type Cell, go } from "./transition.ts";

export type InviteClientState = "calling" | "proceeding" | "accepted" | "completed" | "terminated";
export type InviteClientTimer = "A" | "B" | "D" | "M" | "cancel";
export type InviteClientTrigger =
  | "1xx"
  | "2xx"
  | "300-699"
  /** The transaction user has sent a CANCEL for it. */
  | "cancel"
  | "transport-error"
  | `timer ${InviteClientTimer}`;

/** What the layer does for the machine; the rest are the machine's own timers. */
export type InviteClientOutward = "resend" | "send ack" | "pass up" | "report timeout" | "report transport error";
export type InviteClientAction =
  | InviteClientOutward
  | "double A"
  | "stop A and B"
  | "stop cancel"
  | "start D"
  | "start M"
  | "start cancel";

export const INVITE_CLIENT_TRANSITIONS = {
  calling: {
    "1xx": go("proceeding", "stop A and B", "pass up"),
    "2xx": go("accepted", "stop A and B", "start M", "pass up"),
    "300-699": go("completed", "stop A and B", "start D", "send ack", "pass up"),
    cancel: "ignore",
    "transport-error": go("terminated", "report transport error"),
    "timer A": go("calling", "double A", "resend"),
    "timer B": go("terminated", "report timeout"),
    "timer D": "ignore",
    "timer M": "ignore",
    "timer cancel": "ignore",
  },
  proceeding: {
    "1xx": go("proceeding", "pass up"),
    "2xx": go("accepted", "stop cancel", "start M", "pass up"),
    "300-699": go("completed", "stop cancel", "start D", "send ack", "pass up"),
    cancel: go("proceeding", "start cancel"),
    "transport-error": go("terminated", "report transport error"),
    "timer A": "ignore",
    "timer B": "ignore",
    "timer D": "ignore",
    "timer M": "ignore",
    "timer cancel": go("terminated", "report timeout"),
  },
  accepted: {
    "1xx": "ignore",
    "2xx": go("accepted", "pass up"),
    "300-699": "ignore",
    cancel: "ignore",
    "transport-error": "ignore",
    "timer A": "ignore",
    "timer B": "ignore",
    "timer D": "ignore",
    "timer M": go("terminated"),
    "timer cancel": "ignore",
  },
  completed: {
    "1xx": "ignore",
    "2xx": "ignore",
    "300-699": go("completed", "send ack"),
    cancel: "ignore",
    "transport-error": go("terminated"),
    "timer A": "ignore",
    "timer B": "ignore",
    "timer D": go("terminated"),
    "timer M": "ignore",
    "timer cancel": "ignore",
  },
  terminated: {
    "1xx": "ignore",
    "2xx": "ignore",
    "300-699": "ignore",
    cancel: "ignore",
    "transport-error": "ignore",
    "timer A": "ignore",
    "timer B": "ignore",
    "timer D": "ignore",
    "timer M": "ignore",
    "timer cancel": "ignore",
  },
} as const satisfies Record<InviteClientState, Record<InviteClientTrigger, Cell<InviteClientState, InviteClientAction>>>;

/** Runs the table; the layer carries out what `step` returns. Starts in "calling", the request just sent. */
export class InviteClient {
  readonly #reliable: boolean;
  readonly #timers = new TimerTable<InviteClientTimer>();
  #state: InviteClientState = "calling";
  #interval: Duration = T1;

  constructor(now: Instant, reliable: boolean) {
    this.#reliable = reliable;
    if (!reliable) this.#timers.start("A", now, T1);
    this.#timers.start("B", now, SIXTY_FOUR_T1);
  }

  get state(): InviteClientState {
    return this.#state;
  }
  next(): Instant | undefined {
    return this.#timers.next();
  }
  takeDue(now: Instant): InviteClientTrigger | undefined {
    const timer = this.#timers.takeDue(now);
    return timer === undefined ? undefined : `timer ${timer}`;
  }

  step(now: Instant, trigger: InviteClientTrigger): readonly InviteClientOutward[] {
    const cell: Cell<InviteClientState, InviteClientAction> = INVITE_CLIENT_TRANSITIONS[this.#state][trigger];
    if (cell === "ignore") return [];
    this.#state = cell.next;
    const outward: InviteClientOutward[] = [];
    for (const action of cell.actions) {
      const done = this.#own(now, action);
      if (done !== undefined) outward.push(done);
    }
    if (this.#state === "terminated") this.#timers.stopAll();
    return outward;
  }

  #own(now: Instant, action: InviteClientAction): InviteClientOutward | undefined {
    switch (action) {
      case "double A":
        this.#interval = milliseconds(2 * this.#interval);
        this.#timers.start("A", now, this.#interval);
        return undefined;
      case "stop A and B":
        this.#timers.stop("A");
        this.#timers.stop("B");
        return undefined;
      case "stop cancel":
        this.#timers.stop("cancel");
        return undefined;
      case "start D":
        this.#timers.start("D", now, this.#reliable ? milliseconds(0) : TIMER_D);
        return undefined;
      case "start M":
        this.#timers.start("M", now, SIXTY_FOUR_T1);
        return undefined;
      case "start cancel":
        // A second CANCEL buys no more time.
        if (!this.#timers.isRunning("cancel")) this.#timers.start("cancel", now, SIXTY_FOUR_T1);
        return undefined;
      default:
        return action;
    }
  }
}
