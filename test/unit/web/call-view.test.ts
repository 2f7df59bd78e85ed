import assert from "node:assert/strict";
import { test } from "node:test";
import { ladderOf } from "../../../src/health/calls/ladder.ts";
import { callListPage, callsView, ladderPage } from "../../../src/web/page/call-view.ts";
import { BOXES, SECOND, sampleCall, sampleLegs, START } from "../../support/sample-calls.ts";

test("a ladder is a list in order that says who sent what to whom, without a script", () => {
  const page = ladderPage(ladderOf(sampleLegs(), BOXES, [], START + 200_000));
  for (const said of ["204@acme.example called 205@acme.example", "answered after 4 s, talked 3 min", "0.018 s", "180 Ringing", "192.0.2.77:5062 to", "Passwords, keys and what people wrote are removed"]) assert(page.includes(said), said);
  assert.equal(page.match(/<details>/g)?.length, 6);
  assert(!page.includes("<script"));
});

test("it says what is missing of it", () => {
  const [first] = sampleLegs("udp", sampleCall({ leftOut: 7 }));
  const page = ladderPage(ladderOf([first], BOXES, [SECOND], START));
  assert(page.includes("carried it too and does not tell") && page.includes("7 more messages were not kept."));
});

test("what phones write is text in all views of calls", () => {
  const evil = "<img src=x onerror=alert(1)>\u001b[6n";
  const [first] = sampleLegs("udp", sampleCall({ from: evil, to: evil, callId: evil, reason: evil }));
  const ladder = ladderOf([{ ...first, messages: first.messages.map((message) => ({ ...message, startLine: `INVITE ${evil}`, text: `${evil}\r\n${evil}` })) }], BOXES, [], START);
  const entry = { kind: "call", id: "1", from: evil, to: evil, startedAt: START, endedAt: null, outcome: evil } as const;
  const views = [ladderPage(ladder), callListPage([entry], START), callsView({ calls: [entry], callsUnderWay: 1, at: START }).html];
  for (const view of views) assert(!view.includes("<img") && !view.includes("\u001b") && view.includes("&lt;img"));
});

test("the list for who is signed in leads to each call, and tells how phones registered", () => {
  const entries = [{ kind: "call", id: "ab12", from: "204@a", to: "+4930123@a", startedAt: START, endedAt: START, outcome: "busy" }, { kind: "registration", id: "cd34", from: "206@a", to: "206@a", startedAt: START, endedAt: START, outcome: "asked for its password, and did not give the right one" }] as const;
  const page = callListPage(entries, START + 5_000);
  for (const said of ['href="/calls/ab12"', 'href="/calls/cd34"', "+4930123@a", "5 s ago", "did not give the right one"]) assert(page.includes(said), said);
  assert(callListPage([], START).includes("None is remembered."));
});
