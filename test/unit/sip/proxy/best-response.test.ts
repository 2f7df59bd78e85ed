import assert from "node:assert/strict";
import { test } from "node:test";
import { bestFailure, outwardStatus } from "../../../../src/sip/proxy/best-response.ts";

const best = (...statuses: readonly number[]) => bestFailure(statuses.map((status) => ({ status, response: {} })))?.status;

test("6xx goes before all, then the lowest class", () => {
  assert.equal(best(404, 603, 302), 603);
  assert.equal(best(404, 302, 500), 302);
  assert.equal(best(500, 404), 404);
});

test("within 4xx what the caller can mend goes before busy, busy before absent, absent before silence", () => {
  assert.equal(best(486, 407), 407);
  assert.equal(best(486, 484), 484);
  assert.equal(best(480, 486), 486);
  assert.equal(best(408, 480), 480);
  assert.equal(best(430, 404), 404);
});

test("503 is the last of the 5xx, and goes out as 500", () => {
  assert.equal(best(503, 502), 502);
  assert.equal(outwardStatus(503, true), 500);
  assert.equal(outwardStatus(430, true), 480);
  assert.equal(outwardStatus(430, false), 430);
});

test("of equal statuses one that somebody sent goes before one made here", () => {
  const sent = { status: 408, response: "sent" };
  assert.equal(bestFailure([{ status: 408, response: undefined }, sent]), sent);
  assert.equal(bestFailure([]), undefined);
});
