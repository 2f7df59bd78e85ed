// SIPp 3.6: many phones in one process, from scenarios of our own in scenarios/.

import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../network.ts";
import { PATIENCE, until } from "../until.ts";

export interface SippUser {
  readonly username: string;
  readonly password: string;
}

/** What SIPp counted. */
export interface SippCount {
  readonly begun: number;
  readonly succeeded: number;
  readonly failed: number;
}

/** Where requests go. */
export interface SippTarget {
  readonly domain: string;
  /** Address of the box. */
  readonly box: string;
  readonly boxPort?: number;
}

export interface Registrations extends SippTarget {
  readonly users: readonly SippUser[];
  /** The port that the Contacts name and that SIPp sends from: start `answerCalls` there afterwards. */
  readonly port: number;
  /** New REGISTER transactions each second. */
  readonly rate: number;
  /** How many registrations in all; beyond the number of users they are refreshes. Endless if absent. */
  readonly total?: number;
  /** Seconds. */
  readonly expires?: number;
  /** An endless run ends after this, seconds. */
  readonly longest?: number;
}

export interface Calls extends SippTarget {
  readonly callers: readonly SippUser[];
  /** User name. One for all: SIPp puts the same `uri` into all credentials of a run, and it has to be that of the request. */
  readonly callee: string;
  readonly port: number;
  /** New calls each second. */
  readonly rate: number;
  /** Endless if absent. */
  readonly total?: number;
  /** How long each call lasts, milliseconds. */
  readonly length?: number;
}

/** An endless run still ends by itself at some time: a forgotten one must not run for ever. Seconds. */
const LONGEST_RUN = 600;
/** SIPp's first resort when a request is not answered, RFC 3261 timer B and F. Milliseconds. */
const ANSWER_TIMEOUT = 32_000;

let runs = 0;

/** Registers users one after the other. */
export function registerUsers(host: Host, wanted: Registrations): SippRun {
  const { users, expires = 3600 } = wanted;
  const rows = users.map((user) => `${user.username};${credentials(user)};${expires}`);
  return new SippRun(host, "register", rows, wanted, ["-key", "contact_port", String(wanted.port), "-auth_uri", wanted.domain]);
}

/** Places calls, each of which is answered, lasts `length` and is ended. */
export function placeCalls(host: Host, wanted: Calls): SippRun {
  const { callers, callee, domain, length = 200 } = wanted;
  const rows = callers.map((caller) => `${caller.username};${callee};${credentials(caller)}`);
  return new SippRun(host, "call", rows, wanted, ["-d", String(length), "-auth_uri", `${callee}@${domain}`]);
}

/** A phone that answers whatever rings at a port of the host, until stopped. */
export async function answerCalls(host: Host, port: number): Promise<SippRun> {
  const run = new SippRun(host, "answer", [], { domain: "", box: "", port, rate: 0 }, []);
  await until("SIPp listens", PATIENCE, () => run.assertListening(port));
  return run;
}

function credentials(user: SippUser): string {
  return `[authentication username=${user.username} password=${user.password}]`;
}

interface Wanted extends SippTarget {
  readonly port: number;
  readonly rate: number;
  readonly total?: number;
  readonly longest?: number;
}

/** One SIPp process. */
export class SippRun {
  private readonly program: ChildProcess;
  private readonly statistics: string;
  private readonly errors: string;

  constructor(host: Host, scenario: string, rows: readonly string[], wanted: Wanted, parameters: readonly string[]) {
    runs += 1;
    const stem = join(host.network.directory, `${host.name}-sipp-${runs}-${scenario}`);
    this.statistics = `${stem}.csv`;
    this.errors = `${stem}-errors.txt`;
    const file = `${stem}-users.csv`;
    writeFileSync(file, `SEQUENTIAL\n${rows.join("\n")}\n`);
    const direction =
      wanted.box === ""
        ? []
        : ["-inf", file, "-key", "domain", wanted.domain, "-r", String(wanted.rate), "-recv_timeout", String(ANSWER_TIMEOUT),
           ...(wanted.total === undefined ? [] : ["-m", String(wanted.total)]), `${wanted.box}:${wanted.boxPort ?? 5060}`];
    this.program = host.start(
      [
        "sipp", "-sf", join(import.meta.dirname, "scenarios", `${scenario}.xml`),
        // Its media ports would start at 6000 and meet those of another SIPp.
        "-i", host.address, "-p", String(wanted.port), "-mp", String(30_000 + 10 * runs), "-nostdin", "-timeout", String(wanted.longest ?? LONGEST_RUN), "-l", "2000",
        "-trace_stat", "-stf", this.statistics, "-fd", "1", "-trace_err", "-error_file", this.errors,
        ...parameters, ...direction,
      ],
      { file: `${stem}-output.txt` },
    );
  }

  /** What SIPp last wrote down; it does so every second, and at its end. */
  count(): SippCount {
    const [names, ...rows] = existsSync(this.statistics) ? readFileSync(this.statistics, "utf8").trimEnd().split("\n") : [];
    const last = rows.at(-1)?.split(";");
    const column = (name: string): number => Number(last?.[names?.split(";").indexOf(name) ?? -1] ?? 0);
    return {
      begun: column("TotalCallCreated"),
      succeeded: column("SuccessfulCall(C)"),
      failed: column("FailedCall(C)"),
    };
  }

  /** The first words of SIPp on what was not as it should be; empty if all was well. */
  complaints(): string {
    return existsSync(this.errors) ? readFileSync(this.errors, "utf8").slice(0, 2000) : "";
  }

  /** Fails unless the process has the UDP port of this number. */
  assertListening(port: number): void {
    const sockets = readFileSync(`/proc/${this.program.pid}/net/udp`, "latin1");
    const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
    if (!sockets.includes(wanted)) throw new Error(this.ended ? this.complaints() : "not yet");
  }

  get ended(): boolean {
    return this.program.exitCode !== null || this.program.signalCode !== null;
  }

  /** Waits for the end of a run that has a `total`. */
  async finished(seconds: number): Promise<SippCount> {
    await until("SIPp finishes", seconds, () => {
      if (!this.ended) throw new Error(`${JSON.stringify(this.count())} ${this.complaints()}`);
    });
    return this.count();
  }

  /** Begins nothing new, waits for what is under way, and ends. */
  async stop(seconds = 40): Promise<SippCount> {
    if (!this.ended) this.program.kill("SIGUSR1");
    return await this.finished(seconds);
  }

  /** Ends a run that answers calls, at once. */
  async close(): Promise<void> {
    this.program.kill("SIGKILL");
    await until("SIPp is gone", PATIENCE, () => {
      if (!this.ended) throw new Error("still there");
    });
  }
}
