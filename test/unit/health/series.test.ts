import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { HealthReport } from "../../../src/health/report.ts";
import { SeriesBook } from "../../../src/health/series.ts";

const at = (second: number, cpu: number | null): HealthReport =>
  ({
    at: second * 1_000, peer: { state: "answering" }, phones: { registered: 7, proved: 7, list: [] }, proofs: [], callsUnderWay: 0,
    facts: [{ name: "cpu", label: "Processor", value: cpu, unit: "%", at: 0 }],
  }) as unknown as HealthReport;

suite("the charts' points", () => {
  test("are of seconds for ten minutes, of minutes for a day before, and the oldest go", () => {
    const book = new SeriesBook();
    const seconds = 2 * 86_400;
    for (let second = 1; second <= seconds; second++) book.record(at(second, second % 60));
    const cpu = book.series().find(({ name }) => name === "cpu")?.points ?? [];
    assert.equal(cpu.at(-1)?.[0], seconds * 1_000);
    const fine = cpu.slice(-600);
    assert.deepEqual([fine[0]?.[0], fine.length], [(seconds - 599) * 1_000, 600]);
    const coarse = cpu.slice(0, -600);
    assert.equal(coarse.length, 1_440 - 10);
    assert.ok(coarse.every(([, value]) => value === 29.5), "each the mean of its minute");
    assert.ok(cpu.every(([time], index) => index === 0 || time > (cpu[index - 1]?.[0] ?? 0)), "in order");
  });

  test("leave a gap where nothing was known, and leave out what this machine never told", () => {
    const book = new SeriesBook();
    for (let second = 1; second <= 5; second++) book.record(at(second, second === 3 ? null : 10));
    const [...series] = book.series();
    assert.deepEqual(series.map(({ name }) => name), ["registrations", "calls", "cpu"]);
    assert.deepEqual(series[2]?.points.map(([, value]) => value), [10, 10, null, 10, 10]);
  });
});
