// One subscription as its notifier sees it (RFC 6665 section 4.2): one NOTIFY at a time, none too soon after the last,
// and a last one that says why it is over. What is true is composed when a NOTIFY leaves, so nothing waits in a queue.

import { type Cell, go } from "../transaction/transition.ts";

export type SubscriptionState =
  /** The watcher knows what is true. */
  | "quiet"
  /** A NOTIFY is out. */
  | "notifying"
  /** A NOTIFY is out, and more has changed since. */
  | "outdated"
  /** A NOTIFY was answered a moment ago. */
  | "resting"
  /** The same, and there is something new to tell. */
  | "restless"
  /** It is to end as soon as the NOTIFY that is out is answered. */
  | "ending"
  /** The NOTIFY that says so is out. */
  | "last words"
  | "over";

export type SubscriptionTrigger =
  | "change"
  /** The watcher has it, or it is no use to send it again. */
  | "answered"
  /** The watcher does not know the subscription, or cannot be reached: it is over without another word. */
  | "refused"
  | "rested"
  /** Unsubscribed, expired, or ended by us. */
  | "end";

export type SubscriptionAction = "notify" | "rest" | "notify the end" | "forget";

export const SUBSCRIPTION_TRANSITIONS = {
  quiet: {
    change: go("notifying", "notify"),
    answered: "ignore",
    refused: go("over", "forget"),
    rested: "ignore",
    end: go("last words", "notify the end"),
  },
  notifying: {
    change: go("outdated"),
    answered: go("resting", "rest"),
    refused: go("over", "forget"),
    rested: "ignore",
    end: go("ending"),
  },
  outdated: {
    change: "ignore",
    answered: go("restless", "rest"),
    refused: go("over", "forget"),
    rested: "ignore",
    end: go("ending"),
  },
  resting: {
    change: go("restless"),
    answered: "ignore",
    refused: go("over", "forget"),
    rested: go("quiet"),
    end: go("last words", "notify the end"),
  },
  restless: {
    change: "ignore",
    answered: "ignore",
    refused: go("over", "forget"),
    rested: go("notifying", "notify"),
    end: go("last words", "notify the end"),
  },
  ending: {
    change: "ignore",
    answered: go("last words", "notify the end"),
    refused: go("over", "forget"),
    rested: "ignore",
    end: "ignore",
  },
  "last words": {
    change: "ignore",
    answered: go("over", "forget"),
    refused: go("over", "forget"),
    rested: "ignore",
    end: "ignore",
  },
  over: { change: "ignore", answered: "ignore", refused: "ignore", rested: "ignore", end: "ignore" },
} as const satisfies Record<SubscriptionState, Record<SubscriptionTrigger, Cell<SubscriptionState, SubscriptionAction>>>;

/** Runs the table; whoever owns it carries out what `step` returns. Starts in "quiet". */
export class SubscriptionMachine {
  #state: SubscriptionState = "quiet";

  get state(): SubscriptionState {
    return this.#state;
  }

  step(trigger: SubscriptionTrigger): readonly SubscriptionAction[] {
    const cell: Cell<SubscriptionState, SubscriptionAction> = SUBSCRIPTION_TRANSITIONS[this.#state][trigger];
    if (cell === "ignore") return [];
    this.#state = cell.next;
    return cell.actions;
  }
}
