import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { BoxHealth, HealthReport } from "../../../src/health/report.ts";
import { ringView } from "../../../src/web/page/ring-view.ts";

const box = (place: string, changes: Partial<BoxHealth> = {}): BoxHealth => ({
  nodeId: place.padEnd(32, "0"), words: `box-${place}`, self: false, state: "serving", verdict: "works", provedAt: 0, share: 0.25, zone: "", software: "", sip: "", page: null, roundTripMs: null, ...changes,
});

const shown = (boxes: readonly BoxHealth[], ring: Partial<HealthReport["ring"]> = {}): string =>
  ringView({ boxes, ring: { canLose: 2, copies: 3, copiesWanted: 3, inSync: true, comparedAt: 0, moving: null, ...ring } } as unknown as HealthReport).html;

suite("the ring's picture", () => {
  test("has an arc for each box that serves, and says in words and a table who keeps whose copies", () => {
    const markup = shown([box("0", { self: true }), box("4"), box("8"), box("c")]);
    assert.equal(markup.match(/class="arc/g)?.length, 4);
    assert(markup.includes("What this box holds is also on box-4 and box-8; it keeps copies for box-8 and box-c."));
    assert.match(markup, /<th scope="row">box-4<\/th><td>90°<\/td><td>25\.0 %<\/td><td>serving, works<\/td><td>box-8 and box-c<\/td>/);
  });

  test("shows a dead box as a ghost without an arc, that keeps nobody's copies", () => {
    const markup = shown([box("0", { self: true }), box("4", { state: "gone", verdict: "broken", share: 0 }), box("8")]);
    assert.equal(markup.match(/class="arc/g)?.length, 2);
    assert.match(markup, /class="seat broken ghost"/);
    assert(markup.includes("What this box holds is also on box-8; it keeps copies for box-8."));
  });

  test("says what moves, how far it is, and who joins", () => {
    const markup = shown([box("0", { self: true, state: "joining" }), box("8", { state: "joining" })], { moving: { received: 3, expected: 9 }, inSync: false });
    for (const said of ["3 of 9 entries", '<progress aria-label="This box&#39;s share" max="9" value="3">', "box-8 is receiving its share.", "being compared"]) assert(markup.replaceAll("'", "&#39;").includes(said), said);
  });

  test("leaves the names of many boxes to the table", () => {
    const many = Array.from({ length: 50 }, (_, index) => box((index * 5).toString(16).padStart(2, "0")));
    const markup = shown(many);
    assert(!markup.includes('class="name'));
    assert.equal(markup.match(/<th scope="row">/g)?.length, 50);
  });
});
