import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { instant } from "../../../../src/base/time.ts";
import type { TimeLineEvent } from "../../../../src/health/report.ts";
import { TimeLineFile } from "../../../../src/io/agent/time-line-file.ts";

const event = (number: number, text = "Something."): TimeLineEvent => ({ id: `e${number}`, at: number, box: { nodeId: "1".repeat(32), words: "amber-otter-42" }, severity: "notice", text });

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "time-line-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

suite("the time line on disk", () => {
  test("is there for the next run, in its order, without what a power cut left half", (t) => {
    const directory = folder(t);
    const file = new TimeLineFile(directory);
    file.keep(instant(0), [event(1), event(2)], () => []);
    file.keep(instant(1_000), [event(3)], () => []);
    assert.deepEqual(new TimeLineFile(directory).read().map(({ id }) => id), ["e1", "e2"], "not written more often than every 5 s");
    file.keep(instant(5_000), [], () => []);
    appendFileSync(join(directory, "time-line.jsonl"), '{"id":"half');
    assert.deepEqual(new TimeLineFile(directory).read(), [event(1), event(2), event(3)]);
  });

  test("writes no more than a budget in an hour, whatever happens, and the rest later", (t) => {
    const directory = folder(t);
    const file = new TimeLineFile(directory);
    let count = 0;
    const burst = (): TimeLineEvent[] => Array.from({ length: 20 }, () => event((count += 1), "x".repeat(100)));
    for (let second = 0; second < 3_600; second += 10) file.keep(instant(second * 1_000), burst(), () => []);
    const path = join(directory, "time-line.jsonl");
    const bytes = statSync(path).size;
    assert(bytes > 256 * 1_024 && bytes < 270 * 1_024, `${bytes}`);
    file.keep(instant(3_600_000), [], () => []);
    assert.equal(new TimeLineFile(directory).read().at(-1)?.id, `e${count}`);
  });

  test("is written anew with what is remembered when it has grown long", (t) => {
    const directory = folder(t);
    const file = new TimeLineFile(directory);
    const remembered = [event(9), event(8)];
    for (let hour = 0; hour < 4; hour += 1) {
      file.keep(instant(hour * 3_600_000), Array.from({ length: 200 }, (_, index) => event(hour * 200 + index, "x".repeat(1_000))), () => remembered);
    }
    assert(statSync(join(directory, "time-line.jsonl")).size < 512 * 1_024);
    assert.deepEqual(new TimeLineFile(directory).read().slice(0, 2).map(({ id }) => id), ["e8", "e9"]);
  });
});
