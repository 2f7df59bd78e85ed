// `npm start`: one box with its health agent beside it, in the foreground of a terminal. Stands in for systemd: a
// program that ends by a fault is started again, and an interrupt ends both in good order.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { seconds } from "../base/time.ts";
import { ROOT } from "./entry-points.ts";

const USUAL_DATA = "ringbox-data";
/** A program that gives up sooner is not started again: what it said is the reason. */
const LIVED = seconds(5);
const AGAIN = seconds(1);
/** Options that are the agent's; all others are the peer's. */
const OF_AGENT = ["--http-port", "--https-port", "--name", "--webhook", "--syslog"];
/** Options that both have. */
const OF_BOTH = ["--data", "--listen"];

/** The arguments of each program, from those of `npm start --`. */
export function argumentsOf(given: readonly string[]): { readonly peer: readonly string[]; readonly agent: readonly string[] } {
  const peer = ["--found", "--data", USUAL_DATA];
  const agent = ["--supervised", "--data", USUAL_DATA];
  for (let i = 0; i < given.length; i += 1) {
    const option = given[i] ?? "";
    const takesNext = [...OF_AGENT, ...OF_BOTH].includes(option);
    const words = takesNext ? given.slice(i, i + 2) : [option];
    if (takesNext) i += 1;
    if (!OF_AGENT.includes(option)) peer.push(...words);
    if (takesNext) agent.push(...words);
  }
  return { peer, agent };
}

class Supervised {
  readonly #program: string;
  readonly #arguments: readonly string[];
  readonly #onEnd: (status: number) => void;
  #process: ChildProcess | undefined;
  #stopping = false;

  constructor(program: string, parameters: readonly string[], onEnd: (status: number) => void) {
    this.#program = program;
    this.#arguments = parameters;
    this.#onEnd = onEnd;
  }

  start(): void {
    const started = performance.now();
    const process_ = spawn(join(ROOT, "dist", this.#program), this.#arguments, { stdio: "inherit" });
    this.#process = process_;
    process_.on("exit", (status, signal) => {
      this.#process = undefined;
      const refused = signal === null && performance.now() - started < LIVED;
      if (status === 0 || this.#stopping || refused) this.#onEnd(status ?? 1);
      else setTimeout(() => this.start(), AGAIN);
    });
  }

  /** Ctrl-C at a terminal has reached it already; the second signal finds it stopping. */
  stop(): void {
    this.#stopping = true;
    this.#process?.kill("SIGTERM");
  }
}

function main(): void {
  const { peer, agent } = argumentsOf(process.argv.slice(2));
  // Without its agent a box serves all the same; the agent has said why it ended.
  const health = new Supervised("ringbox-agent", agent, () => undefined);
  const box = new Supervised("ringboxd", peer, (status) => {
    process.exitCode = status;
    health.stop();
  });
  box.start();
  health.start();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      box.stop();
      health.stop();
    });
  }
}

if (import.meta.main) main();
