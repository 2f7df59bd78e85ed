// What a program writes below one directory, in order, as strace saw it: the material of a power cut.

import { spawn, spawnSync } from "node:child_process";
import { createReadStream, rmSync } from "node:fs";
import { createInterface } from "node:readline";

export type Operation =
  | { readonly type: "create" | "unlink"; readonly path: string }
  | { readonly type: "rename"; readonly from: string; readonly to: string }
  | { readonly type: "write"; readonly path: string; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: "truncate"; readonly path: string; readonly size: number }
  /** All that was written to the file before is on disk; of a directory: all names that came and went in it. */
  | { readonly type: "sync"; readonly path: string }
  /** A line that the program printed: what it promised by then. */
  | { readonly type: "said"; readonly line: string };

export interface Recorder {
  /** Only what happens below it is kept. It must exist. */
  readonly directory: string;
  readonly command: readonly string[];
  /** Called with each line the program prints; true: it has said enough and is killed. */
  readonly enough?: (line: string) => boolean;
  /** The trace lies here meanwhile. */
  readonly traceFile: string;
}

/** Why nothing can be recorded, or `false`; for the `skip` of a suite. */
export const skipWithoutStrace: string | false =
  spawnSync("strace", ["-e", "trace=none", "true"]).status === 0 ? false : "strace is not there, or may not trace (Debian package strace)";

const CALLS = "openat,write,pwrite64,writev,pwritev,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,link,copy_file_range,sendfile,mmap";

/** Runs a program to its end, or until it has said enough, and returns what it did. */
export async function record({ directory, command, enough, traceFile }: Recorder): Promise<readonly Operation[]> {
  const said: string[] = [];
  const child = spawn("strace", ["-f", "--seccomp-bpf", "-y", "-xx", "-s", "4000000", "-o", traceFile, "-e", `trace=${CALLS}`, ...command], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const errors: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk.toString()));
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    said.push(line);
    // strace and all it traces: a group of their own.
    if (enough?.(line) === true && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  });
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  if (status !== 0 && enough === undefined) throw new Error(`${command.join(" ")}: ${status}\n${errors.join("")}`);
  const operations = await readTrace(traceFile, directory);
  rmSync(traceFile);
  return operations;
}

/** Calls that were interrupted by another thread's are one again: what they write counts from their beginning, what they promise from their end. */
async function readTrace(file: string, directory: string): Promise<readonly Operation[]> {
  const operations: Operation[] = [];
  const unfinished = new Map<string, string>();
  const trace = new Trace(directory, operations);
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const space = line.indexOf(" ");
    const thread = line.slice(0, space);
    const call = line.slice(space).trimStart();
    const cut = call.indexOf(" <unfinished ...>");
    if (cut >= 0) {
      unfinished.set(thread, call.slice(0, cut));
      if (isWrite(call)) trace.take(call);
      continue;
    }
    if (!call.startsWith("<... ")) {
      trace.take(call);
      continue;
    }
    const begun = unfinished.get(thread);
    unfinished.delete(thread);
    if (begun !== undefined && !isWrite(begun)) trace.take(begun + call.slice(call.indexOf("resumed>") + 8));
  }
  return operations;
}

const isWrite = (call: string): boolean => call.startsWith("pwrite64(") || call.startsWith("write(");

class Trace {
  readonly #directory: string;
  readonly #operations: Operation[];
  /** Positions of files that are written without one. */
  readonly #positions = new Map<string, number>();
  readonly #known = new Set<string>();

  constructor(directory: string, operations: Operation[]) {
    this.#directory = `${directory}/`;
    this.#operations = operations;
  }

  take(call: string): void {
    if (/\) += -1 E/.test(call.slice(-200))) return;
    const name = call.slice(0, call.indexOf("("));
    const strings = [...call.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = ""]) => bytesOf(text));
    const path = textOf(/^\w+\(\d+<((?:\\x[0-9a-f]{2})*)>/.exec(call)?.[1] ?? "");
    const named = strings.map((bytes) => Buffer.from(bytes).toString());
    switch (name) {
      case "openat":
        return this.#opened(named[0] ?? "", call);
      case "write":
        if (call.startsWith("write(1<")) this.#said(strings[0] ?? new Uint8Array(0));
        else if (this.#isOurs(path)) this.#written(path, this.#positions.get(path) ?? 0, strings[0] ?? new Uint8Array(0));
        return;
      case "pwrite64":
        if (this.#isOurs(path)) this.#written(path, Number(/, (\d+)(?:\) += \d+| <unfinished \.\.\.>)?$/.exec(call)?.[1]), strings[0] ?? new Uint8Array(0));
        return;
      case "ftruncate":
        if (this.#isOurs(path)) this.#operations.push({ type: "truncate", path, size: Number(/, (\d+)\) += /.exec(call)?.[1]) });
        return;
      case "fsync":
      case "fdatasync":
        if (this.#isOurs(path) || `${path}/` === this.#directory) this.#operations.push({ type: "sync", path });
        return;
      case "rename":
        return this.#renamed(named[0] ?? "", named[1] ?? "");
      case "unlink":
        if (this.#isOurs(named[0] ?? "")) this.#operations.push({ type: "unlink", path: named[0] ?? "" });
        this.#known.delete(named[0] ?? "");
        return;
      case "mmap":
        // SQLite shares the index of its log between processes; it is made anew after a crash.
        if (this.#isOurs(path) && call.includes("PROT_WRITE") && !path.endsWith("-shm")) throw new Error(`written through memory: ${path}`);
        return;
      default:
        if (named.some((one) => this.#isOurs(one)) || this.#isOurs(path)) throw new Error(`a call that is not understood: ${call.slice(0, 200)}`);
    }
  }

  #isOurs(path: string): boolean {
    return path.startsWith(this.#directory) && !path.endsWith("-shm");
  }

  #opened(path: string, call: string): void {
    if (!this.#isOurs(path)) return;
    this.#positions.set(path, 0);
    if (call.includes("O_CREAT") && !this.#known.has(path)) {
      this.#known.add(path);
      this.#operations.push({ type: "create", path });
    }
    if (call.includes("O_TRUNC")) this.#operations.push({ type: "truncate", path, size: 0 });
  }

  #written(path: string, offset: number, bytes: Uint8Array): void {
    if (!Number.isSafeInteger(offset)) throw new Error(`a write to nowhere in ${path}`);
    this.#positions.set(path, offset + bytes.length);
    this.#operations.push({ type: "write", path, offset, bytes });
  }

  #renamed(from: string, to: string): void {
    if (!this.#isOurs(from)) return;
    this.#known.delete(from);
    this.#known.add(to);
    this.#operations.push({ type: "rename", from, to });
  }

  #said(bytes: Uint8Array): void {
    for (const line of Buffer.from(bytes).toString().split("\n")) if (line !== "") this.#operations.push({ type: "said", line });
  }
}

const bytesOf = (hexed: string): Uint8Array => new Uint8Array(Buffer.from(hexed.replaceAll("\\x", ""), "hex"));
const textOf = (hexed: string): string => Buffer.from(hexed.replaceAll("\\x", ""), "hex").toString();
