// No transaction outlives what its RFC gives it, whatever comes in whatever order: each machine beside a model that knows only
// until when it may live (RFC 3261 17, RFC 6026, RFC 4320). Infinity: as long as its user wants, who is the proxy with timer C.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Instant, instant } from "../../../src/base/time.ts";
import { InviteClient } from "../../../src/sip/transaction/invite-client.ts";
import { InviteServer } from "../../../src/sip/transaction/invite-server.ts";
import { NonInviteClient } from "../../../src/sip/transaction/non-invite-client.ts";
import { NonInviteServer } from "../../../src/sip/transaction/non-invite-server.ts";

const T4 = 5_000;
const SIXTY_FOUR_T1 = 32_000;

interface Machine<Trigger extends string> {
  readonly state: string;
  next(): Instant | undefined;
  takeDue(now: Instant): Trigger | undefined;
  step(now: Instant, trigger: Trigger): readonly string[];
}

interface Kind<Trigger extends string> {
  readonly make: (now: Instant, reliable: boolean) => Machine<Trigger>;
  readonly triggers: readonly Trigger[];
  readonly firstLimit: number;
  /** Until when it may live after this; `undefined`: as before. `since`: the first triggers of each kind and their times. */
  readonly limit: (trigger: string, now: number, reliable: boolean, since: ReadonlyMap<string, number>) => number | undefined;
  /** What its user does in the end. */
  readonly end: Trigger;
}

const isFinal = (trigger: string): boolean => ["2xx", "300-699", "200-699", "send 2xx", "send 300-699", "send final"].includes(trigger);
const isDecided = (since: ReadonlyMap<string, number>): boolean => [...since.keys()].some(isFinal);

const inviteClient: Kind<Parameters<InviteClient["step"]>[1]> = {
  make: (now, reliable) => new InviteClient(now, reliable),
  triggers: ["1xx", "2xx", "300-699", "cancel", "transport-error"],
  firstLimit: SIXTY_FOUR_T1,
  limit: (trigger, now, reliable, since) => {
    if (isDecided(since)) return undefined;
    if (trigger === "2xx") return now + SIXTY_FOUR_T1;
    if (trigger === "300-699") return reliable ? now : now + SIXTY_FOUR_T1;
    if (trigger === "1xx" && !since.has("1xx")) return Infinity;
    return trigger === "cancel" && since.has("1xx") && !since.has("cancelled") ? now + SIXTY_FOUR_T1 : undefined;
  },
  end: "cancel",
};
const inviteServer: Kind<Parameters<InviteServer["step"]>[1]> = {
  make: (_, reliable) => new InviteServer(reliable),
  triggers: ["request", "ack", "send 1xx", "send 2xx", "send 300-699"],
  firstLimit: Infinity,
  limit: (trigger, now, reliable, since) => {
    if (!isDecided(since)) return isFinal(trigger) ? now + SIXTY_FOUR_T1 : undefined;
    if (trigger !== "ack" || since.has("ack") || !isRefused(since)) return undefined;
    return reliable ? now : now + T4;
  },
  end: "send 300-699",
};
const nonInviteClient: Kind<Parameters<NonInviteClient["step"]>[1]> = {
  make: (now, reliable) => new NonInviteClient(now, reliable),
  triggers: ["1xx", "200-699", "transport-error"],
  firstLimit: SIXTY_FOUR_T1,
  limit: (trigger, now, reliable, since) => (trigger === "200-699" && !isDecided(since) ? (reliable ? now : now + T4) : undefined),
  end: "1xx",
};
const nonInviteServer: Kind<Parameters<NonInviteServer["step"]>[1]> = {
  make: (now, reliable) => new NonInviteServer(now, reliable),
  triggers: ["request", "send final", "transport-error"],
  firstLimit: SIXTY_FOUR_T1,
  limit: (trigger, now, reliable, since) => (trigger === "send final" && !isDecided(since) ? (reliable ? now : now + SIXTY_FOUR_T1) : undefined),
  end: "request",
};

/** Of the two final answers the first counts. */
const isRefused = (since: ReadonlyMap<string, number>): boolean => [...since.keys()].find(isFinal) === "send 300-699";

/** Plays the triggers, and the timers between them; the machine must be gone by its limit at every moment. */
function play<Trigger extends string>(kind: Kind<Trigger>, reliable: boolean, acts: readonly (readonly [number, Trigger])[]): void {
  const machine = kind.make(instant(0), reliable);
  const since = new Map<string, number>();
  let now = 0;
  let limit = kind.firstLimit;
  const runTo = (time: number): void => {
    for (let next = machine.next(); next !== undefined && next <= time; next = machine.next()) {
      assert.ok(next <= limit, `a timer at ${next} of a transaction that may live until ${limit}`);
      const trigger = machine.takeDue(next);
      if (trigger !== undefined) machine.step(next, trigger);
    }
    now = time;
    if (now >= limit) assert.equal(machine.state, "terminated", `alive at ${now}, might live until ${limit}`);
  };
  const act = (trigger: Trigger): void => {
    if (machine.state === "terminated") return;
    limit = kind.limit(trigger, now, reliable, since) ?? limit;
    if (trigger === "cancel" && since.has("1xx")) since.set("cancelled", now);
    if (!since.has(trigger) && !(trigger === "ack" && !isDecided(since))) since.set(trigger, now);
    machine.step(instant(now), trigger);
    runTo(now);
  };
  for (const [wait, trigger] of acts) {
    runTo(now + wait);
    act(trigger);
  }
  if (limit === Infinity) act(kind.end);
  runTo(now + 2 * SIXTY_FOUR_T1 + T4);
  assert.equal(machine.state, "terminated");
  assert.equal(machine.next(), undefined);
}

function livesNoLonger<Trigger extends string>(name: string, kind: Kind<Trigger>): void {
  test(`${name}: whatever comes in whatever order, it is gone when its time is over`, () => {
    const wait = fc.oneof(fc.constantFrom(0, 1, 499, 500, 3_500, 4_000, 5_000, 31_999, 32_000), fc.nat(40_000));
    const acts = fc.array(fc.tuple(wait, fc.constantFrom(...kind.triggers)), { maxLength: 12 });
    fc.assert(fc.property(fc.boolean(), acts, (reliable, some) => play(kind, reliable, some)), { numRuns: 2_000 });
  });
}

livesNoLonger("INVITE client", inviteClient);
livesNoLonger("INVITE server", inviteServer);
livesNoLonger("non-INVITE client", nonInviteClient);
livesNoLonger("non-INVITE server", nonInviteServer);

test("the model sees a machine that lives a millisecond too long", () => {
  const late: typeof nonInviteClient = { ...nonInviteClient, firstLimit: SIXTY_FOUR_T1 - 1 };
  assert.throws(() => play(late, false, []));
});
