// Load for a registrar: `sipblast` of ../shared/bench, built into the scratch directory.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sharedPath } from "../support/shared.ts";
import { DOMAIN } from "./boxes.ts";
import { onPath, run, scratch } from "./machine.ts";

/** Why there can be no load here; `undefined`: it was built. */
export function buildSipblast(): string | undefined {
  const tool = sharedPath("bench/sipblast.c");
  if (tool === undefined) return "The load tools (../shared/bench) are not here.";
  if (!onPath("gcc")) return "gcc is not installed.";
  // The tool asks a user of the domain for OPTIONS; what keeps a flow alive is OPTIONS to the box itself.
  const toUser = 'snprintf(uri, sizeof uri, "sip:u%ld@%s", aor, realm)';
  const source = readFileSync(tool, "utf8");
  if (!source.includes(toUser)) throw new Error("sipblast.c is not the one that this benchmark knows");
  writeFileSync(join(scratch, "sipblast.c"), source.replace(toUser, 'snprintf(uri, sizeof uri, "sip:%s", realm)'));
  execFileSync("gcc", ["-O2", "-o", join(scratch, "sipblast"), join(scratch, "sipblast.c"), "-lcrypto"]);
  return undefined;
}

export interface Load {
  readonly host: string;
  readonly port: number;
  readonly method: "REGISTER" | "OPTIONS";
  readonly requests: number;
  /** Requests without an answer at once. */
  readonly window?: number;
  /** Users asked for in turn, from `first` on. */
  readonly subscribers: number;
  readonly first?: number;
  /** Empty: no digest. */
  readonly password?: string;
}

export interface Answered {
  readonly failed: number;
  /** Milliseconds from a request to its final answer. */
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

export async function sipblast({ host, port, method, requests, window = 64, subscribers, first = 0, password = "" }: Load): Promise<Answered> {
  const options = [host, `${port}`, method, `${requests}`, `${window}`, `${subscribers}`, DOMAIN, password, `${first}`, "3600"];
  const output = await run(join(scratch, "sipblast"), options);
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? 0);
  return { failed: requests - number(/ ok=(\d+) /), p50: number(/ p50=([\d.]+)ms/), p99: number(/ p99=([\d.]+)ms/), perSecond: number(/ rate=(\d+)\//) };
}
