import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { wallTime } from "../../../src/base/time.ts";
import { parseBase64, parseBase64Url, toBase64, toBase64Url } from "../../../src/base/base64.ts";
import { formatDay } from "../../../src/provision/calendar.ts";
import { formatHint, parseHint } from "../../../src/provision/hint.ts";

test("base64 is what everybody else writes, both ways", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
    assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString("base64url"));
    assert.deepEqual(parseBase64(toBase64(bytes)), bytes);
    assert.deepEqual(parseBase64Url(toBase64Url(bytes)), bytes);
  }));
});

test("base64 that is not whole and canonical is refused", () => {
  for (const text of ["A", "AA", "A===", "AB==", "AA=A", "A*AA", "AAAA====", "===="]) assert.equal(parseBase64(text), undefined, text);
});

test("a day is what the calendar says", () => {
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e13 }), (ms) => {
    assert.equal(formatDay(wallTime(ms)), new Date(ms).toISOString().slice(0, 10));
  }), { numRuns: 1_000 });
});

test("a hint is a host and a port, with brackets around IPv6", () => {
  assert.deepEqual(parseHint("10.0.0.1:7000"), { host: "10.0.0.1", port: 7000 });
  assert.deepEqual(parseHint("box-1.example.org"), { host: "box-1.example.org", port: 6084 });
  assert.deepEqual(parseHint("[fe80::1%eth0]:1"), { host: "fe80::1%eth0", port: 1 });
  assert.equal(formatHint({ host: "::1", port: 5 }), "[::1]:5");
  for (const text of ["", ":1", "a:0", "a:65536", "a:1x", "a b:1", "::1", "[::1", "[::1]x", "[a]:1", "a/b:1"]) {
    assert.equal(parseHint(text), undefined, text);
  }
});
