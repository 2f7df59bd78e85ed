// Processes of a benchmark: started, measured by the kernel's own accounts, ended, and cleaned up after.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");
export const scratch = mkdtempSync(join(tmpdir(), "ringbox-bench-"));
const running = new Set<ChildProcess>();

export interface Server {
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"]).toString());

/** User and system time that the processes, with all their threads, have used so far. */
export function cpuMilliseconds(pids: readonly (number | string)[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1_000) / TICKS_PER_SECOND;
}

/** The same, thread by thread, under the names that threads have. */
export function threadMilliseconds(pids: readonly number[]): ReadonlyMap<string, number> {
  const byName = new Map<string, number>();
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const name = `${Number(thread) === pid ? "main: " : ""}${readFileSync(`/proc/${pid}/task/${thread}/comm`, "utf8").trim()}`;
      byName.set(name, (byName.get(name) ?? 0) + cpuMilliseconds([`${pid}/task/${thread}`]));
    }
  }
  return byName;
}

/** Proportional set size, so that memory which processes share counts once. */
export const kilobytes = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0), 0);

export const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What it says goes to a file of the scratch directory. */
export function start(command: string, options: readonly string[], log: string, environment: NodeJS.ProcessEnv = process.env): ChildProcess {
  const output = openSync(join(scratch, log), "a");
  const child = spawn(command, options, { stdio: ["ignore", output, output], env: environment });
  running.add(child);
  return child;
}

let works = 0;

/** Ends with what the command printed. */
export async function run(command: string, options: readonly string[]): Promise<string> {
  const log = `work-${++works}.log`;
  const child = start(command, options, log);
  await new Promise((resolve) => child.once("exit", resolve));
  running.delete(child);
  return readFileSync(join(scratch, log), "latin1");
}

export async function stop(child: ChildProcess): Promise<void> {
  const ended = child.exitCode !== null ? Promise.resolve() : new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await ended;
  clearTimeout(late);
  running.delete(child);
}

export function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("a server could not be started");
  return child.pid;
}

export const onPath = (command: string): boolean =>
  (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, command)));

/** Nothing of a run that is broken off stays behind. */
function cleanUp(): void {
  for (const child of running) child.kill(child.spawnfile === "bash" ? "SIGTERM" : "SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
}

/** Runs a whole benchmark. */
export async function bench(main: () => Promise<void>): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      cleanUp();
      process.exit(1);
    });
  }
  try {
    await main();
  } finally {
    cleanUp();
  }
}
