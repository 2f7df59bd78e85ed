// The peer: SIP registrar and proxy, overlay, local store. Reads what it was told, and runs one box.

import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { wallTime } from "./base/time.ts";
import { CliError } from "./cli/cli-error.ts";
import { parseRingboxdOptions, type RingboxdOptions } from "./cli/ringboxd-options.ts";
import { welcome } from "./cli/welcome.ts";
import { admitBox, type BoxAdmission } from "./io/box-admission.ts";
import { systemClock } from "./io/clock.ts";
import { NodeCrypto } from "./io/crypto.ts";
import { DataDirectory, DataDirectoryError } from "./io/data-directory.ts";
import { createFleet } from "./io/fleet.ts";
import type { FleetMembership } from "./io/identity-files.ts";
import { journal, type Report } from "./io/journal.ts";
import { ListenError } from "./io/listen-error.ts";
import { fleetHashOf } from "./io/pki.ts";
import { replaceFile } from "./io/replace-file.ts";
import { RunningBox } from "./io/running-box.ts";
import { StoreError } from "./io/store.ts";
import { type Hint, parseHint } from "./provision/hint.ts";
import { type AdmissionTicket, parseTicket } from "./provision/ticket.ts";

/** A fault that is told to the operator in one sentence; the process ends with status 1. */
class StartError extends Error {
  override readonly name = "StartError";
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const report: Report = journal(say, process.env["RINGBOX_DEBUG"] !== undefined);

let running: RunningBox | undefined;

/** A box ends because it was told to. One that has merely nothing left to wait for says so, and is started afresh. */
function failUnlessStopping(): void {
  if (running?.isStopping !== true) fail(new Error("nothing is left to wait for, and nobody stopped the box"));
}

async function main(): Promise<void> {
  const parsed = await parseRingboxdOptions(process.argv.slice(2), { print: say, note: complain });
  if ("exitStatus" in parsed) {
    process.exitCode = parsed.exitStatus;
    return;
  }
  const { options } = parsed;
  process.once("beforeExit", failUnlessStopping);
  const data = new DataDirectory(options.data, report);
  data.open();
  const known = data.membership();
  if (known !== undefined) refuseForeignTicket(options, known);
  const admission = known === undefined ? await admit(options, data) : { membership: known, by: undefined };
  await run(options, data, admission);
}

async function admit(options: RingboxdOptions, data: DataDirectory): Promise<BoxAdmission> {
  const { listen, overlayPort, mdns } = options;
  return admitBox({ ticket: await ticketOf(options), hints: hintsOf(options), data, listen, overlayPort, mdns, report });
}

async function run(options: RingboxdOptions, data: DataDirectory, { membership, by }: BoxAdmission): Promise<void> {
  const { listen, sipPort, extraPorts, certificateFiles, overlayPort, mdns, openRegistration } = options;
  const hints = by === undefined ? hintsOf(options) : [by, ...hintsOf(options)];
  const box = new RunningBox({ membership, data, listen, sipPort, extraPorts, certificateFiles, overlayPort, hints, mdns, openRegistration, report, onRestart: () => void startAfresh(box).catch(fail) });
  running = box;
  await box.start();
  // npm passes a Ctrl-C on that the terminal has sent already: the second one finds the box stopping.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void box.stop().catch(fail));
  const { fleetName, domain } = membership;
  const { sip, overlay, nodeId } = box.self;
  const ticket = options.found !== undefined && options.ticket === undefined ? foundedTicketFile(options) : undefined;
  const programs = dirname(process.argv[1] ?? ".");
  for (const line of welcome({ fleetName, domain, sip, streams: box.streamPorts, overlay, nodeId, data: options.data, ticket, programs })) say(line);
}

/** In the place of this process: whoever supervises it sees none end, and where nobody does it starts all the same. */
async function startAfresh(box: RunningBox): Promise<void> {
  report("info", "Asked to start afresh.");
  await box.stop();
  if (process.execve === undefined) throw new Error("this system cannot run a program in the place of another");
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], process.env);
}

/** `undefined`: the box shows a code and waits. */
async function ticketOf(options: RingboxdOptions): Promise<AdmissionTicket | undefined> {
  const text = options.ticket !== undefined ? readTicket(options.ticket) : await foundedTicket(options);
  if (text === undefined) return undefined;
  const ticket = parseTicket(text, { crypto: new NodeCrypto(undefined), wall: systemClock.wall() });
  if (!ticket.ok) throw new StartError(`The ticket cannot be used: ${ticket.fault}.`);
  return ticket.value;
}

function readTicket(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new StartError(`The ticket ${file} cannot be read: ${(error as Error).message}`);
  }
}

/** A box with a place in one fleet is not given another one by its ticket; a ticket that is used up, or gone, harms nothing. */
function refuseForeignTicket({ ticket: file, data }: RingboxdOptions, { fleetName, rootCertificate }: FleetMembership): void {
  if (file === undefined || !existsSync(file) || !statSync(file).isFile()) return;
  const ticket = parseTicket(readTicket(file), { crypto: new NodeCrypto(undefined), wall: wallTime(0) });
  if (!ticket.ok || fleetHashOf(ticket.value.rootCertificate) === fleetHashOf(rootCertificate)) return;
  throw new StartError(
    `This box belongs to fleet "${fleetName}", and its ticket is of fleet "${ticket.value.fleetName}" with another key. ` +
      `To move it, start it on an empty data directory; ${data} remembers the old fleet.`,
  );
}

/** A fleet of one box: its root key and its ticket lie in the data directory, for the operator to take away. */
async function foundedTicket(options: RingboxdOptions): Promise<string | undefined> {
  if (options.found === undefined) return undefined;
  const kept = foundedTicketFile(options);
  try {
    return readFileSync(kept, "utf8");
  } catch {
    const { rootKeyPem, fleetTicket } = await createFleet(options.found);
    mkdirSync(dirname(kept), { recursive: true, mode: 0o700 });
    replaceFile(join(dirname(kept), "fleet.key"), rootKeyPem, 0o600);
    replaceFile(kept, fleetTicket, 0o600);
    return fleetTicket;
  }
}

const foundedTicketFile = ({ data }: RingboxdOptions): string => join(data, "fleet", "fleet.ticket");

function hintsOf({ hints }: RingboxdOptions): Hint[] {
  return hints.map((text) => {
    const hint = parseHint(text);
    if (hint === undefined) throw new StartError(`${text} is not an address with a port.`);
    return hint;
  });
}

function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The world's fault is one plain line; our own fault is a stack trace, and systemd starts the box afresh. */
function fail(error: unknown): void {
  const plain = [StartError, ListenError, DataDirectoryError, StoreError, CliError].some((kind) => error instanceof kind);
  complain(plain ? `ringboxd: ${(error as Error).message}` : `ringboxd: internal fault: ${(error as Error).stack ?? error}`);
  process.exit(1);
}

// Calls go on when nobody reads the log any more.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

main().catch(fail);
