// Makes dist/: the programs as bundled modules, the runtime and the native module beside them, and a
// launcher for each program. A box may be running from dist while it is made anew: every file is written
// under another name and renamed into place, chunks before the entries that import them, and the chunks
// of the build before stay, because a running box may still import one.

import { createHash } from "node:crypto";
import {
  chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync,
  statSync, writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { minutes } from "../base/time.ts";
import { BUNDLE_OPTIONS, ENTRY_POINTS, ROOT } from "./entry-points.ts";
import { PAGE_OPTIONS } from "./page-bundle.ts";

const DIST = join(ROOT, "dist");
const STAMP = join(DIST, "build.json");
const PTY = `prebuilds/linux-${process.arch}/pty.node`;
const SCRATCH = ".new-";
const ABANDONED_AFTER = minutes(10);
/** What a launcher is made for: `dist/NAME` runs the module of that name. */
const MODULES = { ringboxd: "ringboxd.mjs", ringbox: "ringbox.mjs", "ringbox-agent": "agent.mjs" } as const;
const PROGRAMS = Object.keys(MODULES);
/** Files that change what comes out without being part of the bundle. */
const OTHER_INPUTS = ["package-lock.json", "src/build/bundle.ts", "src/build/entry-points.ts", "src/build/page-bundle.ts"];

interface Stamp {
  /** SHA-256 by path, relative to the project. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: readonly string[];
}

async function main(): Promise<void> {
  const missing = ENTRY_POINTS.filter((entry) => !existsSync(join(ROOT, entry)));
  if (missing.length > 0) stop(`not there: ${missing.join(", ")}`);
  const before = readStamp();
  if (before !== undefined && isUpToDate(before)) return;
  mkdirSync(DIST, { recursive: true });
  dropAbandoned();
  const scratch = mkdtempSync(join(DIST, SCRATCH));
  try {
    const stamp = await makeAll(scratch);
    dropOldChunks([...stamp.outputs, ...(before?.outputs ?? [])]);
    replaceFile(scratch, "build.json", JSON.stringify(stamp, undefined, 1));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  process.stderr.write(`Built dist/${PROGRAMS.join(", dist/")}.\n`);
}

async function makeAll(scratch: string): Promise<Stamp> {
  const result = await build({ ...BUNDLE_OPTIONS, outdir: scratch, logLevel: "silent" });
  const bundled = readdirSync(scratch).sort(chunksFirst);
  for (const name of bundled) renameSync(join(scratch, name), join(DIST, name));
  replaceFile(scratch, "metafile.json", JSON.stringify(result.metafile));
  placeRuntime(scratch);
  placeSqlite(scratch);
  placePty(scratch);
  const page = await placePage(scratch);
  for (const [program, module] of Object.entries(MODULES)) replaceFile(scratch, program, launcher(program, module), 0o755);
  const sources = [...Object.keys(result.metafile.inputs), ...page.inputs].map((path) => relative(ROOT, join(ROOT, path)));
  const inputs = Object.fromEntries([...sources, ...OTHER_INPUTS].map((path) => [path, hashOf(join(ROOT, path))]));
  return { inputs, outputs: [...bundled, ...PROGRAMS, "node", "better_sqlite3.node", PTY, ...page.outputs, "metafile.json"] };
}

const isChunk = (name: string): boolean => name.startsWith("chunk-");
const chunksFirst = (a: string, b: string): number => Number(isChunk(b)) - Number(isChunk(a));

/** The pinned Node. A hard link costs nothing and outlives node_modules; across file systems it is a copy. */
function placeRuntime(scratch: string): void {
  const pinned = join(ROOT, `node_modules/node-linux-${process.arch}/bin/node`);
  const placed = join(DIST, "node");
  if (existsSync(placed) && statSync(placed).ino === statSync(pinned).ino) return;
  const fresh = join(scratch, "node");
  try {
    linkSync(pinned, fresh);
  } catch {
    copyFileSync(pinned, fresh);
    chmodSync(fresh, 0o755);
  }
  renameSync(fresh, placed);
}

/** better-sqlite3 looks for its binary beside its own source, which is bundled away: `nativeBinding` names this one. */
function placeSqlite(scratch: string): void {
  copyFileSync(
    join(ROOT, `node_modules/better-sqlite3/prebuilds/linux-${process.arch}.node`),
    join(scratch, "better_sqlite3.node"),
  );
  renameSync(join(scratch, "better_sqlite3.node"), join(DIST, "better_sqlite3.node"));
}

/** node-pty looks for its binary beside the bundle that it is in. */
function placePty(scratch: string): void {
  const folder = join(DIST, dirname(PTY));
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(ROOT, "node_modules/node-pty", PTY), join(scratch, "pty.node"));
  renameSync(join(scratch, "pty.node"), join(DIST, PTY));
}

/** For browsers, in a folder of its own. */
async function placePage(scratch: string): Promise<{ readonly inputs: readonly string[]; readonly outputs: readonly string[] }> {
  const { metafile } = await build({ ...PAGE_OPTIONS, outdir: join(scratch, "web"), logLevel: "silent" });
  mkdirSync(join(DIST, "web"), { recursive: true });
  const names = readdirSync(join(scratch, "web")).sort(chunksFirst);
  for (const name of names) renameSync(join(scratch, "web", name), join(DIST, "web", name));
  return { inputs: Object.keys(metafile.inputs), outputs: names.map((name) => `web/${name}`) };
}

/**
 * V8 lets the space for young objects grow to 128 MiB under load, and a small machine has better use for it: MiB of one
 * of its halves. What a request leaves is over long before, or lives for 32 seconds anyway.
 */
const YOUNG_HALF = 16;

const launcher = (program: string, module: string): string => `#!/bin/sh
# Runs ${program} with the runtime beside it, from any directory and through symbolic links.
here=$(dirname -- "$(readlink -f -- "$0")")
exec "$here/node" --enable-source-maps --max-semi-space-size=${YOUNG_HALF} "$here/${module}" "$@"
`;

function replaceFile(scratch: string, name: string, content: string, mode = 0o644): void {
  writeFileSync(join(scratch, name), content, { mode });
  renameSync(join(scratch, name), join(DIST, name));
}

function dropOldChunks(keep: readonly string[]): void {
  const kept = new Set(keep);
  for (const name of readdirSync(DIST)) if (isChunk(name) && !kept.has(name)) rmSync(join(DIST, name));
}

/** What builds left behind that were killed half-way; one that is running is younger. */
function dropAbandoned(): void {
  for (const name of readdirSync(DIST).filter((entry) => entry.startsWith(SCRATCH))) {
    if (Date.now() - statSync(join(DIST, name)).mtimeMs > ABANDONED_AFTER) rmSync(join(DIST, name), { recursive: true, force: true });
  }
}

function isUpToDate(stamp: Stamp): boolean {
  return (
    stamp.outputs.every((name) => existsSync(join(DIST, name))) &&
    Object.entries(stamp.inputs).every(([path, hash]) => existsSync(join(ROOT, path)) && hashOf(join(ROOT, path)) === hash)
  );
}

function readStamp(): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(STAMP, "utf8")) as Stamp;
  } catch {
    return undefined;
  }
}

const hashOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

function stop(reason: string): never {
  process.stderr.write(`dist/ cannot be made: ${reason}\n`);
  process.exit(1);
}

await main().catch((error: unknown) => stop(error instanceof Error ? error.message : String(error)));
