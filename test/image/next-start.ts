// What a machine finds on its disk at the next start, step by step and without starting one: table, boot volume, ticket, data
// partition, and what the box on it takes itself for.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync } from "node:fs";
import { compareVersions } from "../../src/provision/version.ts";
import { type Partition, readTable, SECTOR } from "../../src/provision/partition-table.ts";
import { dataPartition, ticketIn } from "../support/power-cut/data-partition.ts";
import { readFrom } from "../support/power-cut/recorded-disk.ts";

/** A version as it is when it is whole. */
export interface Version {
  readonly name: string;
  /** SHA-256 of its boot entry. */
  readonly kernel: string;
  /** GUID of the partition that its kernel takes for the root. */
  readonly root: string;
  /** What was written into the slot while the disk was recorded; nothing, if the image came with it. */
  readonly written?: readonly { readonly uuid: string; readonly bytes: number; readonly sha256: string }[];
}

/** `undefined`: there is none yet. */
export interface NextStart {
  /** Whether the first copy of the table was damaged, and the second is taken. */
  readonly bySecondTable: boolean;
  /** Which the loader takes. */
  readonly version: string;
  readonly hasTicket: boolean;
  /** What the check of the data partition's file system said; 1: it mended something. */
  readonly checked: number | undefined;
  readonly machineId: string | undefined;
  readonly key: string | undefined;
  readonly nodeId: string | undefined;
  /** Rows of the ring that are on this disk. */
  readonly rows: number;
}

/** Fails if a machine would not start from this disk, or the box would find something torn. */
export function nextStart(file: string, versions: readonly Version[]): NextStart {
  const { partitions, bySecondTable } = tableOf(file);
  const partition = (name: string): Partition | undefined => partitions.find((one) => one.name === name);
  const [esp, config, data] = [partition("ringbox-esp"), partition("ringbox-config"), partition("ringbox-data")];
  assert.ok(esp !== undefined && config !== undefined);
  const entries = bootEntries(`${file}@@${esp.offset}`);
  for (const { version, kernel } of entries) {
    const known = versions.find(({ name }) => name === version) ?? assert.fail(`a boot entry of ${version}`);
    assert.equal(kernel, known.kernel, `boot entry of ${version}`);
    assertSlot(file, known, partitions);
  }
  const found = data === undefined ? undefined : dataPartition(file, data.offset);
  const hasTicket = ticketIn(readVolume(`${file}@@${config.offset}`, "ringbox.ticket").toString("latin1")) || (found?.hasTicket ?? false);
  if (found?.nodeId === undefined) assert.ok(hasTicket, "neither a member nor a ticket: nobody would let it in");
  const version = taken(entries);
  return { bySecondTable, version, hasTicket, checked: found?.checked, machineId: found?.machineId, key: found?.key, nodeId: found?.nodeId, rows: found?.rows.length ?? 0 };
}

/** What a boot entry leads to must be there, whole. */
function assertSlot(file: string, { name, root, written = [] }: Version, partitions: readonly Partition[]): void {
  assert.ok(partitions.some(({ uuid }) => uuid === root), `the root that the boot entry of ${name} names`);
  for (const { uuid, bytes, sha256 } of written) {
    const slot = partitions.find((one) => one.uuid === uuid) ?? assert.fail(`the slot that the boot entry of ${name} names`);
    assert.equal(hashOf(file, slot.offset, bytes), sha256, `slot of ${name}`);
  }
}

function hashOf(file: string, offset: number, bytes: number): string {
  const disk = openSync(file, "r");
  try {
    const hash = createHash("sha256");
    for (let at = 0; at < bytes; at += MIB) hash.update(readFrom(disk, offset + at, Math.min(MIB, bytes - at)));
    return hash.digest("hex");
  } finally {
    closeSync(disk);
  }
}
const MIB = 1 << 20;

/** The version that an image came with. */
export function versionOfImage(image: string): Version {
  const { partitions } = tableOf(image);
  const root = partitions.find((one) => /^ringbox_.*_root$/.test(one.name));
  const esp = partitions.find((one) => one.name === "ringbox-esp");
  assert.ok(root !== undefined && esp !== undefined);
  const [entry] = bootEntries(`${image}@@${esp.offset}`);
  assert.ok(entry !== undefined);
  return { name: entry.version, kernel: entry.kernel, root: root.uuid };
}

/** As firmware and kernel (with `gpt`) take it: the first copy, else the one in the last sector of the disk. */
export function tableOf(file: string): { readonly partitions: readonly Partition[]; readonly bySecondTable: boolean } {
  const disk = openSync(file, "r");
  try {
    for (const at of [SECTOR, fstatSync(disk).size - SECTOR]) {
      const table = readTable(at, (position, length) => readFrom(disk, position, length));
      if (table.ok) return { partitions: table.value.partitions, bySecondTable: at !== SECTOR };
    }
  } finally {
    closeSync(disk);
  }
  return assert.fail("neither copy of the partition table is whole");
}

interface BootEntry {
  readonly version: string;
  /** Tries that are left; `undefined`: it is marked good. */
  readonly left: number | undefined;
  readonly kernel: string;
}

/** The entries that the loader shows; what has no content is no program to it. The loader itself must be there too. */
function bootEntries(volume: string): readonly BootEntry[] {
  const listed = spawnSync("mdir", ["-b", "-i", volume, "::EFI/Linux"], { encoding: "utf8" });
  assert.equal(listed.status, 0, listed.stderr);
  const names = listed.stdout.split("\n").filter((line) => /\.efi$/i.test(line)).map((line) => line.slice(line.lastIndexOf("/") + 1));
  const loader = /BOOT(?:X64|AA64)\.EFI/i.exec(spawnSync("mdir", ["-b", "-i", volume, "::EFI/BOOT"], { encoding: "utf8" }).stdout)?.[0] ?? assert.fail("the loader is gone");
  assert.ok(readVolume(volume, `EFI/BOOT/${loader}`).length > 50_000);
  return names.flatMap((name) => {
    const [, version, left] = /^ringbox_([0-9.]+?)(?:\+(\d+)(?:-\d+)?)?\.efi$/.exec(name) ?? assert.fail(`a boot entry ${name}`);
    const content = readVolume(volume, `EFI/Linux/${name}`);
    if (content.length === 0 || version === undefined) return [];
    return [{ version, left: left === undefined ? undefined : Number(left), kernel: createHash("sha256").update(content).digest("hex") }];
  });
}

/** As systemd-boot orders them: what has no tries left is last, then the newest is first. */
function taken(entries: readonly BootEntry[]): string {
  const [first] = entries.toSorted((a, b) => Number(a.left === 0) - Number(b.left === 0) || compareVersions(b.version, a.version));
  return first?.version ?? assert.fail("no boot entry is left");
}

export function readVolume(volume: string, path: string): Buffer {
  const { status, stdout, stderr } = spawnSync("mcopy", ["-n", "-i", volume, `::${path}`, "-"], { maxBuffer: 1 << 28 });
  assert.equal(status, 0, `${path}: ${stderr}`);
  return stdout;
}
