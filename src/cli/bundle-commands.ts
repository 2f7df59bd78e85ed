// What an operator does with the bundles that bring boxes to another version, with no box running.

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wallTime } from "../base/time.ts";
import { NodeCrypto } from "../io/crypto.ts";
import { BootDirectory, DiskFile } from "../io/disk-files.ts";
import { parseMembership } from "../io/identity-files.ts";
import { SlotWriter } from "../io/slot-writer.ts";
import { checkBundle, createBundle, type PartSink, type Source, type UpdatingBox, withFile, writeFully, writeParts } from "../io/update-bundle.ts";
import { parseTicket } from "../provision/ticket.ts";
import { type Architecture, PARTS, type PartName, type ReadBundle, type UpdateManifest } from "../provision/update-bundle.ts";
import { CliError } from "./cli-error.ts";
import { FLEET_KEY, FLEET_TICKET, UPDATE_KEY, withFleets, writeNew } from "./fleet-commands.ts";
import { plainReason } from "./plain-reason.ts";
import { readFleetFile } from "./rules-commands.ts";
import type { Terminal } from "./terminal.ts";

export interface BundleOptions extends Readonly<Record<PartName, string>> {
  /** The file of the update key. */
  readonly key: string;
  /** `bundleVersion`: `--version` is the program's own. */
  readonly bundleVersion: string;
  readonly arch: Architecture;
  readonly floor?: string;
  readonly rootHash: string;
}

export interface CheckOptions {
  /** A ticket of the fleet, or the data directory of a box that is in it: one of the two. */
  readonly ticket?: string;
  readonly box?: string;
  readonly arch: Architecture;
  readonly floor: string;
  /** Whole seconds since 1970. */
  readonly keysFrom: number;
}

const MIB = 1 << 20;
/** What a box knows of its fleet, in its data directory. */
const MEMBERSHIP_FILE = "fleet.json";

/** A new update key for a fleet that has none, or, with `replace`, whose key was lost or stolen. */
export async function newUpdateKey(directory: string, { replace = false }: { readonly replace?: boolean }, terminal: Terminal): Promise<void> {
  const fleet = { rootKeyPem: readFleetFile(directory, FLEET_KEY), fleetTicket: readFleetFile(directory, FLEET_TICKET) };
  const { createUpdateKey, readUpdateKey } = await import("../io/update-key.ts");
  const path = join(directory, UPDATE_KEY);
  const old = replace && existsSync(path) ? await withFleets(() => readUpdateKey(readFleetFile(directory, UPDATE_KEY))) : undefined;
  // Later than the old one, whatever the clock here says.
  const made = Math.max(Math.floor(Date.now() / 1_000), (old?.made ?? 0) + 1);
  const key = await withFleets(() => createUpdateKey({ ...fleet, made }));
  if (old !== undefined) onDisk(path, "renamed", () => renameSync(path, `${path}.old`));
  writeNew(path, key);
  terminal.print(`${path} signs updates: keep it like the root key, and apart from it if you can.`);
  if (replace) terminal.print("Bring the ring to a version signed with it: a box that keeps that version takes nothing any more that an older key has signed.");
}

export async function buildBundle(out: string, options: BundleOptions, terminal: Terminal): Promise<void> {
  const { readUpdateKey } = await import("../io/update-key.ts");
  const text = onDisk(options.key, "read", () => readFileSync(options.key, "utf8"));
  const key = await withFleets(() => readUpdateKey(text));
  const { bundleVersion: version, arch: architecture, floor = "0.0.0", rootHash } = options;
  const made = onDisk(out, "made", () => createBundle({ key, version, architecture, floor, rootHash, files: options }, out));
  if (!made.ok) throw new CliError(made.fault);
  terminal.print(`${out}: ${described(made.value)}`);
}

export function checkBundleFile(file: string, options: CheckOptions, terminal: Terminal): void {
  onDisk(file, "read", () => withFile(file, (source) => terminal.print(`${file} is whole and signed: ${described(checked(file, source, options).manifest)}`)));
}

/** The parts of a bundle as files in a new directory; nothing is written before all of it is checked. */
export function unpackBundle(file: string, directory: string, options: CheckOptions, terminal: Terminal): void {
  onDisk(file, "unpacked", () =>
    withFile(file, (source) => {
      const bundle = checked(file, source, options);
      mkdirSync(directory);
      const sink = new DirectorySink(directory);
      try {
        const written = writeParts(source, bundle, sink);
        if (!written.ok) throw new CliError(`${file}: ${written.fault}`);
      } catch (error) {
        rmSync(directory, { recursive: true, force: true });
        throw error;
      } finally {
        sink.close();
      }
      terminal.print(`${directory}: ${described(bundle.manifest)}`);
    }),
  );
}

export interface InstallOptions extends CheckOptions {
  /** Block device, or a file that holds a disk. */
  readonly disk: string;
  /** The folder EFI/Linux of its boot partition. */
  readonly boot: string;
  readonly running?: string;
}

/** Into the slot that does not run; the next start tries it. Nothing is written before all of the bundle is checked. */
export function installBundle(file: string, options: InstallOptions, terminal: Terminal): void {
  const running = options.running ?? runningRootHash();
  onDisk(file, "installed", () =>
    withFile(file, (source) => {
      const bundle = checked(file, source, options);
      const disk = new DiskFile(options.disk);
      const boot = new BootDirectory(options.boot);
      try {
        const writer = SlotWriter.plan(disk, boot, running, bundle.manifest);
        if (!writer.ok) throw new CliError(`${file} is refused, and nothing was written: ${writer.fault}`);
        writer.value.begin();
        const written = writeParts(source, bundle, writer.value);
        if (!written.ok) throw new CliError(`${file}: ${written.fault}; the version that runs stays`);
      } finally {
        boot.close();
        disk.close();
      }
      terminal.print(`Version ${bundle.manifest.version} is in the other slot. The next start tries it; if it does not prove itself, the version that runs now returns.`);
      // For the program that keeps it: the floor is raised then, and not before.
      if (options.box !== undefined) terminal.print(`floor ${bundle.manifest.version} ${bundle.manifest.floor} ${bundle.keyMade}`);
    }),
  );
}

/** As the kernel was told. */
function runningRootHash(): string {
  const commandLine = onDisk("/proc/cmdline", "read", () => readFileSync("/proc/cmdline", "latin1"));
  const hash = /(?:^|\s)roothash=([0-9a-f]{64})(?:\s|$)/.exec(commandLine)?.[1];
  if (hash === undefined) throw new CliError("this machine was not started from a slot; name the one that is to stay with --running");
  return hash;
}

class DirectorySink implements PartSink {
  readonly #directory: string;
  readonly #files = new Map<PartName, number>();

  constructor(directory: string) {
    this.#directory = directory;
    for (const part of PARTS) this.#files.set(part, openSync(join(directory, part), "wx", 0o600));
  }

  write(part: PartName, bytes: Uint8Array, position: number): void {
    const file = this.#files.get(part);
    if (file !== undefined) writeFully(file, bytes, position);
  }

  finish(manifest: UpdateManifest): void {
    for (const file of this.#files.values()) fsyncSync(file);
    writeFileSync(join(this.#directory, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`, { flag: "wx", mode: 0o600, flush: true });
  }

  close(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }
}

function checked(file: string, source: Source, options: CheckOptions): ReadBundle {
  const bundle = checkBundle(source, boxOf(options));
  if (!bundle.ok) throw new CliError(`${file} is refused, and nothing was written: ${bundle.fault}`);
  return bundle.value;
}

function boxOf({ ticket, box, arch, floor, keysFrom }: CheckOptions): UpdatingBox {
  const fleet = box === undefined ? fleetOfTicket(ticket) : fleetOfBox(box);
  return { fleet: fleet.overlayName, rootCertificate: fleet.rootCertificate, architecture: arch, floor, keysFrom };
}

function fleetOfTicket(path: string | undefined): { readonly overlayName: string; readonly rootCertificate: Uint8Array } {
  if (path === undefined) throw new CliError("which fleet is it to be for? Name one of its tickets with --ticket");
  const text = onDisk(path, "read", () => readFileSync(path, "latin1"));
  const ticket = parseTicket(text, { crypto: new NodeCrypto(undefined), wall: wallTime(Date.now()) });
  if (!ticket.ok) throw new CliError(`${path} cannot be used: ${ticket.fault}`);
  return ticket.value;
}

function fleetOfBox(directory: string): { readonly overlayName: string; readonly rootCertificate: Uint8Array } {
  const path = join(directory, MEMBERSHIP_FILE);
  const membership = parseMembership(onDisk(path, "read", () => readFileSync(path, "utf8")));
  if (membership === undefined) throw new CliError(`${path} is damaged`);
  return membership;
}

const described = ({ version, architecture, floor, parts }: UpdateManifest): string =>
  `version ${version} for ${architecture}, ${(parts.reduce((sum, { bytes }) => sum + bytes, 0) / MIB).toFixed(0)} MiB; a box that keeps it goes back to ${floor} at most`;

function onDisk<Value>(path: string, done: string, access: () => Value): Value {
  try {
    return access();
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`${path} cannot be ${done}: ${plainReason(error)}`);
  }
}
