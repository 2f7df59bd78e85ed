// INVITE server transaction: RFC 3261 17.2.1 with the Accepted state of RFC 6026.

import { type Duration, type Instant, milliseconds } from "../../base/time.ts";
import { TimerTable } from "../../base/timer-table.ts";
import { doubled, SIXTY_FOUR_T1, T1, T2, T4 } from "./timers.ts";
import { type Cell, go } from "./transition.ts";

export type InviteServerState = "proceeding" | "accepted" | "completed" | "confirmed" | "terminated";
export type InviteServerTimer = "G" | "H" | "I" | "L";
export type InviteServerTrigger =
  | "request"
  | "ack"
  | "send 1xx"
  | "send 2xx"
  | "send 300-699"
  | "transport-error"
  | `timer ${InviteServerTimer}`;

/** "send": the response at hand. "resend": the last one again. "pass up": an ACK that belongs to a 2xx. */
export type InviteServerOutward = "send" | "resend" | "pass up" | "report no ack";
export type InviteServerAction = InviteServerOutward | "start G and H" | "double G" | "stop G and H" | "start I" | "start L";

export const INVITE_SERVER_TRANSITIONS = {
  proceeding: {
    request: go("proceeding", "resend"),
    ack: "ignore",
    "send 1xx": go("proceeding", "send"),
    "send 2xx": go("accepted", "start L", "send"),
    "send 300-699": go("completed", "start G and H", "send"),
    "transport-error": "ignore",
    "timer G": "ignore",
    "timer H": "ignore",
    "timer I": "ignore",
    "timer L": "ignore",
  },
  accepted: {
    request: "ignore",
    ack: go("accepted", "pass up"),
    "send 1xx": "ignore",
    "send 2xx": go("accepted", "send"),
    "send 300-699": "ignore",
    "transport-error": "ignore",
    "timer G": "ignore",
    "timer H": "ignore",
    "timer I": "ignore",
    "timer L": go("terminated"),
  },
  completed: {
    request: go("completed", "resend"),
    ack: go("confirmed", "stop G and H", "start I"),
    "send 1xx": "ignore",
    "send 2xx": "ignore",
    "send 300-699": "ignore",
    "transport-error": go("terminated"),
    "timer G": go("completed", "double G", "resend"),
    "timer H": go("terminated", "report no ack"),
    "timer I": "ignore",
    "timer L": "ignore",
  },
  confirmed: {
    request: "ignore",
    ack: "ignore",
    "send 1xx": "ignore",
    "send 2xx": "ignore",
    "send 300-699": "ignore",
    "transport-error": "ignore",
    "timer G": "ignore",
    "timer H": "ignore",
    "timer I": go("terminated"),
    "timer L": "ignore",
  },
  terminated: {
    request: "ignore",
    ack: "ignore",
    "send 1xx": "ignore",
    "send 2xx": "ignore",
    "send 300-699": "ignore",
    "transport-error": "ignore",
    "timer G": "ignore",
    "timer H": "ignore",
    "timer I": "ignore",
    "timer L": "ignore",
  },
} as const satisfies Record<InviteServerState, Record<InviteServerTrigger, Cell<InviteServerState, InviteServerAction>>>;

/** Runs the table; the layer carries out what `step` returns. Starts in "proceeding". */
export class InviteServer {
  readonly #reliable: boolean;
  readonly #timers = new TimerTable<InviteServerTimer>();
  #state: InviteServerState = "proceeding";
  #interval: Duration = T1;

  constructor(reliable: boolean) {
    this.#reliable = reliable;
  }

  get state(): InviteServerState {
    return this.#state;
  }
  next(): Instant | undefined {
    return this.#timers.next();
  }
  takeDue(now: Instant): InviteServerTrigger | undefined {
    const timer = this.#timers.takeDue(now);
    return timer === undefined ? undefined : `timer ${timer}`;
  }

  step(now: Instant, trigger: InviteServerTrigger): readonly InviteServerOutward[] {
    const cell: Cell<InviteServerState, InviteServerAction> = INVITE_SERVER_TRANSITIONS[this.#state][trigger];
    if (cell === "ignore") return [];
    this.#state = cell.next;
    const outward: InviteServerOutward[] = [];
    for (const action of cell.actions) {
      const done = this.#own(now, action);
      if (done !== undefined) outward.push(done);
    }
    if (this.#state === "terminated") this.#timers.stopAll();
    return outward;
  }

  #own(now: Instant, action: InviteServerAction): InviteServerOutward | undefined {
    switch (action) {
      case "start G and H":
        if (!this.#reliable) this.#timers.start("G", now, T1);
        this.#timers.start("H", now, SIXTY_FOUR_T1);
        return undefined;
      case "double G":
        this.#interval = doubled(this.#interval, T2);
        this.#timers.start("G", now, this.#interval);
        return undefined;
      case "stop G and H":
        this.#timers.stop("G");
        this.#timers.stop("H");
        return undefined;
      case "start I":
        this.#timers.start("I", now, this.#reliable ? milliseconds(0) : T4);
        return undefined;
      case "start L":
        this.#timers.start("L", now, SIXTY_FOUR_T1);
        return undefined;
      default:
        return action;
    }
  }
}
