// The subscription machine, driven in any order beside a model of what a watcher may see.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SUBSCRIPTION_TRANSITIONS, type SubscriptionAction, SubscriptionMachine, type SubscriptionTrigger } from "../../../../src/sip/events/subscription-machine.ts";

const TRIGGERS = Object.keys(SUBSCRIPTION_TRANSITIONS.quiet) as SubscriptionTrigger[];

/** What follows from RFC 6665 whatever the table says. */
class Model {
  /** Whether a NOTIFY has left and has no answer. */
  isOut = false;
  isResting = false;
  /** Changes since the last NOTIFY left. */
  isBehind = false;
  hasEnded = false;
  isForgotten = false;
  wasAskedToEnd = false;

  take(trigger: SubscriptionTrigger, actions: readonly SubscriptionAction[]): void {
    if (this.isForgotten) return assert.deepEqual(actions, []);
    if (trigger === "change") this.isBehind = true;
    if (trigger === "end") this.wasAskedToEnd = true;
    if (trigger === "answered") this.isOut = false;
    if (trigger === "rested") this.isResting = false;
    for (const action of actions) this.#act(action);
  }

  #act(action: SubscriptionAction): void {
    assert.ok(!this.isForgotten, "nothing after the end");
    switch (action) {
      case "notify":
        assert.ok(!this.isOut && !this.isResting && !this.hasEnded, "one at a time, none too soon, none after the last");
        assert.ok(this.isBehind, "none without news");
        this.isOut = true;
        this.isBehind = false;
        return;
      case "notify the end":
        assert.ok(!this.isOut && !this.hasEnded && this.wasAskedToEnd);
        this.isOut = true;
        this.hasEnded = true;
        return;
      case "rest":
        this.isResting = true;
        return;
      case "forget":
        this.isForgotten = true;
    }
  }

  /** What can happen: an answer needs a NOTIFY, a rest its end. */
  mayHappen(trigger: SubscriptionTrigger): boolean {
    if (trigger === "answered" || trigger === "refused") return this.isOut;
    return trigger !== "rested" || this.isResting;
  }
}

test("in whatever order things happen: one NOTIFY at a time, each change told, one last word, and nothing after it", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...TRIGGERS), { maxLength: 60 }), (triggers) => {
      const machine = new SubscriptionMachine();
      const model = new Model();
      const feed = (trigger: SubscriptionTrigger): void => {
        if (model.mayHappen(trigger)) model.take(trigger, machine.step(trigger));
      };
      for (const trigger of triggers) feed(trigger);
      // Whatever it was doing: with answers and time, a living subscription tells all it knows, and one that was to end is over.
      for (let i = 0; i < 4; i++) for (const trigger of ["answered", "rested"] as const) feed(trigger);
      if (model.wasAskedToEnd) assert.ok(model.isForgotten);
      else if (!model.isForgotten) assert.equal(model.isBehind, false);
    }),
    { numRuns: 2_000 },
  );
});

test("whatever comes in whatever state, the machine stays in its table, and over is over", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...TRIGGERS), { maxLength: 60 }), (triggers) => {
      const machine = new SubscriptionMachine();
      let isOver = false;
      for (const trigger of triggers) {
        const actions = machine.step(trigger);
        assert.ok(!isOver || actions.length === 0);
        isOver = machine.state === "over";
        assert.ok(machine.state in SUBSCRIPTION_TRANSITIONS);
      }
    }),
  );
});
