// The peer: SIP registrar and proxy, overlay, local store. Wires one box by hand and runs it.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { wallTime } from "./base/time.ts";
import { CliError } from "./cli/cli-error.ts";
import { parseRingboxdOptions, type RingboxdOptions } from "./cli/ringboxd-options.ts";
import { welcome } from "./cli/welcome.ts";
import { AdmissionDesk } from "./io/admission-desk.ts";
import { systemClock } from "./io/clock.ts";
import { ControlServer } from "./io/control-server.ts";
import { NodeCrypto } from "./io/crypto.ts";
import { DataDirectory, DataDirectoryError } from "./io/data-directory.ts";
import { Driver } from "./io/driver.ts";
import { EffectPerformer } from "./io/effects.ts";
import { EnrollmentServer } from "./io/enrollment-server.ts";
import { createFleet } from "./io/fleet.ts";
import type { FleetMembership } from "./io/identity-files.ts";
import { journal, type Report } from "./io/journal.ts";
import { Links } from "./io/links.ts";
import { ListenError } from "./io/listen-error.ts";
import { Mdns } from "./io/mdns.ts";
import { ownAddress } from "./io/own-address.ts";
import { fingerprint, fleetSecret } from "./io/pki.ts";
import { SystemRandom } from "./io/random.ts";
import { SipResolver } from "./io/resolver.ts";
import { SipSockets } from "./io/sip-sockets.ts";
import { Store, StoreError } from "./io/store.ts";
import { CertificateTrust } from "./io/trust.ts";
import type { PeerInfo, Phase } from "./overlay/ports.ts";
import type { ControlReply } from "./peer/control.ts";
import { Peer, SOFTWARE } from "./peer/peer.ts";
import { type Hint, parseHint } from "./provision/hint.ts";
import { type AdmissionTicket, parseTicket } from "./provision/ticket.ts";

/** RELOAD's max-message-size: a resource with its 64 bindings fits. */
const MESSAGE_BYTES_MAX = 256 * 1024;

/** A fault that is told to the operator in one sentence; the process ends with status 1. */
class StartError extends Error {
  override readonly name = "StartError";
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const report: Report = journal(say, process.env["RINGBOX_DEBUG"] !== undefined);

async function main(): Promise<void> {
  const parsed = await parseRingboxdOptions(process.argv.slice(2), { print: say, note: complain });
  if ("exitStatus" in parsed) {
    process.exitCode = parsed.exitStatus;
    return;
  }
  const { options } = parsed;
  const data = new DataDirectory(options.data, report);
  data.open();
  const known = data.membership();
  if (known !== undefined) refuseForeignTicket(options, known);
  const admission = known === undefined ? await admit(options, data) : { membership: known, by: undefined };
  await serve(options, data, admission);
}

interface Admission {
  readonly membership: FleetMembership;
  /** The member that admitted this box just now. */
  readonly by: Hint | undefined;
}

/** Takes a blank box into its fleet, with a ticket or by founding one. */
async function admit(options: RingboxdOptions, data: DataDirectory): Promise<Admission> {
  const ticket = await ticketOf(options);
  const random = new SystemRandom();
  const fleetHash = fingerprint(ticket.rootCertificate).slice(0, 32);
  const instance = randomBytes(8).toString("hex");
  const desk = new AdmissionDesk({
    ticket,
    fleetHash,
    instance,
    listening: options.mdns,
    hints: hintsOf(options),
    privateKeyPem: data.identityKey(),
    previousCertificate: data.lastCertificate(),
    clock: systemClock,
    random,
    onReport: report,
  });
  const mdns = new Mdns({
    announcement: { fleetHash, state: "blank", instance },
    port: options.overlayPort,
    software: SOFTWARE,
    listen: options.listen,
    onHeard: desk.heard,
    onUnheard: (_address, announcement) => desk.unheard(announcement.instance),
    onReport: report,
  });
  if (options.mdns) mdns.open();
  report("info", `Looking for the boxes of fleet "${ticket.fleetName}"…`);
  try {
    const { enrolled, by } = await desk.run();
    const membership: FleetMembership = {
      fleetName: ticket.fleetName,
      overlayName: ticket.overlayName,
      domain: ticket.domain,
      zone: ticket.zone,
      rootCertificate: ticket.rootCertificate,
      enrolled,
    };
    if (by === undefined) rememberServing(data);
    data.saveMembership(membership);
    return { membership, by };
  } finally {
    desk.close();
    if (options.mdns) await mdns.close();
  }
}

const SERVED = "served";

/** A box that was in the ring, or founded it, may stand alone when it finds nobody; another one waits. */
const rememberServing = (data: DataDirectory): void => {
  if (!hasServed(data)) data.replaceFile(SERVED, "");
};
const hasServed = (data: DataDirectory): boolean => existsSync(join(data.path, SERVED));

/** Files that shorten the next start: on a disk that takes nothing any more a running box goes on without them. */
function tryToKeep(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof DataDirectoryError)) throw error;
    report("warning", error.message);
  }
}

async function ticketOf(options: RingboxdOptions): Promise<AdmissionTicket> {
  const text = options.ticket !== undefined ? readTicket(options.ticket) : await foundedTicket(options);
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
  if (!ticket.ok || fingerprint(ticket.value.rootCertificate) === fingerprint(rootCertificate)) return;
  throw new StartError(
    `This box belongs to fleet "${fleetName}", and its ticket is of fleet "${ticket.value.fleetName}" with another key. ` +
      `To move it, start it on an empty data directory; ${data} remembers the old fleet.`,
  );
}

/** A fleet of one box: its root key and its ticket lie in the data directory, for the operator to take away. */
async function foundedTicket(options: RingboxdOptions): Promise<string> {
  if (options.found === undefined) {
    throw new StartError("This box is blank. Give it a ticket (--ticket FILE), or let it found a fleet of its own (--found).");
  }
  const kept = foundedTicketFile(options);
  try {
    return readFileSync(kept, "utf8");
  } catch {
    const { rootKeyPem, fleetTicket } = await createFleet(options.found);
    mkdirSync(dirname(kept), { recursive: true, mode: 0o700 });
    writeFileSync(join(dirname(kept), "fleet.key"), rootKeyPem, { mode: 0o600 });
    writeFileSync(kept, fleetTicket, { mode: 0o600 });
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

async function serve(options: RingboxdOptions, data: DataDirectory, { membership, by }: Admission): Promise<void> {
  const { enrolled, overlayName, domain, fleetName, rootCertificate } = membership;
  const privateKeyPem = data.identityKey();
  const random = new SystemRandom();
  const crypto = new NodeCrypto(privateKeyPem);
  const trust = new CertificateTrust({
    root: rootCertificate,
    issuing: [enrolled.issuing.certificate],
    overlayName,
    wall: () => systemClock.wall(),
  });
  const host = ownAddress(options.listen);
  const self: PeerInfo = {
    nodeId: enrolled.nodeId,
    overlay: { host, port: options.overlayPort },
    sip: { host, port: options.sipPort },
    zone: membership.zone,
    incarnation: data.nextIncarnation(),
    software: SOFTWARE,
  };

  const store = new Store({ directory: data.path, onInput: (input) => driver.take(input), onReport: report });
  const rows = await store.open();
  const sip = new SipSockets({
    port: options.sipPort,
    listen: options.listen,
    onInput: (input) => driver.take(input),
    onAddresses: (addresses) => driver.take({ type: "local-addresses", addresses }),
    onReport: report,
  });
  const peer = new Peer(
    {
      fleetName,
      domain,
      overlayName,
      self,
      certificate: enrolled.certificate,
      fleetSecret: fleetSecret(enrolled.issuing.privateKeyPem),
      rows,
      members: data.members(),
      mayStandAlone: hasServed(data),
      localAddresses: [],
      openRegistration: options.openRegistration,
    },
    crypto,
    random,
    trust,
  );
  const enrollment = new EnrollmentServer({
    overlayName,
    root: rootCertificate,
    issuing: enrolled.issuing,
    crypto,
    random,
    clock: systemClock,
    members: () => placed(peer),
    onReport: report,
  });
  const links = new Links({
    overlayName,
    certificate: enrolled.certificate,
    issuingCertificate: enrolled.issuing.certificate,
    privateKeyPem,
    trust,
    random,
    clock: systemClock,
    maxMessageBytes: MESSAGE_BYTES_MAX,
    onInput: (input) => driver.take(input),
    onEnrollment: (socket) => enrollment.accept(socket),
    onReport: report,
  });
  const resolver = new SipResolver({
    random,
    onResolved: (ticket, targets) => driver.take({ type: "resolved", ticket, targets }),
  });

  const questions = new Map<number, (reply: ControlReply) => void>();
  let lastQuestion = 0;
  const fleetHash = fingerprint(rootCertificate).slice(0, 32);
  const instance = enrolled.nodeId.slice(0, 16);
  const mdns = new Mdns({
    announcement: { fleetHash, state: "blank", instance },
    port: options.overlayPort,
    software: SOFTWARE,
    listen: options.listen,
    onHeard: (address, announcement) => {
      if (announcement.fleetHash === fleetHash && announcement.state === "serving") {
        driver.take({ type: "candidate", address, source: "mdns" });
      }
    },
    onUnheard: () => undefined,
    onReport: report,
  });

  const onPhase = (phase: Phase): void => {
    report("debug", `phase: ${phase}`);
    mdns.announce({ fleetHash, state: phase === "serving" ? "serving" : "blank", instance });
    if (phase === "serving") {
      tryToKeep(() => rememberServing(data));
      report("info", "In service.");
    }
    if (phase === "left") {
      report("info", "Left the ring; everything this box held is with the others.");
      void shutDown();
    }
  };
  const performer = new EffectPerformer({
    store,
    links,
    sip,
    resolver,
    onReply: (ticket, reply) => {
      questions.get(ticket)?.(reply);
      questions.delete(ticket);
    },
    onMembers: (members) => tryToKeep(() => data.saveMembers(members)),
    onPhase,
    onReport: report,
  });
  const driver = new Driver(peer, systemClock, performer);

  await links.open({ host: options.listen, port: options.overlayPort });
  await sip.open();
  const control = await ControlServer.open({
    directory: data.path,
    ask: (request, answer) => {
      questions.set(++lastQuestion, answer);
      driver.take({ type: "control", ticket: lastQuestion, request });
    },
  });
  driver.take({ type: "local-addresses", addresses: sip.addresses });
  for (const address of by === undefined ? hintsOf(options) : [by, ...hintsOf(options)]) driver.take({ type: "candidate", address, source: "hint" });
  if (options.mdns) mdns.open();

  let ending = false;
  const shutDown = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    if (options.mdns) await mdns.close();
    await control.close();
    await sip.close();
    await links.close();
    enrollment.close();
    resolver.close();
    driver.close();
    await store.close();
    data.close();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void shutDown().catch(fail));

  const founded = options.found !== undefined && options.ticket === undefined;
  const facts = {
    fleetName, domain, sip: self.sip, overlay: self.overlay, nodeId: self.nodeId, data: options.data,
    ticket: founded ? foundedTicketFile(options) : undefined,
    programs: dirname(process.argv[1] ?? "."),
  };
  for (const line of welcome(facts)) say(line);
}

/** Members and this box itself, whose Node-IDs are taken. */
function placed(peer: Peer): { nodeId: string; zone: string }[] {
  const { self, members } = peer.snapshot();
  return [self, ...members.map(({ info }) => info)].map(({ nodeId, zone }) => ({ nodeId, zone }));
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
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

main().catch(fail);
