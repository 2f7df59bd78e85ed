// Asks a link whether anybody has an IPv4 address (RFC 5227 probe), and tells it that this machine has it now
// (announcement). Node has no raw sockets: Debian's iputils-arping does. For IPv6 the kernel does both itself.

import { spawn } from "node:child_process";
import { type Duration, milliseconds } from "../base/time.ts";

const PROGRAM = "arping";
/** Two probes so far apart, and as long for the answer to the second: a LAN answers within a millisecond, and phones wait. */
const PROBE_PAUSE = milliseconds(200);
const ANNOUNCEMENTS = 3;

export interface LinkPlace {
  readonly interface: string;
  readonly address: string;
}

export type Probed = { readonly found: "nobody" } | { readonly found: "somebody"; readonly who: string } | { readonly found: "fault"; readonly text: string };

/** Whether another machine answers for the address. */
export async function probe(place: LinkPlace): Promise<Probed> {
  const first = probeOnce(place, milliseconds(2 * PROBE_PAUSE));
  const early = await Promise.race([first, nothingFor(PROBE_PAUSE)]);
  if (early.found !== "nobody") return early;
  const second = await probeOnce(place, PROBE_PAUSE);
  const late = await first;
  return late.found === "nobody" ? second : late;
}

/** Whoever has the address in memory for another machine has it for this one then. The program ends of itself. */
export function announce({ interface: name, address }: LinkPlace): void {
  const program = spawn(PROGRAM, ["-q", "-U", "-c", String(ANNOUNCEMENTS), "-I", name, address], { stdio: "ignore" });
  program.on("error", () => undefined); // the probe before it has told
}

function probeOnce({ interface: name, address }: LinkPlace, patience: Duration): Promise<Probed> {
  return new Promise((answered) => {
    const program = spawn(PROGRAM, ["-D", "-c", "1", "-w", "1", "-I", name, address], { stdio: ["ignore", "pipe", "pipe"] });
    let told = "";
    const answer = (probed: Probed): void => {
      clearTimeout(end);
      program.kill("SIGKILL");
      answered(probed);
    };
    const end = setTimeout(() => answer({ found: "nobody" }), patience);
    program.on("error", (error) => answer({ found: "fault", text: `the program arping cannot be run: ${error.message}` }));
    for (const stream of [program.stdout, program.stderr]) {
      stream.on("data", (bytes: Buffer) => {
        told = (told + bytes.toString("latin1")).slice(0, 1_000);
      });
    }
    program.on("close", () => answer(whatWasTold(told)));
  });
}

function whatWasTold(told: string): Probed {
  const hardware = /reply from \S+ \[([0-9A-Fa-f:]+)\]/.exec(told)?.[1];
  if (hardware !== undefined) return { found: "somebody", who: hardware.toLowerCase() };
  const fault = /^arping: .*$/m.exec(told)?.[0];
  return fault === undefined ? { found: "nobody" } : { found: "fault", text: fault };
}

const nothingFor = (patience: Duration): Promise<Probed> => new Promise((answered) => setTimeout(() => answered({ found: "nobody" }), patience));
