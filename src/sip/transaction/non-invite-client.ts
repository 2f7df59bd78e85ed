// Non-INVITE client transaction: RFC 3261 17.1.2.

import { type Duration, type Instant, milliseconds } from "../../base/time.ts";
import { TimerTable } from "../../base/timer-table.ts";
import { doubled, SIXTY_FOUR_T1, T1, T2, T4 } from "./timers.ts";
import { type Cell, go } from "./transition.ts";

export type NonInviteClientState = "trying" | "proceeding" | "completed" | "terminated";
export type NonInviteClientTimer = "E" | "F" | "K";
export type NonInviteClientTrigger = "1xx" | "200-699" | "transport-error" | `timer ${NonInviteClientTimer}`;

export type NonInviteClientOutward = "resend" | "pass up" | "report timeout" | "report transport error";
export type NonInviteClientAction = NonInviteClientOutward | "double E" | "E at T2" | "stop E and F" | "start K";

export const NON_INVITE_CLIENT_TRANSITIONS = {
  trying: {
    "1xx": go("proceeding", "pass up"),
    "200-699": go("completed", "stop E and F", "start K", "pass up"),
    "transport-error": go("terminated", "report transport error"),
    "timer E": go("trying", "double E", "resend"),
    "timer F": go("terminated", "report timeout"),
    "timer K": "ignore",
  },
  proceeding: {
    "1xx": go("proceeding", "pass up"),
    "200-699": go("completed", "stop E and F", "start K", "pass up"),
    "transport-error": go("terminated", "report transport error"),
    "timer E": go("proceeding", "E at T2", "resend"),
    "timer F": go("terminated", "report timeout"),
    "timer K": "ignore",
  },
  completed: {
    "1xx": "ignore",
    "200-699": "ignore",
    "transport-error": "ignore",
    "timer E": "ignore",
    "timer F": "ignore",
    "timer K": go("terminated"),
  },
  terminated: {
    "1xx": "ignore",
    "200-699": "ignore",
    "transport-error": "ignore",
    "timer E": "ignore",
    "timer F": "ignore",
    "timer K": "ignore",
  },
} as const satisfies Record<
  NonInviteClientState,
  Record<NonInviteClientTrigger, Cell<NonInviteClientState, NonInviteClientAction>>
>;

/** Runs the table; the layer carries out what `step` returns. Starts in "trying", the request just sent. */
export class NonInviteClient {
  readonly #reliable: boolean;
  readonly #timers = new TimerTable<NonInviteClientTimer>();
  #state: NonInviteClientState = "trying";
  #interval: Duration = T1;

  constructor(now: Instant, reliable: boolean) {
    this.#reliable = reliable;
    if (!reliable) this.#timers.start("E", now, T1);
    this.#timers.start("F", now, SIXTY_FOUR_T1);
  }

  get state(): NonInviteClientState {
    return this.#state;
  }
  next(): Instant | undefined {
    return this.#timers.next();
  }
  takeDue(now: Instant): NonInviteClientTrigger | undefined {
    const timer = this.#timers.takeDue(now);
    return timer === undefined ? undefined : `timer ${timer}`;
  }

  step(now: Instant, trigger: NonInviteClientTrigger): readonly NonInviteClientOutward[] {
    const cell: Cell<NonInviteClientState, NonInviteClientAction> = NON_INVITE_CLIENT_TRANSITIONS[this.#state][trigger];
    if (cell === "ignore") return [];
    this.#state = cell.next;
    const outward: NonInviteClientOutward[] = [];
    for (const action of cell.actions) {
      const done = this.#own(now, action);
      if (done !== undefined) outward.push(done);
    }
    if (this.#state === "terminated") this.#timers.stopAll();
    return outward;
  }

  #own(now: Instant, action: NonInviteClientAction): NonInviteClientOutward | undefined {
    switch (action) {
      case "double E":
        this.#interval = doubled(this.#interval, T2);
        this.#timers.start("E", now, this.#interval);
        return undefined;
      case "E at T2":
        this.#timers.start("E", now, T2);
        return undefined;
      case "stop E and F":
        this.#timers.stop("E");
        this.#timers.stop("F");
        return undefined;
      case "start K":
        this.#timers.start("K", now, this.#reliable ? milliseconds(0) : T4);
        return undefined;
      default:
        return action;
    }
  }
}
