// A third box joins a ring of two that holds many bindings, while phones register at the donors:
// `node test/bench/join.ts [BINDINGS]`. Prints how long the join took, and the latency of a REGISTER before and meanwhile.

import { ringboxRing, statusOf } from "./boxes.ts";
import { type Answered, buildSipblast, sipblast } from "./load.ts";
import { bench, pause } from "./machine.ts";

const BINDINGS = Number(process.argv[2] ?? 100_000);
/** Of the phones that register before and during the join: a load that leaves the donors time. */
const STEADY = { port: 5_060, method: "REGISTER", requests: 1_000, window: 2, subscribers: 500, first: 1_000_000 } as const;

let runs = 0;
const donors = ["127.0.0.1", "127.0.0.2"];

async function latencies(goOn: () => boolean): Promise<readonly Answered[]> {
  const measured: Answered[] = [];
  // Other users each time: each run has another address, and a user has no more than ten.
  do measured.push(...(await Promise.all(donors.map((host) => sipblast({ ...STEADY, host, first: STEADY.first + STEADY.subscribers * runs++ })))));
  while (goOn());
  return measured;
}

const show = (name: string, measured: readonly Answered[]): void => {
  const worst = (figure: (one: Answered) => number): string => Math.max(...measured.map(figure)).toFixed(1);
  const middle = measured.map(({ p50 }) => p50).sort((a, b) => a - b)[measured.length >> 1] ?? 0;
  const failed = measured.reduce((sum, one) => sum + one.failed, 0);
  console.log(`REGISTER at the donors, ${name}: p50 ${middle.toFixed(1)} ms, worst p99 ${worst((one) => one.p99)} ms, ${failed} failed, ${measured.length} runs`);
};

await bench(async () => {
  const missing = buildSipblast();
  if (missing !== undefined) throw new Error(missing);
  const ring = await ringboxRing(2);
  try {
    const filled = await Promise.all(
      donors.map((host, k) =>
        sipblast({ host, port: 5_060, method: "REGISTER", requests: BINDINGS / 2, window: 128, subscribers: BINDINGS / 2, first: (k * BINDINGS) / 2 }),
      ),
    );
    console.log(`${BINDINGS} bindings, ${filled.reduce((sum, one) => sum + one.failed, 0)} failed`);
    await latencies(() => false);
    const rounds = [1, 2];
    show("before", await latencies(() => rounds.pop() !== undefined));
    const begun = Date.now();
    const { data } = ring.add();
    let serving = false;
    const joined = (async () => {
      let said = "";
      while (!serving) {
        const status = statusOf(data);
        serving = status?.phase === "serving";
        const text: string = status?.conditions.find(({ code }: { code: string }) => code === "receiving-share")?.text ?? "";
        if (text !== said) console.log(`  ${((Date.now() - begun) / 1_000).toFixed(1)} s: ${text}`);
        said = text;
        await pause(2_000); // each look is a process
      }
      return statusOf(data);
    })();
    show("during the join", await latencies(() => !serving));
    const status = await joined;
    console.log(`joined after at most ${((Date.now() - begun) / 1_000).toFixed(1)} s, with ${status.entries.held} entries`);
    show("after", await latencies(() => false));
  } finally {
    await ring.stop();
  }
});
