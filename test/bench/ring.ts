// What one REGISTER costs a whole ring of boxes: `node test/bench/ring.ts BOXES… [--requests N] [--window N] [--rounds N]`.
// All boxes are loaded at once. Beside the cost of a request it prints what the ring costs when nothing is asked of it.

import { parseArgs } from "node:util";
import { ringboxRing } from "./boxes.ts";
import { type Answered, buildSipblast, sipblast } from "./load.ts";
import { bench, cpuMilliseconds, pause, threadMilliseconds } from "./machine.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { requests: { type: "string", default: "6000" }, window: { type: "string", default: "64" }, rounds: { type: "string", default: "3" } },
});
const IDLE_MS = 3_000;

async function blastAll(boxes: number, requests: number, window: number): Promise<readonly Answered[]> {
  const each = Math.round(requests / boxes);
  return Promise.all(
    Array.from({ length: boxes }, (_, k) =>
      sipblast({ host: `127.0.0.${k + 1}`, port: 5_060, method: "REGISTER", requests: each, window, subscribers: 500, first: k * 1_000 }),
    ),
  );
}

async function measure(boxes: number): Promise<void> {
  const ring = await ringboxRing(boxes);
  try {
    const { pids } = ring;
    const requests = Number(values.requests);
    await pause(2_000);
    const quiet = cpuMilliseconds(pids);
    await pause(IDLE_MS);
    const idle = (cpuMilliseconds(pids) - quiet) / IDLE_MS;
    for (let round = 1; round <= Number(values.rounds); round++) {
      const before = cpuMilliseconds(pids);
      const threads = threadMilliseconds(pids);
      const begun = Date.now();
      const answered = await blastAll(boxes, requests, Number(values.window));
      const seconds = (Date.now() - begun) / 1_000;
      const cost = ((cpuMilliseconds(pids) - before) * 1_000) / requests;
      const byThread = [...threadMilliseconds(pids)].map(([name, ms]) => `${name} ${(((ms - (threads.get(name) ?? 0)) * 1_000) / requests).toFixed(0)}`);
      const failed = answered.reduce((sum, one) => sum + one.failed, 0);
      const p99 = Math.max(...answered.map((one) => one.p99));
      console.log(
        `${boxes} boxes, round ${round}: ${cost.toFixed(0)} us a REGISTER; ${(requests / seconds).toFixed(0)}/s, p99 ${p99.toFixed(1)} ms, ${failed} failed; idle ${(idle * 1_000).toFixed(1)} ms CPU a second; ${byThread.join(", ")}`,
      );
    }
  } finally {
    await ring.stop();
  }
}

await bench(async () => {
  const missing = buildSipblast();
  if (missing !== undefined) throw new Error(missing);
  for (const boxes of positionals) await measure(Number(boxes));
});
