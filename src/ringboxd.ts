// The peer: SIP registrar and proxy, overlay, local store. Reads what it was told, and runs one box.

import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { wallTime } from "./base/time.ts";
import { CliError } from "./cli/cli-error.ts";
import { parseRingboxdOptions, type RingboxdOptions } from "./cli/ringboxd-options.ts";
import { welcome } from "./cli/welcome.ts";
import { untilReachable, watchAddress } from "./io/address-watch.ts";
import { admitBox, type BoxAdmission } from "./io/box-admission.ts";
import { systemClock } from "./io/clock.ts";
import { NodeCrypto } from "./io/crypto.ts";
import { DataDirectory, DataDirectoryError } from "./io/data-directory.ts";
import { createFleet } from "./io/fleet.ts";
import type { FleetMembership } from "./io/identity-files.ts";
import { journal, type Report } from "./io/journal.ts";
import { ListenError } from "./io/listen-error.ts";
import { fleetHashOf } from "./io/pki.ts";
import { proofOfService } from "./io/proof-of-service.ts";
import { replaceFile } from "./io/replace-file.ts";
import { RunningBox } from "./io/running-box.ts";
import { ServiceManager } from "./io/service-manager.ts";
import { StoreError } from "./io/store.ts";
import { feedWhile, Watchdog } from "./io/watchdog.ts";
import { boxWords } from "./health/box-words.ts";
import { type Hint, parseHint } from "./provision/hint.ts";
import type { TurnServer } from "./sip/ports.ts";
import { type AdmissionTicket, parseTicket } from "./provision/ticket.ts";

/** A fault that is told to the operator in one sentence; the process ends with status 1. */
class StartError extends Error {
  override readonly name = "StartError";
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const manager = ServiceManager.fromEnvironment(process.env);
const log: Report = journal(say, process.env["RINGBOX_DEBUG"] !== undefined);
/** Until the box proves itself, its last word is what systemd shows of it. */
let lastWord = "Starting.";
const report: Report = (level, text) => {
  if (level !== "debug") lastWord = text;
  log(level, text);
};

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
  if (options.followAddress) await waiting(untilReachable(() => report("info", "No network yet: this machine has no address.")));
  const known = data.membership();
  if (known !== undefined) refuseForeignTicket(options, known);
  const admission = known === undefined ? await waiting(admit(options, data)) : { membership: known, by: undefined };
  // Whoever holds a ticket may enter the fleet: it is not kept for longer than it is needed.
  rmSync(droppedTicketFile(options), { force: true });
  await run(options, data, admission);
}

/** There is nothing to prove yet but that the loop turns. */
const waiting = <Value>(work: Promise<Value>): Promise<Value> =>
  manager === undefined ? work : feedWhile(work, manager, () => lastWord);

async function admit(options: RingboxdOptions, data: DataDirectory): Promise<BoxAdmission> {
  const { listen, overlayPort, mdns, zone } = options;
  return admitBox({ ticket: await ticketOf(options), hints: hintsOf(options), data, listen, overlayPort, mdns, zone, report });
}

async function run(options: RingboxdOptions, data: DataDirectory, { membership, by }: BoxAdmission): Promise<void> {
  const { listen, sipPort, extraPorts, certificateFiles, overlayPort, mdns, openRegistration, serviceAddresses } = options;
  const mediaRelay = options.mediaRelay === undefined ? undefined : readHint(options.mediaRelay);
  const hints = by === undefined ? hintsOf(options) : [by, ...hintsOf(options)];
  const box = new RunningBox({ membership, data, listen, sipPort, extraPorts, certificateFiles, overlayPort, hints, mediaRelay, turn: turnOf(options), mdns, openRegistration, serviceAddresses, report, onRestart: () => void startAfresh(box).catch(fail) });
  running = box;
  await box.start();
  if (manager !== undefined) watch(box, manager);
  if (options.followAddress && listen === undefined) watchAddress(box.self.sip.host, (address) => startAnew(box, address), (address) => box.isMovable(address));
  // npm passes a Ctrl-C on that the terminal has sent already: the second one finds the box stopping.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void end(box).catch(fail));
  const { fleetName, domain } = membership;
  const { sip, overlay, nodeId } = box.self;
  data.saveName(boxWords(nodeId));
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

/** Not before the box has proved itself is it ready, nor after that fed without another proof. */
function watch(box: RunningBox, { tell, watchdog }: ServiceManager): void {
  const { sip, overlay } = box.self;
  const prove = () => proofOfService({ ask: box.ask, sip, overlay });
  const dog = new Watchdog({ tell, granted: watchdog, prove, report, isStopping: () => box.isStopping });
  dog.start();
}

function end(box: RunningBox): Promise<void> {
  manager?.tell({ STOPPING: "1", STATUS: "Stopping." });
  return box.stop();
}

/** The others know this box by its address; a box that has another is made anew by systemd. */
function startAnew(box: RunningBox, address: string): void {
  report("warning", `the address of this machine is ${address} now; the box starts anew with it`);
  process.exitCode = ADDRESS_CHANGED;
  void end(box).catch(fail);
}
/** EX_TEMPFAIL. */
const ADDRESS_CHANGED = 75;

/** `undefined`: the box shows a code and waits. */
async function ticketOf(options: RingboxdOptions): Promise<AdmissionTicket | undefined> {
  const dropped = droppedTicketFile(options);
  const file = options.ticket ?? (existsSync(dropped) ? dropped : undefined);
  const text = file !== undefined ? readTicket(file) : await foundedTicket(options);
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
function refuseForeignTicket({ ticket: file, data }: Pick<RingboxdOptions, "ticket" | "data">, { fleetName, rootCertificate }: FleetMembership): void {
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

/** What an operator, or the first boot of an image, has put there. */
const droppedTicketFile = ({ data }: RingboxdOptions): string => join(data, "ringbox.ticket");
const foundedTicketFile = ({ data }: RingboxdOptions): string => join(data, "fleet", "fleet.ticket");

function turnOf({ turn }: RingboxdOptions): TurnServer | undefined {
  if (turn === undefined) return undefined;
  const { server, secretFile } = turn;
  const secret = readTurnSecret(secretFile).trim();
  if (secret === "") throw new StartError(`The TURN secret ${secretFile} is empty.`);
  return { server, secret };
}

function readTurnSecret(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    throw new StartError(`The TURN secret ${file} cannot be read: ${(error as Error).message}`);
  }
}

function hintsOf({ hints }: RingboxdOptions): Hint[] {
  return hints.map(readHint);
}

function readHint(text: string): Hint {
  const hint = parseHint(text);
  if (hint === undefined) throw new StartError(`${text} is not an address with a port.`);
  return hint;
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
