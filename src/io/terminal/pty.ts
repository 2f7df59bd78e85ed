// One program in a pseudoterminal, and its end: when it is closed, nothing of it is left.

import { readdirSync, readFileSync } from "node:fs";
import type { IPty } from "node-pty";
import { seconds } from "../../base/time.ts";

type NodePty = typeof import("node-pty");

const KILLED_AFTER = seconds(1);

export interface PtySettings {
  readonly file: string;
  readonly args: readonly string[];
  readonly columns: number;
  readonly rows: number;
  readonly directory: string;
  /** All of it: nothing of the agent's own environment is passed on. */
  readonly environment: Readonly<Record<string, string>>;
  /** Who runs it; `undefined`: who runs the agent. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly onOutput: (bytes: Buffer) => void;
  readonly onExit: () => void;
}

export class Pty {
  readonly #pty: IPty;
  #ended = false;

  /** The module is loaded when the first terminal is opened. */
  static async open(settings: PtySettings): Promise<Pty> {
    // Bundled, a CommonJS module has its names below `default`.
    const module: NodePty & { readonly default?: NodePty } = await import("node-pty");
    const { spawn } = module.default ?? module;
    const { file, args, columns, rows, directory, environment, user } = settings;
    const pty = spawn(file, [...args], { name: "xterm-256color", cols: columns, rows, cwd: directory, env: { ...environment }, encoding: null, ...(user === undefined ? {} : user) });
    return new Pty(pty, settings);
  }

  private constructor(pty: IPty, { onOutput, onExit }: PtySettings) {
    this.#pty = pty;
    // At once: an end that comes before is not told.
    pty.onExit(() => {
      this.#ended = true;
      onExit();
    });
    // Bytes, as `encoding: null` has it; the library's types know strings only.
    pty.onData((bytes: string | Buffer) => onOutput(Buffer.from(bytes as Buffer)));
  }

  write(bytes: Buffer): void {
    if (!this.#ended) this.#pty.write(bytes);
  }
  resize(columns: number, rows: number): void {
    if (!this.#ended) this.#pty.resize(columns, rows);
  }
  pause(): void {
    this.#pty.pause();
  }
  resume(): void {
    this.#pty.resume();
  }

  /** Everything that was started in it goes with it, also what does not listen to being hung up. */
  close(): void {
    const { pid } = this.#pty;
    const left = membersOf(pid);
    if (!this.#ended) signal(pid, "SIGHUP");
    for (const member of left) signal(member, "SIGHUP");
    this.#pty.resume(); // a program that waits for its output to be read does not see a signal otherwise
    setTimeout(() => {
      for (const member of new Set([...left.filter((member) => sessionOf(member) === pid), ...membersOf(pid)])) signal(member, "SIGKILL");
    }, KILLED_AFTER);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already.
  }
}

/** Processes of the session that a pseudoterminal's program leads. */
const membersOf = (session: number): number[] =>
  readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => sessionOf(pid) === session);

/** proc(5): the fourth field after the command's name, which may hold anything but its last parenthesis. */
function sessionOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
  } catch {
    return undefined; // it ended meanwhile
  }
}
