import { fork } from "node:child_process";
import { join } from "node:path";
import type { RunRequest } from "./request.ts";
import type { Outcome } from "./simulation.ts";

export interface Finished {
  readonly request: RunRequest;
  readonly outcome: Outcome;
  /** Of the second run, if one was asked for. */
  readonly replayed: string | undefined;
}

export interface Job {
  readonly request: RunRequest;
  readonly twice: boolean;
}

/** Runs all jobs in `workers` processes; `finished` hears of each as it ends. Rejects if a worker dies. */
export async function runJobs(jobs: readonly Job[], workers: number, finished: (result: Finished) => void): Promise<void> {
  let next = 0;
  const runWorker = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(join(import.meta.dirname, "worker.ts"));
      const feed = (): void => {
        const job = jobs[next++];
        if (job === undefined) child.disconnect();
        else child.send(job);
      };
      child.on("message", (result) => {
        finished(result as Finished);
        feed();
      });
      child.on("error", reject);
      child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a worker of the simulation ended with ${code}`))));
      feed();
    });
  await Promise.all(Array.from({ length: Math.min(workers, jobs.length) }, runWorker));
}
