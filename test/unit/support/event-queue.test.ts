import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventQueue } from "../../support/event-queue.ts";

test("events happen in the order of their times, and those of one time in the order in which they were asked for", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (times) => {
      const queue = new EventQueue();
      const happened: { readonly time: number; readonly order: number }[] = [];
      times.forEach((time, order) => queue.at(time, () => happened.push({ time: queue.now, order })));
      while (queue.runNext(100));
      const wanted = times.map((time, order) => ({ time, order })).sort((a, b) => a.time - b.time || a.order - b.order);
      assert.deepEqual(happened, wanted);
    }),
  );
});

test("what is asked for in the past happens now, after what is due now", () => {
  const queue = new EventQueue();
  const happened: string[] = [];
  queue.at(10, () => {
    queue.at(5, () => happened.push(`late at ${queue.now}`));
  });
  queue.at(10, () => happened.push("due"));
  while (queue.runNext(20));
  assert.deepEqual(happened, ["due", "late at 10"]);
  assert.equal(queue.now, 20);
});
