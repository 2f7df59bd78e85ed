import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { after, type Instant, instant } from "../../../src/base/time.ts";
import { CATALOGUE, CONDITION_CODES, conditionOf, type ConditionCode } from "../../../src/health/catalogue.ts";
import { ConditionBoard } from "../../../src/health/condition-board.ts";

const at = (seconds: number): Instant => instant(seconds * 1_000);

/** Words that fill every text. */
const VALUES = {
  count: 2, code: "ABCD-EFGH", transports: "UDP", interface: "eth0", transport: "UDP", detail: "no answer", box: "amber-otter-42",
  received: 1, expected: 2, megabytes: 3, nodeId: "00", minutes: 5, direction: "ahead of", degrees: 90, percent: 91, router: "192.0.2.1", trouble: "the disk is full", day: "2030-01-01",
};

suite("the catalogue of conditions", () => {
  test("every text is one sentence that is filled, and says nothing of what is not there", () => {
    for (const code of CONDITION_CODES) {
      const { text, next } = conditionOf(code, VALUES);
      assert.match(text, /^[A-Z0-9][^\n]*\.$/, code);
      assert.doesNotMatch(`${text} ${next}`, /undefined|NaN|null/, code);
    }
  });

  test("no condition explains itself, over however many steps", () => {
    const causes = (code: ConditionCode, seen: readonly ConditionCode[]): void => {
      assert(!seen.includes(code), `${[...seen, code].join(" ← ")}`);
      for (const cause of CATALOGUE[code].dependsOn) causes(cause, [...seen, code]);
    };
    for (const code of CONDITION_CODES) causes(code, []);
  });
});

suite("the board of conditions", () => {
  test("a condition is shown when it has been present for its time, and not for a blink", () => {
    const board = new ConditionBoard();
    board.set(at(0), "hot", conditionOf("hot", VALUES));
    assert.deepEqual(board.settle(at(29)), []);
    board.set(at(29), "hot", undefined);
    assert.deepEqual(board.settle(at(30)), []);
    board.set(at(31), "hot", conditionOf("hot", VALUES));
    assert.deepEqual(board.settle(at(60)), []);
    assert.deepEqual(board.settle(at(61)).map(({ code, appeared }) => [code, appeared]), [["hot", true]]);
  });

  test("a consequence is not shown beside its cause, and is when the cause has gone", () => {
    const board = new ConditionBoard();
    board.set(at(0), "sip-silent", conditionOf("sip-silent", VALUES));
    board.set(at(0), "peer-silent", conditionOf("peer-silent"));
    board.settle(at(0));
    assert.deepEqual(board.shown().map(({ words }) => words.code), ["peer-silent"]);
    board.set(at(1), "peer-silent", undefined);
    board.settle(at(1));
    assert.deepEqual(board.shown().map(({ words }) => words.code), ["sip-silent"]);
  });

  test("after any history what is shown is what the rules say of what is present, most pressing first", () => {
    const step = fc.record({ pause: fc.integer({ min: 0, max: 40_000 }), code: fc.constantFrom(...CONDITION_CODES), present: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const board = new ConditionBoard();
        const since = new Map<ConditionCode, Instant>();
        const told = new Set<string>();
        let now = at(0);
        for (const { pause, code, present } of steps) {
          now = instant(now + pause);
          board.set(now, code, present ? conditionOf(code, VALUES) : undefined);
          if (!present) since.delete(code);
          else if (!since.has(code)) since.set(code, now);
          for (const { code: changed, appeared } of board.settle(now)) {
            assert.equal(told.has(changed), !appeared, "each is told once when it comes and once when it goes");
            if (appeared) told.add(changed);
            else told.delete(changed);
          }
          const expected = CONDITION_CODES.filter((one) => {
            const begun = since.get(one);
            return begun !== undefined && after(begun, CATALOGUE[one].visibleAfter) <= now && !CATALOGUE[one].dependsOn.some((cause) => since.has(cause));
          });
          const shown = board.shown();
          assert.deepEqual(shown.map(({ words }) => words.code).sort(), expected.toSorted());
          assert.deepEqual([...told].sort(), expected.toSorted());
          const stops = shown.map(({ stopsCalls }) => stopsCalls);
          assert.deepEqual(stops, stops.toSorted((a, b) => Number(b) - Number(a)));
        }
      }),
    );
  });
});
