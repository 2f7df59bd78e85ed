// npm run sim -- --seed 7 --boxes 50 --hours 24 --loss 5
// Runs one seed or many and prints a line for each; a broken invariant is printed with the way to have it again.

import { closeSync, openSync, writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { formatFailure, formatOutcome } from "./report.ts";
import { OPTIONS, readRequest, type RunRequest, runRequest } from "./request.ts";
import type { Outcome } from "./simulation.ts";
import { FAULT_MIXES } from "./weather.ts";
import { runJobs } from "./worker-pool.ts";

const USAGE = `npm run sim -- [options]
  --seed S       first seed (1)             --seeds K     how many, from S on (1)
  --boxes N      (10)                       --hours H     virtual hours (1)
  --loss P       percent of packets (5)     --mix NAME    ${Object.keys(FAULT_MIXES).join(", ")} (churn)
  --phones N     (20)                       --start MS    true time at the start, ms since 1970
  --machine M   peer: whole boxes; overlay: overlay cores alone (peer)
  --twice        each seed twice, compared  --workers W   processes
  --trace FILE   write every happening of the first seed`;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Whether it held. */
function tell(request: RunRequest, outcome: Outcome, replayed: string | undefined): boolean {
  print(formatOutcome(outcome));
  if (outcome.failure !== undefined) print(formatFailure(request, outcome));
  const differs = replayed !== undefined && replayed !== outcome.hash;
  if (differs) print(`seed ${outcome.seed} runs differently the second time: ${outcome.hash}, then ${replayed}`);
  return outcome.failure === undefined && !differs;
}

function runTraced(request: RunRequest, path: string): boolean {
  const file = openSync(path, "w");
  const outcome = runRequest(request, (line) => writeSync(file, `${line}\n`));
  closeSync(file);
  return tell(request, outcome, undefined);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      ...OPTIONS, seeds: { type: "string" }, workers: { type: "string" }, trace: { type: "string" },
      twice: { type: "boolean" }, help: { type: "boolean" },
    },
  });
  if (values.help === true) return print(USAGE);
  const first = readRequest(values);
  const count = Number(values.seeds ?? 1);
  const twice = values.twice === true;
  let held = true;
  if (values.trace !== undefined) held = runTraced(first, values.trace);
  else if (count === 1) held = tell(first, runRequest(first), twice ? runRequest(first).hash : undefined);
  else {
    const jobs = Array.from({ length: count }, (_, i) => ({ request: { ...first, seed: first.seed + i }, twice }));
    await runJobs(jobs, Number(values.workers ?? availableParallelism()), ({ request, outcome, replayed }) => {
      held = tell(request, outcome, replayed) && held;
    });
  }
  process.exitCode = held ? 0 : 1;
}

try {
  await main();
} catch (thrown) {
  if (!(thrown instanceof TypeError)) throw thrown;
  process.stderr.write(`${thrown.message}\n${USAGE}\n`);
  process.exitCode = 1;
}
