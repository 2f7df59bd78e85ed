import assert from "node:assert/strict";
import { test } from "node:test";
import { hours, type Instant, instant, minutes, seconds } from "../../../src/base/time.ts";
import type { ConditionCode } from "../../../src/health/catalogue.ts";
import { REMEDIES, REMEDIES_PER_HOUR, REMEDY_PAUSE, RemedyPlanner } from "../../../src/health/remedies.ts";

const at = (ms: number): Instant => instant(ms);
const shown = (code: ConditionCode, since = 0): ReadonlyMap<ConditionCode, Instant> => new Map([[code, at(since)]]);

test("a peer that does not answer is restarted when that has lasted, and not before", () => {
  const planner = new RemedyPlanner();
  const view = { shown: shown("peer-silent") };
  assert.equal(planner.plan(at(seconds(10) - 1), view), undefined);
  assert.equal(planner.plan(at(seconds(10)), view)?.name, "restart-peer");
});

test("one remedy is under way at a time, and none is repeated before its pause is over", () => {
  const planner = new RemedyPlanner();
  const view = { shown: shown("peer-silent") };
  planner.plan(at(20_000), view);
  assert.equal(planner.plan(at(21_000), view), undefined);
  planner.done(at(22_000), "restart-peer");
  assert.equal(planner.plan(at(22_000 + REMEDY_PAUSE - 1), view), undefined);
  assert.equal(planner.plan(at(22_000 + REMEDY_PAUSE), view)?.name, "restart-peer");
});

test("whatever goes on being wrong, no more than a few remedies are taken in any hour", () => {
  const planner = new RemedyPlanner();
  const taken: number[] = [];
  for (let now = 0; now < hours(5); now += 5_000) {
    const remedy = planner.plan(at(now), { shown: shown("calls-fail") });
    if (remedy === undefined) continue;
    planner.done(at(now), remedy.name);
    taken.push(now);
  }
  assert(taken.length >= REMEDIES_PER_HOUR);
  for (const begin of taken) assert(taken.filter((when) => when >= begin && when < begin + hours(1)).length <= REMEDIES_PER_HOUR);
});

test("what takes a box out of service that still does something needs the leave of its neighbors", () => {
  for (const { against, needsSlot } of REMEDIES) assert.equal(needsSlot, against !== "peer-silent", against);
});

test("neighbors that do not agree are asked again later", () => {
  const planner = new RemedyPlanner();
  const view = { shown: shown("calls-fail") };
  planner.plan(at(minutes(2)), view);
  planner.refused(at(minutes(2)), seconds(30));
  assert.equal(planner.plan(at(minutes(2) + seconds(29)), view), undefined);
  assert.equal(planner.plan(at(minutes(2) + seconds(30)), view)?.name, "restart-peer");
});
