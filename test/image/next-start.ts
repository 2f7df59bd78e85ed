// What a machine finds on its disk at the next start, step by step and without starting one: table, boot volume, ticket, data
// partition, and what the box on it takes itself for.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync } from "node:fs";
import { type Partition, readTable, SECTOR } from "../../src/provision/partition-table.ts";
import { dataPartition, ticketIn } from "../support/power-cut/data-partition.ts";
import { readFrom } from "../support/power-cut/recorded-disk.ts";

/** `undefined`: there is none yet. */
export interface NextStart {
  /** Whether the first copy of the table was damaged, and the second is taken. */
  readonly bySecondTable: boolean;
  /** The boot entries, whole ones. */
  readonly entries: readonly string[];
  readonly hasTicket: boolean;
  /** What the check of the data partition's file system said; 1: it mended something. */
  readonly checked: number | undefined;
  readonly machineId: string | undefined;
  readonly key: string | undefined;
  readonly nodeId: string | undefined;
  /** Rows of the ring that are on this disk. */
  readonly rows: number;
}

/** Fails if a machine would not start from this disk, or the box would find something torn. `kernel`: SHA-256 of the boot entry. */
export function nextStart(file: string, kernel: string): NextStart {
  const { partitions, bySecondTable } = tableOf(file);
  const partition = (name: string): Partition | undefined => partitions.find((one) => one.name === name);
  const [esp, config, data] = [partition("ringbox-esp"), partition("ringbox-config"), partition("ringbox-data")];
  assert.ok(esp !== undefined && config !== undefined);
  assert.ok(partitions.some(({ name }) => /^ringbox_.*_root$/.test(name)), "the root that the boot entry names");
  const entries = bootEntries(`${file}@@${esp.offset}`, kernel);
  const found = data === undefined ? undefined : dataPartition(file, data.offset);
  const hasTicket = ticketIn(readVolume(`${file}@@${config.offset}`, "ringbox.ticket").toString("latin1")) || (found?.hasTicket ?? false);
  if (found?.nodeId === undefined) assert.ok(hasTicket, "neither a member nor a ticket: nobody would let it in");
  return { bySecondTable, entries, hasTicket, checked: found?.checked, machineId: found?.machineId, key: found?.key, nodeId: found?.nodeId, rows: found?.rows.length ?? 0 };
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

/** The entries that the loader shows, each of which must be whole; the loader itself must be there too. */
function bootEntries(volume: string, kernel: string): readonly string[] {
  const listed = spawnSync("mdir", ["-b", "-i", volume, "::EFI/Linux"], { encoding: "utf8" });
  assert.equal(listed.status, 0, listed.stderr);
  const names = listed.stdout.split("\n").filter((line) => /\.efi$/i.test(line)).map((line) => line.slice(line.lastIndexOf("/") + 1));
  assert.ok(names.length > 0, "no boot entry is left");
  for (const name of names) assert.equal(createHash("sha256").update(readVolume(volume, `EFI/Linux/${name}`)).digest("hex"), kernel, name);
  const loader = /BOOT(?:X64|AA64)\.EFI/i.exec(spawnSync("mdir", ["-b", "-i", volume, "::EFI/BOOT"], { encoding: "utf8" }).stdout)?.[0] ?? assert.fail("the loader is gone");
  assert.ok(readVolume(volume, `EFI/BOOT/${loader}`).length > 50_000);
  return names;
}

export function readVolume(volume: string, path: string): Buffer {
  const { status, stdout, stderr } = spawnSync("mcopy", ["-n", "-i", volume, `::${path}`, "-"], { maxBuffer: 1 << 28 });
  assert.equal(status, 0, `${path}: ${stderr}`);
  return stdout;
}
