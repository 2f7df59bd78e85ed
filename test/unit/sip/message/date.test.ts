import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { wallTime } from "../../../../src/base/time.ts";
import { formatDate } from "../../../../src/sip/message/date.ts";

test("the example of RFC 3261 20.17", () => {
  assert.equal(formatDate(wallTime(1_289_690_940_000)), "Sat, 13 Nov 2010 23:29:00 GMT");
});

test("a clock at its beginning says 1970", () => {
  assert.equal(formatDate(wallTime(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
  assert.equal(formatDate(wallTime(-5)), "Thu, 01 Jan 1970 00:00:00 GMT");
});

test("every second to the year 9999 is written as the platform writes it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (second) => {
      assert.equal(formatDate(wallTime(second * 1_000)), new Date(second * 1_000).toUTCString());
    }),
    { numRuns: 2_000 },
  );
});
