import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { formatFailure } from "./report.ts";
import type { RunRequest } from "./request.ts";
import { runJobs } from "./worker-pool.ts";

/** Runs each request twice; fails with the first broken invariant, and where two runs of a seed differ. */
export async function requireRuns(requests: readonly RunRequest[]): Promise<void> {
  const troubles: string[] = [];
  const jobs = requests.map((request) => ({ request, twice: true }));
  await runJobs(jobs, availableParallelism(), ({ request, outcome, replayed }) => {
    if (outcome.failure !== undefined) troubles.push(formatFailure(request, outcome));
    else if (replayed !== outcome.hash) troubles.push(`seed ${request.seed} runs differently the second time`);
  });
  assert.equal(troubles.length, 0, `${troubles.length} of ${requests.length} runs broke; the first:\n${troubles[0]}`);
}

export const requireSeeds = (request: Omit<RunRequest, "seed">, first: number, count: number): Promise<void> =>
  requireRuns(Array.from({ length: count }, (_, i) => ({ ...request, seed: first + i })));
