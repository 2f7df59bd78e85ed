// Runs the tests in groups, quick and telling ones first, and closes with one summary over all of them.
// `npm test -- unit/sip wire` runs only the files whose path contains one of the words.

import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type EventData, run } from "node:test";
import { spec } from "node:test/reporters";
import { minutes } from "../src/base/time.ts";

const TESTS = import.meta.dirname;
/** In this order; a file at the top of test/ belongs to "". A simulation takes every processor itself; the lab's boxes and phones need the machine to themselves. */
const GROUPS: readonly { readonly folder: string; readonly alone: boolean }[] = [
  { folder: "", alone: false },
  { folder: "unit", alone: false },
  { folder: "conformance", alone: false },
  { folder: "ports", alone: false },
  { folder: "integration", alone: false },
  { folder: "simulation", alone: true },
  { folder: "lab", alone: true },
  { folder: "image", alone: true },
  { folder: "bench", alone: true },
];
/** One file; far above what any takes, so that one that hangs does not take the whole run with it. */
const FILE_LIMIT = minutes(45);
/** What a landing is judged by must not hang on luck; `npm run soak` and a file run by itself draw a fresh one. */
const WITH_FIXED_PROPERTIES = ["--import", join(TESTS, "support/fixed-properties.ts")];
const COUNTS = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"] as const;

/** Of what a failed test said, in the summary; all of it stands above. */
const WORDS_SHOWN = 500;

const failed: string[] = [];
const totals = new Map<string, number>(COUNTS.map((name) => [name, 0]));
const reporter = new spec();
reporter.pipe(process.stdout);

const started = performance.now();
for (const alone of [false, true]) await runFiles(filesOf(alone), alone ? 1 : availableParallelism());
reporter.end();
await new Promise((resolve) => reporter.once("end", resolve));
printSummary();

function filesOf(alone: boolean): readonly string[] {
  const words = process.argv.slice(2);
  const all = globSync("**/*.test.ts", { cwd: TESTS }).sort();
  const groups = GROUPS.filter((group) => group.alone === alone).map((group) => group.folder);
  return groups
    .flatMap((group) => all.filter((path) => folderOf(path) === group))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .map((path) => join(TESTS, path));
}

function folderOf(path: string): string {
  const folder = path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
  if (!GROUPS.some((group) => group.folder === folder)) throw new Error(`test/${path} belongs to no group of test/run.ts`);
  return folder;
}

async function runFiles(files: readonly string[], concurrency: number): Promise<void> {
  if (files.length === 0) return;
  for await (const event of run({ files: [...files], concurrency, timeout: FILE_LIMIT, execArgv: WITH_FIXED_PROPERTIES })) {
    // The runner's own closing counts are of this call only; they are added up for the one summary.
    if (event.type === "test:diagnostic" && event.data.nesting === 0 && addToTotals(event.data.message)) continue;
    if (event.type === "test:fail") noteFailure(event.data);
    if (!reporter.write(event)) await new Promise((resolve) => reporter.once("drain", resolve));
  }
}

/** A suite that fails only because of a test in it says nothing of its own. */
function noteFailure({ name, nesting, details }: EventData.TestFail): void {
  if (nesting === 0) process.exitCode = 1;
  const { failureType, cause, message } = details.error as Error & { readonly failureType?: string };
  if (failureType === "subtestsFailed") return;
  const words = (cause instanceof Error ? cause.message : message).replaceAll(/\s+/g, " ");
  failed.push(`${name}: ${words.slice(0, WORDS_SHOWN)}`);
}

/** Whether the line was one of the runner's closing counts. */
function addToTotals(line: string): boolean {
  const [name = "", count] = line.split(" ");
  if (name === "duration_ms") return true;
  const total = totals.get(name);
  if (total === undefined || count === undefined || !Number.isInteger(Number(count))) return false;
  totals.set(name, total + Number(count));
  return true;
}

function printSummary(): void {
  for (const line of failed) console.log(`# failed: ${line}`);
  for (const [name, count] of totals) console.log(`# ${name} ${count}`);
  console.log(`# duration_ms ${Math.round(performance.now() - started)}`);
  const failures = (totals.get("fail") ?? 0) + (totals.get("cancelled") ?? 0);
  if (failures > 0 || totals.get("tests") === 0) process.exitCode = 1;
}
