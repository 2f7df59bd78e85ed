import assert from "node:assert/strict";
import { test } from "node:test";
import { ladderLines } from "../../../src/cli/call-commands.ts";
import { ladderOf } from "../../../src/health/calls/ladder.ts";
import { BOXES, sampleCall, sampleLegs, START } from "../../support/sample-calls.ts";

test("a call in the terminal: columns, arrows both ways, times", () => {
  const lines = ladderLines(ladderOf(sampleLegs(), BOXES, [], START + 200_000));
  assert.equal(lines[0], "2026-01-02 03:04:05 UTC");
  assert.equal(lines[1], "204@acme.example to 205@acme.example: answered after 4 s, talked 3 min; the caller hung up");
  const arrows = lines.slice(5).map((line) => line.replaceAll(/ +/g, " ").trim());
  assert.deepEqual(arrows, [
    "0.000 s |-------- INVITE -------->| | |", "0.001 s | |-------- INVITE -------->| |", "0.003 s | | |-------- INVITE -------->|",
    "0.018 s | | |<----- 180 Ringing ------|", "0.019 s | |<----- 180 Ringing ------| |", "0.021 s |<----- 180 Ringing ------| | |",
  ]);
  assert.equal(new Set(lines.slice(5).map((line) => line.length)).size, 1, "lifelines stand under one another");
});

test("control characters of a phone do not reach the terminal", () => {
  const [first] = sampleLegs("udp", sampleCall({ from: "\u001b[2J204" }));
  const lines = ladderLines(ladderOf([{ ...first, messages: first.messages.map((message) => ({ ...message, startLine: "SIP/2.0 200 \u009d52;c" })) }], BOXES, [], START));
  assert.ok(lines.every((line) => !/\p{Cc}/u.test(line)), JSON.stringify(lines));
});
