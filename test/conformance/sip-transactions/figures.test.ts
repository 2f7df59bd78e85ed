// The figures of RFC 3261 17, RFC 6026 and RFC 4320 as traces: jump from deadline to deadline and write
// down what the machine wants done.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Instant, instant } from "../../../src/base/time.ts";
import { INVITE_CLIENT_TRANSITIONS, InviteClient } from "../../../src/sip/transaction/invite-client.ts";
import { INVITE_SERVER_TRANSITIONS, InviteServer } from "../../../src/sip/transaction/invite-server.ts";
import { NON_INVITE_CLIENT_TRANSITIONS, NonInviteClient } from "../../../src/sip/transaction/non-invite-client.ts";
import { NON_INVITE_SERVER_TRANSITIONS, NonInviteServer } from "../../../src/sip/transaction/non-invite-server.ts";
import type { Cell } from "../../../src/sip/transaction/transition.ts";

const START = instant(0);

interface Runnable<Trigger extends string> {
  readonly state: string;
  next(): Instant | undefined;
  takeDue(now: Instant): Trigger | undefined;
  step(now: Instant, trigger: Trigger): readonly string[];
}

/** Plays `inputs` at their times and all timers between and after them. */
function trace<Trigger extends string>(machine: Runnable<Trigger>, inputs: readonly (readonly [number, Trigger])[] = []): readonly string[] {
  const lines: string[] = [];
  const note = (at: number, actions: readonly string[]) => {
    for (const action of actions) lines.push(`${at} ${action}`);
    if (machine.state === "terminated" && !lines.at(-1)?.endsWith("terminated")) lines.push(`${at} terminated`);
  };
  const fireUntil = (limit: number) => {
    for (let next = machine.next(); next !== undefined && next <= limit; next = machine.next()) {
      const trigger = machine.takeDue(next);
      if (trigger !== undefined) note(next, machine.step(next, trigger));
    }
  };
  for (const [at, trigger] of inputs) {
    fireUntil(at - 1);
    note(at, machine.step(instant(at), trigger));
  }
  fireUntil(Infinity);
  return lines;
}

test("INVITE client over UDP: seven sendings in all, then timer B", () => {
  assert.deepEqual(trace(new InviteClient(START, false)), [
    "500 resend", "1500 resend", "3500 resend", "7500 resend", "15500 resend", "31500 resend", "32000 report timeout", "32000 terminated",
  ]);
});

test("INVITE client over TCP: no retransmission, timer B all the same", () => {
  assert.deepEqual(trace(new InviteClient(START, true)), ["32000 report timeout", "32000 terminated"]);
});

test("INVITE client: a 1xx ends the retransmissions and timer B, for as long as it rings", () => {
  const machine = new InviteClient(START, false);
  assert.deepEqual(trace(machine, [[700, "1xx"], [90_000, "1xx"]]), ["500 resend", "700 pass up", "90000 pass up"]);
  assert.equal(machine.state, "proceeding");
});

test("INVITE client: a failure is acknowledged each time it comes, for 32 seconds", () => {
  assert.deepEqual(trace(new InviteClient(START, false), [[100, "300-699"], [600, "300-699"], [700, "2xx"]]), [
    "100 send ack", "100 pass up", "600 send ack", "32100 terminated",
  ]);
});

test("INVITE client over TCP: after a failure there is nothing to wait for", () => {
  assert.deepEqual(trace(new InviteClient(START, true), [[100, "300-699"]]), ["100 send ack", "100 pass up", "100 terminated"]);
});

test("INVITE client, RFC 6026: every 2xx goes up while timer M runs, nothing after it", () => {
  assert.deepEqual(trace(new InviteClient(START, false), [[100, "2xx"], [600, "2xx"], [700, "1xx"], [800, "300-699"], [33_000, "2xx"]]), [
    "100 pass up", "600 pass up", "32100 terminated",
  ]);
});

test("INVITE client: after a CANCEL 64*T1 remain for the final response", () => {
  assert.deepEqual(trace(new InviteClient(START, false), [[100, "1xx"], [1_000, "cancel"]]), [
    "100 pass up", "33000 report timeout", "33000 terminated",
  ]);
  assert.deepEqual(trace(new InviteClient(START, false), [[100, "1xx"], [1_000, "cancel"], [1_100, "300-699"]]), [
    "100 pass up", "1100 send ack", "1100 pass up", "33100 terminated",
  ]);
});

test("INVITE client: a transport error ends it at once", () => {
  assert.deepEqual(trace(new InviteClient(START, true), [[20, "transport-error"]]), ["20 report transport error", "20 terminated"]);
});

test("INVITE server over UDP: a failure is repeated up to each T2 until timer H", () => {
  assert.deepEqual(trace(new InviteServer(false), [[0, "send 300-699"]]), [
    "0 send", "500 resend", "1500 resend", "3500 resend", "7500 resend", "11500 resend", "15500 resend", "19500 resend",
    "23500 resend", "27500 resend", "31500 resend", "32000 report no ack", "32000 terminated",
  ]);
});

test("INVITE server: the ACK ends it after T4; over TCP at once", () => {
  assert.deepEqual(trace(new InviteServer(false), [[0, "send 300-699"], [600, "ack"], [700, "request"]]), [
    "0 send", "500 resend", "5600 terminated",
  ]);
  assert.deepEqual(trace(new InviteServer(true), [[0, "send 300-699"], [600, "ack"]]), ["0 send", "600 terminated"]);
});

test("INVITE server: a repeated request is answered with the last response", () => {
  const machine = new InviteServer(false);
  assert.deepEqual(trace(machine, [[0, "send 1xx"], [100, "request"], [200, "send 1xx"], [300, "request"]]), [
    "0 send", "100 resend", "200 send", "300 resend",
  ]);
});

test("INVITE server, RFC 6026: 2xx are sent on while timer L runs, repeated requests absorbed, ACKs passed up", () => {
  assert.deepEqual(trace(new InviteServer(false), [[0, "send 2xx"], [100, "request"], [500, "send 2xx"], [600, "ack"], [700, "send 300-699"]]), [
    "0 send", "500 send", "600 pass up", "32000 terminated",
  ]);
});

test("non-INVITE client over UDP: eleven sendings in all, then timer F", () => {
  assert.deepEqual(trace(new NonInviteClient(START, false)), [
    "500 resend", "1500 resend", "3500 resend", "7500 resend", "11500 resend", "15500 resend", "19500 resend", "23500 resend",
    "27500 resend", "31500 resend", "32000 report timeout", "32000 terminated",
  ]);
});

test("non-INVITE client: a 100 slows the retransmissions to T2", () => {
  const lines = trace(new NonInviteClient(START, false), [[100, "1xx"]]);
  assert.deepEqual(lines.slice(0, 4), ["100 pass up", "500 resend", "4500 resend", "8500 resend"]);
});

test("non-INVITE client: the final response is passed up once; repeats are absorbed for T4", () => {
  assert.deepEqual(trace(new NonInviteClient(START, false), [[100, "200-699"], [200, "200-699"]]), ["100 pass up", "5100 terminated"]);
  assert.deepEqual(trace(new NonInviteClient(START, true), [[100, "200-699"]]), ["100 pass up", "100 terminated"]);
});

test("non-INVITE server: silent until answered, then the answer again for each repetition, for 32 seconds", () => {
  assert.deepEqual(trace(new NonInviteServer(START, false), [[100, "request"], [200, "send final"], [300, "request"], [400, "send final"]]), [
    "200 send", "300 resend", "32200 terminated",
  ]);
});

test("non-INVITE server, RFC 4320: a 100 at 3.5 seconds and not before, and no answer after 64*T1", () => {
  assert.deepEqual(trace(new NonInviteServer(START, false), [[4_000, "request"]]), [
    "3500 send trying", "4000 resend", "32000 report too late", "32000 terminated",
  ]);
});

const TABLES = {
  "INVITE client": INVITE_CLIENT_TRANSITIONS,
  "INVITE server": INVITE_SERVER_TRANSITIONS,
  "non-INVITE client": NON_INVITE_CLIENT_TRANSITIONS,
  "non-INVITE server": NON_INVITE_SERVER_TRANSITIONS,
};

for (const [name, table] of Object.entries(TABLES)) {
  test(`${name}: nothing leads out of terminated, and every state can be reached`, () => {
    const states = Object.entries(table);
    for (const cell of Object.values(table.terminated)) assert.equal(cell, "ignore");
    const reached = new Set<string>([states[0]?.[0] ?? ""]);
    for (let size = 0; size !== reached.size; ) {
      size = reached.size;
      for (const [state, row] of states) {
        if (!reached.has(state)) continue;
        for (const cell of Object.values<Cell<string, string>>(row)) if (cell !== "ignore") reached.add(cell.next);
      }
    }
    assert.deepEqual([...reached].sort(), states.map(([state]) => state).sort());
  });
}
