// dumpcap on a host's cable, and tshark as the reader of RELOAD inside TLS.

import assert from "node:assert/strict";
import { type ChildProcess, execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Host } from "./network.ts";
import { Transcript } from "./transcript.ts";
import { PATIENCE, until } from "./until.ts";

const run = promisify(execFile);

/** Message codes of RFC 6940 section 14.8 that are looked for. */
export const CODES = { storeRequest: 7, storeAnswer: 8, fetchRequest: 9, fetchAnswer: 10, joinRequest: 15, joinAnswer: 16 } as const;

/** What one host sent and received over TCP to and from the overlay port. */
export class Capture {
  readonly file: string;
  readonly #program: ChildProcess;
  readonly #said: Transcript;

  static async start(host: Host, overlayPort: number): Promise<Capture> {
    const file = join(host.directory, `${host.name}.pcapng`);
    const program = host.start(["dumpcap", "-i", "eth0", "-f", `tcp port ${overlayPort}`, "-w", file], "pipe");
    const said = new Transcript(program, `${file}.txt`);
    await said.said(/File: /, 0, 20);
    return new Capture(file, program, said);
  }

  private constructor(file: string, program: ChildProcess, said: Transcript) {
    this.file = file;
    this.#program = program;
    this.#said = said;
  }

  async stop(): Promise<void> {
    const place = this.#said.end;
    this.#program.kill("SIGINT");
    await this.#said.said(/Packets (?:captured|received)/, place, 20);
    await until("dumpcap ends", PATIENCE, () => assert(this.#program.exitCode !== null, "still there"));
  }
}

/** How tshark is told to look into the links. */
export interface Reading {
  readonly capture: string;
  readonly overlayPort: number;
  /** NSS key log of one end of the links. */
  readonly keyLog: string;
  /** Lua that hands TLS bytes on to the dissector of RELOAD's framing. */
  readonly bridge: string;
}

/** Between the values of a field that occurs several times in one packet. */
export const BETWEEN_VALUES = "|";

/** Fields of the packets that match; one array a packet, one string a field. */
export async function readPackets(reading: Reading, filter: string, fields: readonly string[]): Promise<readonly (readonly string[])[]> {
  const { capture, overlayPort, keyLog, bridge } = reading;
  const { stdout } = await run(
    "tshark",
    [
      "-X", `lua_script:${bridge}`, "-o", `tls.keylog_file:${keyLog}`, "-d", `tcp.port==${overlayPort},tls`,
      "-r", capture, "-Y", filter, "-T", "fields", "-E", `aggregator=${BETWEEN_VALUES}`, ...fields.flatMap((field) => ["-e", field]),
    ],
    { env: { ...process.env, RELOAD_TLS_PORT: String(overlayPort) }, maxBuffer: 1 << 26 },
  );
  return stdout.split("\n").filter((line) => line !== "").map((line) => line.split("\t"));
}
