// Boxes for a benchmark, as they are built. BENCH_DIST names another build's folder, to compare two;
// BENCH_NODE_OPTIONS are options of the boxes' runtime (`--cpu-prof --cpu-prof-dir=…`).

import { type ChildProcess, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pause, pidOf, ROOT, scratch, type Server, start, stop } from "./machine.ts";

export const DOMAIN = "example.com";
const DIST = process.env["BENCH_DIST"] ?? join(ROOT, "dist");

/** One box that founded its fleet. */
export async function ringbox(options: readonly string[]): Promise<Server & { readonly data: string }> {
  const data = mkdtempSync(join(scratch, "box-"));
  const box = boxProcess(data, "127.0.0.1", ["--found", "--domain", DOMAIN, ...options]);
  await serving(box, data, 1);
  return { data, pids: [pidOf(box)], stop: () => stop(box) };
}

export interface Ring extends Server {
  /** One more box, at 127.0.0.K; ends when its process runs, not when it serves. */
  add(): { readonly data: string; readonly host: string; readonly process: ChildProcess };
  /** Waits until the newest box serves in the ring of all. */
  whole(): Promise<void>;
}

/** A ring at 127.0.0.1, 127.0.0.2 … */
export async function ringboxRing(boxes: number): Promise<Ring> {
  const fleet = mkdtempSync(join(scratch, "fleet-"));
  execFileSync(join(DIST, "ringbox"), ["fleet", "init", join(fleet, "f"), "--name", "bench", "--domain", DOMAIN], { stdio: "ignore" });
  const all: { data: string; host: string; process: ChildProcess }[] = [];
  const ring: Ring = {
    get pids() {
      return all.map((box) => pidOf(box.process));
    },
    add() {
      const host = `127.0.0.${all.length + 1}`;
      const data = join(fleet, host);
      const hints = all.length === 0 ? [] : ["--hint", "127.0.0.1:6084"];
      const box = { data, host, process: boxProcess(data, host, ["--ticket", join(fleet, "f/fleet.ticket"), ...hints, "--open-registration"]) };
      all.push(box);
      return box;
    },
    async whole() {
      const newest = all.at(-1);
      if (newest !== undefined) await serving(newest.process, newest.data, all.length);
    },
    async stop() {
      for (const box of all) await stop(box.process);
    },
  };
  for (let k = 1; k <= boxes; k++) {
    ring.add();
    await ring.whole();
  }
  return ring;
}

function boxProcess(data: string, host: string, options: readonly string[]): ChildProcess {
  const environment = { ...process.env, NODE_OPTIONS: process.env["BENCH_NODE_OPTIONS"] ?? "" };
  return start(join(DIST, "ringboxd"), ["--data", data, "--listen", host, "--no-mdns", ...options], "ringboxd.log", environment);
}

/** Waits until the box serves in a ring of that many. */
async function serving(box: ChildProcess, data: string, boxes: number): Promise<void> {
  for (let tries = 0; tries < 150 && box.exitCode === null && box.signalCode === null; tries++) {
    const status = statusOf(data);
    if (status?.phase === "serving" && status.boxes.serving >= boxes) return;
    await pause(200);
  }
  throw new Error(`The box on ${data} does not serve (exit ${box.exitCode}, ${box.signalCode}); it said: ${readFileSync(join(scratch, "ringboxd.log"), "utf8").slice(-600)}`);
}

/** `undefined`: it is not up yet. */
export function statusOf(data: string) {
  try {
    return JSON.parse(execFileSync(join(DIST, "ringbox"), ["--data", data, "status", "--json"], { stdio: ["ignore", "pipe", "ignore"] }).toString());
  } catch {
    return undefined;
  }
}

/** Subscribers u0, u1 … */
export function subscribe(data: string, subscribers: number, password: string): void {
  const file = join(data, "subscribers.csv");
  writeFileSync(file, Array.from({ length: subscribers }, (_, n) => `u${n},${password}\n`).join(""));
  execFileSync(join(DIST, "ringbox"), ["--data", data, "subscriber", "import", file], { stdio: "ignore" });
}
