import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ControlClient } from "../../src/cli/control-client.ts";
import type { ControlAnswers, ControlOperation, ControlRequest } from "../../src/peer/control.ts";
import type { PeerReport, RegistrationReport, StatusReport, WhereReport } from "../../src/peer/reports.ts";
import type { Host } from "./network.ts";
import { PATIENCE, until } from "./until.ts";

const run = promisify(execFile);

/** Where `npm run build` leaves the programs. */
export const DIST = join(import.meta.dirname, "../../dist");

/** Why no box can be started, or `undefined`. */
export function whyNoBox(): string | undefined {
  const missing = ["ringboxd", "ringbox"].filter((program) => !existsSync(join(DIST, program)));
  return missing.length === 0 ? undefined : `dist/${missing.join(", dist/")}: not built (npm run build)`;
}

/** A run of `ringbox` to its end; rejects with what it wrote to standard error. */
export async function ringbox(...parameters: readonly string[]): Promise<string> {
  const { stdout } = await run(join(DIST, "ringbox"), parameters, { maxBuffer: 1 << 26 });
  return stdout;
}

/** Where a box runs: a host of the lab, or this machine. */
export interface Home {
  readonly name: string;
  readonly address: string;
  /** For the data directory and the log of the box. */
  readonly directory: string;
  start(command: readonly string[], output: { readonly file: string }): ChildProcess;
}

/** A box without a network of its own, on an address of the loopback. */
export class Loopback implements Home {
  readonly name = "box";
  readonly address: string;
  readonly directory: string;

  constructor(address: string, directory: string) {
    this.address = address;
    this.directory = directory;
  }

  start([program = "", ...parameters]: readonly string[], output: { readonly file: string }): ChildProcess {
    const file = openSync(output.file, "a");
    try {
      return spawn(program, parameters, { stdio: ["ignore", file, file] });
    } finally {
      closeSync(file);
    }
  }
}

/** A real box: `dist/ringboxd`. */
export class Box<Place extends Home = Host> {
  readonly name: string;
  readonly host: Place;
  readonly dataDirectory: string;
  /** What the program prints, over all its starts. */
  readonly logFile: string;
  /** TLS secrets of its links, if it was started with `keepTlsKeys`. */
  readonly keyLogFile: string;
  readonly #ticket: string | undefined;
  readonly #parameters: readonly string[];
  #program: ChildProcess | undefined;

  /** `ticket` undefined: the box shows a code and waits. */
  constructor(host: Place, ticket: string | undefined, parameters: readonly string[] = []) {
    this.name = host.name;
    this.host = host;
    this.dataDirectory = join(host.directory, host.name);
    this.logFile = `${this.dataDirectory}.log`;
    this.keyLogFile = `${this.dataDirectory}.keys`;
    this.#ticket = ticket;
    this.#parameters = parameters;
  }

  get address(): string {
    return this.host.address;
  }

  start(options: { readonly keepTlsKeys?: boolean } = {}): void {
    assert(!this.isRunning, `${this.name} is running`);
    const program =
      options.keepTlsKeys === true
        ? [join(DIST, "node"), `--tls-keylog=${this.keyLogFile}`, join(DIST, "ringboxd.mjs")]
        : [join(DIST, "ringboxd")];
    this.#program = this.host.start(
      [...program, "--data", this.dataDirectory, ...(this.#ticket === undefined ? [] : ["--ticket", this.#ticket]), ...this.#parameters],
      { file: this.logFile },
    );
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  get isRunning(): boolean {
    return this.#program !== undefined && this.#program.exitCode === null && this.#program.signalCode === null;
  }

  /** Sends a signal; after SIGKILL and SIGTERM the process is waited for. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    this.#program?.kill(signal);
    await until(`${this.name} ends on ${signal}`, PATIENCE, () => assert(!this.isRunning, "still running"));
  }

  /** The process stands still, its sockets stay open. */
  pause(): void {
    this.#program?.kill("SIGSTOP");
  }

  resume(): void {
    this.#program?.kill("SIGCONT");
  }

  /** Deletes everything the box knew. */
  wipe(): void {
    assert(!this.isRunning, `${this.name} is running`);
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }

  /** A run of `ringbox --data …` to its end. */
  async command(...parameters: readonly string[]): Promise<string> {
    return await ringbox("--data", this.dataDirectory, ...parameters);
  }

  /** Asks over the control socket, as the command line does, without the cost of a process. */
  async ask<Op extends ControlOperation>(request: Extract<ControlRequest, { op: Op }>): Promise<ControlAnswers[Op]> {
    if (!this.isRunning) throw new Error(`${this.name} is not running: ${this.lastWords()}`);
    const client = await ControlClient.connect(this.dataDirectory);
    try {
      return await client.ask<Op>(request);
    } finally {
      client.close();
    }
  }

  async status(): Promise<StatusReport> {
    return (await this.ask<"status">({ op: "status" })).status;
  }

  async peers(): Promise<readonly PeerReport[]> {
    return (await this.ask<"peers">({ op: "peers" })).peers;
  }

  async where(aor: string): Promise<WhereReport> {
    return (await this.ask<"where">({ op: "where", aor })).where;
  }

  async registrations(): Promise<readonly RegistrationReport[]> {
    return (await this.ask<"registration-list">({ op: "registration-list", aor: null })).registrations;
  }

  async usernames(): Promise<readonly string[]> {
    const { subscribers } = await this.ask<"subscriber-list">({ op: "subscriber-list" });
    return subscribers.map((subscriber) => subscriber.username);
  }

  /** The end of what it printed. */
  lastWords(lines = 12): string {
    if (!existsSync(this.logFile)) return "(it printed nothing)";
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  }
}
