// What every build here does: run programs, say how long each stage took, and keep the result of a stage for as
// long as its inputs are the same.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..");
/** Outside the project, so that a fresh clone is quick too. */
const CACHE = process.env["RINGBOX_IMAGE_CACHE"] ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "ringbox-image");

/** A reason that is told in one sentence; the build ends with status 1. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Standard output. Throws a `BuildError` with the program's last words. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): string {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    cwd: options.cwd ?? ROOT,
    input: options.input,
    env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC", SOURCE_DATE_EPOCH: String(sourceDate()), ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error !== undefined) throw new BuildError(`${program} could not be started: ${error.message}`);
  if (status !== 0) throw new BuildError(`${program} ${args.join(" ")} ended with ${status ?? signal}:\n${lastLines(stderr + stdout)}`);
  return stdout;
}

const lastLines = (text: string): string => text.trimEnd().split("\n").slice(-15).join("\n");

let date: number | undefined;
/** Seconds since 1970 that stand for "now" in everything that is built: the time of the last commit, so that two builds of one commit are equal. */
export function sourceDate(): number {
  if (date !== undefined) return date;
  const given = process.env["SOURCE_DATE_EPOCH"];
  const git = given === undefined ? spawnSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8" }).stdout : given;
  const seconds = Number(git.trim());
  date = Number.isSafeInteger(seconds) && seconds > 0 ? seconds : SOME_DATE;
  return date;
}
/** For a source tree without its history. */
const SOME_DATE = Date.UTC(2026, 10, 1) / 1_000;

/** Runs a stage and says what it took. */
export function stage<Value>(name: string, work: () => Value): Value {
  const started = performance.now();
  const value = work();
  say(`  ${name.padEnd(46)} ${((performance.now() - started) / 1_000).toFixed(1).padStart(6)} s`);
  return value;
}

/**
 * A directory made by `make` from exactly the inputs that `key` names; made once, then kept. An interrupted
 * stage leaves nothing that looks like a result; `anew` makes it although it is there. The older results of a stage go when there are more than three.
 */
export function cached(name: string, key: readonly string[], make: (directory: string) => void, anew = false): string {
  const hash = createHash("sha256").update(JSON.stringify([name, ...key])).digest("hex").slice(0, 16);
  const directory = join(CACHE, `${name}-${hash}`);
  if (anew) rmSync(directory, { recursive: true, force: true });
  if (existsSync(directory)) {
    say(`  ${name.padEnd(46)}   kept`);
    return directory;
  }
  mkdirSync(CACHE, { recursive: true });
  const scratch = `${directory}.new`;
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  stage(name, () => make(scratch));
  renameSync(scratch, directory);
  dropOld(name);
  return directory;
}

const KEPT = 3;
function dropOld(name: string): void {
  const entries = readdirSync(CACHE).filter((entry) => entry.startsWith(`${name}-`) && entry.length === name.length + 17);
  const byAge = entries.map((entry) => ({ entry, age: statSync(join(CACHE, entry)).mtimeMs })).sort((a, b) => b.age - a.age);
  for (const { entry } of byAge.slice(KEPT)) rmSync(join(CACHE, entry), { recursive: true, force: true });
}

export const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** One hash over the names, modes and contents of all files below the paths (relative to the project). */
export function hashOfFiles(...paths: readonly string[]): string {
  const hash = createHash("sha256");
  const add = (path: string): void => {
    const full = join(ROOT, path);
    const { mode } = statSync(full);
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) add(`${path}/${name}`);
      return;
    }
    hash.update(`${path} ${mode & 0o111 ? "x" : "-"} `).update(readFileSync(full));
  };
  for (const path of paths) add(path);
  return hash.digest("hex");
}

/** Ends the process in one sentence where the fault is the world's. */
export function main(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    say(error.message);
    process.exit(1);
  }
}
