import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Instant, instant } from "../../../src/base/time.ts";
import { Admission, type AdmissionInput, type AdmissionSettings } from "../../../src/provision/admission.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

const SELF = "80";
const at = (last: number) => ({ host: `10.0.0.${last}`, port: 6084 });
const heard = (last: number, state: "serving" | "blank", instance: string, fleetHash = "f"): AdmissionInput => ({
  type: "heard", address: at(last), announcement: { fleetHash, state, instance },
});

/** Steps the machine through inputs at their times and through all its deadlines; returns what it did, one line each. */
function run(settings: Partial<AdmissionSettings>, script: readonly (readonly [number, AdmissionInput])[], until = 20_000): string[] {
  const admission = new Admission({
    ticket: "fleet", fleetHash: "f", instance: SELF, listening: true, random: new SeededRandom(1), ...settings,
  });
  const lines: string[] = [];
  const step = (now: Instant, input: AdmissionInput): void => {
    for (const effect of admission.step(now, input)) {
      if (effect.type === "enroll") lines.push(`${now} enroll ${effect.address.host}`);
      else if (effect.type === "phase-changed") lines.push(`${now} ${effect.phase}`);
      else if (effect.type === "found") lines.push(`${now} found`);
      else lines.push(`${now} ${effect.text}`);
    }
  };
  const inputs = [...script].sort((a, b) => a[0] - b[0]);
  for (;;) {
    const deadline = admission.nextDeadline() ?? instant(Number.POSITIVE_INFINITY);
    const [next] = inputs;
    if (next !== undefined && next[0] <= deadline) {
      inputs.shift();
      step(instant(next[0]), next[1]);
    } else if (deadline <= until) step(deadline, { type: "tick" });
    else return lines;
  }
}
const start: readonly [number, AdmissionInput] = [0, { type: "start" }];
const dials = (lines: readonly string[]): string[] => lines.filter((line) => line.includes("enroll "));

test("without a ticket a box stays blank and dials nobody", () => {
  assert.deepEqual(run({ ticket: undefined }, [start, [10, heard(2, "serving", "10")]]), ["0 no ticket: this box waits to be given one"]);
});

test("with a fleet ticket, no multicast and no hints a box founds at once", () => {
  assert.deepEqual(run({ listening: false }, [start, [1, { type: "founded" }]]), ["0 seeking", "0 founding", "0 found", "1 enrolled"]);
});

test("with a fleet ticket a box listens a moment, then founds", () => {
  assert.deepEqual(run({}, [start, [1_501, { type: "founded" }]]), ["0 seeking", "1500 founding", "1500 found", "1501 enrolled"]);
});

test("a member that serves is asked, and enrolls the box", () => {
  assert.deepEqual(run({}, [start, [100, heard(2, "serving", "10")], [200, { type: "granted", address: at(2) }]]), [
    "0 seeking", "100 enroll 10.0.0.2", "100 enrolling", "200 enrolled",
  ]);
});

test("of blank boxes the one with the lowest tag founds first, the others wait for it to serve", () => {
  assert.ok(run({ instance: "10" }, [start, [100, heard(2, "blank", "20")]]).includes("1500 found"));
  const waiting = run({ instance: "20" }, [
    start, [100, heard(2, "blank", "10")], [2_000, heard(2, "serving", "10")], [2_100, { type: "granted", address: at(2) }],
  ]);
  assert.deepEqual(waiting, ["0 seeking", "2000 enroll 10.0.0.2", "2000 enrolling", "2100 enrolled"]);
});

test("a box founds by itself if the one before it does not", () => {
  assert.ok(run({ instance: "20" }, [start, [100, heard(2, "blank", "10")]]).includes("6000 found"));
});

test("a box that came before and says goodbye is founding: its return is waited for", () => {
  const script: (readonly [number, AdmissionInput])[] = [start, [100, heard(2, "blank", "10")], [1_600, { type: "unheard", instance: "10" }]];
  const back = run({ instance: "20" }, [...script, [1_700, heard(2, "serving", "c0")], [1_800, { type: "granted", address: at(2) }]]);
  assert.deepEqual(back, ["0 seeking", "1700 enroll 10.0.0.2", "1700 enrolling", "1800 enrolled"]);
  assert.ok(run({ instance: "20" }, script).includes("6000 found"), "but not for ever");
  assert.ok(run({ instance: "05" }, script).includes("1500 found"), "and not by the box that comes first");
});

test("a second member is asked only when the first has had a second to answer", () => {
  const lines = run({ ticket: "join" }, [start, [100, heard(2, "serving", "10")], [110, heard(3, "serving", "11")]], 5_000);
  assert.deepEqual(dials(lines), ["100 enroll 10.0.0.2", "1100 enroll 10.0.0.3"]);
});

test("hints are tried before a box founds", () => {
  const lines = run({ listening: false }, [
    [0, { type: "hint", address: at(9) }], start, [4_000, { type: "unreachable", address: at(9), reason: "connection refused" }],
  ]);
  assert.deepEqual(lines.slice(0, 5), [
    "0 seeking", "0 enroll 10.0.0.9", "0 enrolling", "4000 10.0.0.9:6084 did not enroll this box: connection refused", "4000 founding",
  ]);
});

test("a rumor of a serving box that never answers does not keep a box out for ever", () => {
  assert.ok(run({}, [start, [100, heard(2, "serving", "10")]]).includes("15000 found"));
});

test("with a join ticket a box never founds, and asks again with growing pauses", () => {
  const script: (readonly [number, AdmissionInput])[] = [[0, { type: "hint", address: at(9) }], start];
  for (let time = 10; time < 60_000; time += 10) script.push([time, { type: "unreachable", address: at(9), reason: "no route" }]);
  const lines = run({ ticket: "join" }, script, 60_000);
  assert.ok(!lines.some((line) => line.endsWith("found")));
  const times = dials(lines).map((line) => Number(line.split(" ")[0]));
  assert.ok(times.length >= 5 && times.length <= 8, times.join());
  const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  pauses.slice(1, 4).forEach((pause, i) => assert.ok(pause > (pauses[i] ?? 0) * 1.1, pauses.join()));
});

test("own announcements and those of other fleets are ignored", () => {
  assert.deepEqual(dials(run({ ticket: "join" }, [start, [10, heard(2, "serving", SELF)], [20, heard(3, "serving", "10", "other")]])), []);
});

test("a refusal is said once with its reason, the box does not found, and asks again a minute later", () => {
  const declined: AdmissionInput = { type: "declined", address: at(2), reason: "the ticket expired on 2026-01-01" };
  const lines = run({}, [start, [100, heard(2, "serving", "10")], [200, declined], [60_300, declined]], 70_000);
  assert.deepEqual(lines.slice(3), ["200 10.0.0.2:6084 refused this box: the ticket expired on 2026-01-01", "200 refused", "60200 enroll 10.0.0.2"]);
});

test("a refused box is enrolled if a member thinks otherwise later", () => {
  const lines = run({ ticket: "join" }, [
    start, [100, heard(2, "serving", "10")], [200, { type: "declined", address: at(2), reason: "no" }],
    [300, heard(3, "serving", "11")], [400, { type: "granted", address: at(3) }],
  ]);
  assert.equal(lines.at(-1), "400 enrolled");
});

test("no more than four dials wait for an answer, however many rumors there are", () => {
  const flood = Array.from({ length: 200 }, (_, i) => [10 + i, heard(i + 1, "serving", `a${i}`)] as const);
  assert.equal(dials(run({ ticket: "join" }, [start, ...flood], 60_000)).length, 4);
});

test("a flood of rumors does not displace a hint, and a true member gets its turn when others have failed", () => {
  const flood = Array.from({ length: 64 }, (_, i) => [10, heard(i + 1, "serving", `a${i}`)] as const);
  const failures = Array.from({ length: 5_000 }, (_, i) => [20 + i, { type: "unreachable", address: at((i % 64) + 1), reason: "no" }] as const);
  const lines = run({ ticket: "join" }, [[0, { type: "hint", address: at(200) }], start, ...flood, ...failures, [4_000, heard(201, "serving", "b")]], 6_000);
  assert.ok(lines.some((line) => line.endsWith("enroll 10.0.0.200")));
  assert.ok(lines.some((line) => line.endsWith("enroll 10.0.0.201")));
});

test("whatever happens in whatever order, a box with a fleet ticket is enrolled, founding or refused in 16 seconds", () => {
  const instance = fc.constantFrom("10", "90");
  const input: fc.Arbitrary<AdmissionInput> = fc.oneof(
    fc.record({ type: fc.constant("hint" as const), address: fc.constantFrom(at(1), at(2)) }),
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom("serving" as const, "blank" as const), instance).map(([last, state, tag]) => heard(last, state, tag)),
    fc.record({ type: fc.constant("unheard" as const), instance }),
    fc.record({ type: fc.constantFrom("declined" as const, "unreachable" as const), address: fc.constantFrom(at(1), at(2), at(3)), reason: fc.constant("no") }),
    fc.record({ type: fc.constant("granted" as const), address: fc.constantFrom(at(1), at(2), at(3)) }),
  );
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 15_000 }), input), { maxLength: 40 }), (script) => {
    const lines = run({}, [start, ...script], 16_000);
    assert.ok(lines.some((line) => / (found|enrolled|refused)$/.test(line)), lines.join("\n"));
    assert.ok(lines.filter((line) => line.endsWith("found")).length <= 1);
  }), { numRuns: 300 });
});
