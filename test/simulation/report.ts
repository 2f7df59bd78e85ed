import { formatTime } from "../support/trace.ts";
import { formatRequest, type RunRequest } from "./request.ts";
import type { Outcome } from "./simulation.ts";

/** One dense line. */
export function formatOutcome({ seed, failure, hash, steps, counts, cpuSeconds }: Outcome): string {
  const told = Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) => `${name} ${count}`);
  return `seed ${seed} ${failure === undefined ? "held" : "BROKE"} ${hash} steps ${steps} ${told.join(" ")} cpu ${cpuSeconds.toFixed(2)} s`;
}

export function formatFailure(request: RunRequest, { failure }: Outcome): string {
  if (failure === undefined) return "";
  return [
    `broken at ${formatTime(failure.at)}: ${failure.what}`,
    "what happened last:",
    ...failure.last.slice(-25).map((line) => `  ${line.slice(0, 240)}`),
    `again with: npm run sim -- ${formatRequest(request)}`,
  ].join("\n");
}
