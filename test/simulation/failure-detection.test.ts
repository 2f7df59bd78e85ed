import assert from "node:assert/strict";
import { test } from "node:test";
import { minutes } from "../../src/base/time.ts";
import { flappingCable, oneWayLoss, powerCut, roughHour } from "./failure-detection.ts";

const HOURS = Number(process.env["RINGBOX_ROUGH_HOURS"] ?? 1);

/** From the last word to the verdict, milliseconds. */
const VERDICT = 4_000;
const MOST_RING_CHANGES = 10;
/** What a flapping cable may have copied, in times of all that the ring holds. */
const MOST_COPIES = 3;

for (const boxes of [3, 5, 10]) {
  test(`10 % loss with 50±40 ms of delay: in an hour none of ${boxes} boxes is given up (hours: ${HOURS})`, (context) => {
    for (let seed = 1; seed <= HOURS; seed++) {
      const seen = roughHour(boxes, seed);
      context.diagnostic(`${boxes} boxes, seed ${seed}: fell silent ${seen.silent} times, another box helped ${seen.relayed} times, given up ${seen.givenUp}`);
      assert.ok(seen.silent > 0, "the hour was too mild to show anything");
      assert.equal(seen.givenUp, 0, `seed ${seed}`);
      assert.equal(seen.ringChanges, 0, `seed ${seed}`);
    }
  });
}

test("two boxes have no third to ask, and dial each other beside the silent link: in 10 % loss neither is given up", (context) => {
  let givenUp = 0;
  const hours = 20 * HOURS;
  for (let seed = 1; seed <= hours; seed++) givenUp += roughHour(2, seed).givenUp;
  context.diagnostic(`2 boxes: given up ${givenUp} times in ${hours} hours, each by each`);
  assert.equal(givenUp, 0);
});

for (const boxes of [2, 3, 5]) {
  test(`a box of ${boxes} from which nothing comes any more has its verdict from all within 4 seconds`, (context) => {
    const times = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => powerCut(boxes, seed));
    context.diagnostic(`${boxes} boxes: ${Math.round(Math.min(...times))} to ${Math.round(Math.max(...times))} ms`);
    for (const time of times) assert.ok(time <= VERDICT, `${time} ms`);
  });
}

test("one box does not hear another for five minutes: with a third the ring does not change, with two it changes once and back", () => {
  for (const boxes of [3, 5]) assert.equal(oneWayLoss(boxes, 1, minutes(5)).ringChanges, 0);
  assert.equal(oneWayLoss(2, 1, minutes(5)).ringChanges, 4, "each of the two loses the other, and takes it back");
});

test("a cable that is out for one second of two, for five minutes: the ring does not flap, and little is copied", (context) => {
  for (const boxes of [2, 3, 5]) {
    const seen = flappingCable(boxes, 1, 1_000, 1_000);
    context.diagnostic(`${boxes} boxes: ${seen.ringChanges} changes of the ring, ${seen.copied} bytes copied, ${seen.dataBytes} held`);
    assert.ok(seen.whole, "one ring in the end");
    assert.ok(seen.ringChanges <= MOST_RING_CHANGES);
    assert.ok(seen.copied <= MOST_COPIES * seen.dataBytes, `${seen.copied} bytes`);
  }
});
