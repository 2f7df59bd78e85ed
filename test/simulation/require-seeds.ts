import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { formatFailure } from "./report.ts";
import type { RunRequest } from "./request.ts";
import { runJobs } from "./worker-pool.ts";

/** A line of progress after so many runs: a log that stands still for minutes looks dead. */
const PROGRESS_EVERY = 10;

/** How many seeds of each small world: a landing takes ten, `npm run soak -- worlds` a hundred. */
export const SEEDS = Number(process.env["RINGBOX_WORLD_SEEDS"] ?? 10);

/** Runs each request twice; fails with the first broken invariant, and where two runs of a seed differ. */
export async function requireRuns(requests: readonly RunRequest[]): Promise<void> {
  const troubles: string[] = [];
  const totals = { done: 0, steps: 0, cpuSeconds: 0 };
  const started = performance.now();
  const jobs = requests.map((request) => ({ request, twice: true }));
  await runJobs(jobs, availableParallelism(), ({ request, outcome, replayed }) => {
    if (outcome.failure !== undefined) troubles.push(formatFailure(request, outcome));
    else if (replayed !== outcome.hash) troubles.push(`seed ${request.seed} runs differently the second time`);
    totals.done++;
    totals.steps += outcome.steps;
    totals.cpuSeconds += outcome.cpuSeconds;
    if (totals.done % PROGRESS_EVERY !== 0 && totals.done < requests.length) return;
    const elapsed = Math.round((performance.now() - started) / 1_000);
    const mean = (totals.cpuSeconds / totals.done).toFixed(1);
    console.log(`${totals.done} of ${requests.length} seeds, ${troubles.length} broken, ${totals.steps} steps, ${mean} s of processor a run, ${elapsed} s`);
  });
  assert.equal(troubles.length, 0, `${troubles.length} of ${requests.length} runs broke; the first:\n${troubles[0]}`);
}

export const requireSeeds = (request: Omit<RunRequest, "seed">, first: number, count: number): Promise<void> =>
  requireRuns(Array.from({ length: count }, (_, i) => ({ ...request, seed: first + i })));
