import assert from "node:assert/strict";
import { test } from "node:test";
import { boxWords } from "../../../../src/health/box-words.ts";
import { boxesMet, ladderOf } from "../../../../src/health/calls/ladder.ts";
import type { CallLadder } from "../../../../src/health/report.ts";
import { BOXES, FIRST, SECOND, sampleCall, sampleLegs, START } from "../../../support/sample-calls.ts";

const [A, B] = [boxWords(FIRST), boxWords(SECOND)];
const steps = ({ messages }: CallLadder): string[] => messages.map(({ from, to, startLine }) => `${from} > ${to} ${startLine.split(" ").slice(0, startLine.startsWith("SIP") ? 2 : 1).join(" ")}`);
const WHOLE = [
  `192.0.2.77:5062 > ${A} INVITE`, `${A} > ${B} INVITE`, `${B} > 192.0.2.88:5060 INVITE`,
  `192.0.2.88:5060 > ${B} SIP/2.0 180`, `${B} > ${A} SIP/2.0 180`, `${A} > 192.0.2.77:5062 SIP/2.0 180`,
];

for (const transport of ["udp", "tcp"]) {
  test(`what two boxes saw over ${transport} is one ladder, in order though their clocks differ, each message once`, () => {
    const ladder = ladderOf(sampleLegs(transport), BOXES, [], START + 200_000);
    assert.deepEqual(steps(ladder), WHOLE);
    assert.deepEqual(ladder.columns.map(({ name, label }) => [name, label]), [["192.0.2.77:5062", "204"], [A, "box"], [B, "box"], ["192.0.2.88:5060", "205"]]);
    assert.deepEqual(ladder.messages.map(({ at, receivedAt }) => [at - START, receivedAt === null ? null : receivedAt - START]), [[0, null], [1, 2], [3, null], [18, null], [19, 20], [21, null]]);
  });
}

test("it is the same whichever box is asked first", () => {
  const [first, second] = sampleLegs();
  assert.deepEqual(steps(ladderOf([second, first], BOXES, [], START)), WHOLE);
});

test("a box that does not tell is named, and its side is a column all the same", () => {
  const [first] = sampleLegs();
  assert.deepEqual(boxesMet(first, BOXES), [SECOND]);
  const ladder = ladderOf([first], BOXES, [SECOND], START);
  assert.deepEqual(ladder.silent.map(({ words }) => words), [B]);
  assert.deepEqual(steps(ladder), [WHOLE[0], WHOLE[1], WHOLE[4], WHOLE[5]]);
});

test("a message that was sent again is there as often as it was sent", () => {
  const [first, second] = sampleLegs();
  const again = first.messages[1];
  assert(again !== undefined);
  const repeated = { ...first, messages: [...first.messages.slice(0, 2), { ...again, at: again.at + 500 }, ...first.messages.slice(2)] };
  const ladder = ladderOf([repeated, second], BOXES, [], START);
  assert.deepEqual(ladder.messages.filter(({ from, to }) => from === A && to === B).map(({ receivedAt }) => receivedAt !== null), [true, false], "the second was lost");
});

test("boxes that contradict one another still make a ladder of everything", () => {
  const [first, second] = sampleLegs();
  const reversed = { ...second, messages: second.messages.toReversed() };
  assert.equal(ladderOf([first, reversed], BOXES, [], START).messages.length, WHOLE.length);
  assert.equal(ladderOf([first], BOXES, [], START).leftOut, 0);
  assert.equal(ladderOf([{ ...first, call: sampleCall({ leftOut: 3 }) }], BOXES, [], START).leftOut, 3);
});
