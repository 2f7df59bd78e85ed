// What a machine finds on its disk at the next start, step by step and without starting one: table, boot volume, ticket, data
// partition, and what the box on it takes itself for.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DataDirectory } from "../../src/io/data-directory.ts";
import { StoredRows } from "../../src/io/stored-rows.ts";
import { type Partition, readTable, SECTOR } from "../../src/provision/partition-table.ts";
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

/** Fails if a machine would not start from this disk, or the box would find something torn. `kernel`: SHA-256 of the boot entry. `file` is mended in place. */
export function nextStart(file: string, kernel: string): NextStart {
  const { partitions, bySecondTable } = tableOf(file);
  const partition = (name: string): Partition | undefined => partitions.find((one) => one.name === name);
  const [esp, config, data] = [partition("ringbox-esp"), partition("ringbox-config"), partition("ringbox-data")];
  assert.ok(esp !== undefined && config !== undefined);
  assert.ok(partitions.some(({ name }) => /^ringbox_.*_root$/.test(name)), "the root that the boot entry names");
  const entries = bootEntries(`${file}@@${esp.offset}`, kernel);
  const found = data === undefined ? undefined : dataPartition(file, data);
  const hasTicket = ticketIn(readVolume(`${file}@@${config.offset}`, "ringbox.ticket").toString("latin1")) || (found?.hasTicket ?? false);
  if (found?.nodeId === undefined) assert.ok(hasTicket, "neither a member nor a ticket: nobody would let it in");
  return { bySecondTable, entries, hasTicket, checked: found?.checked, machineId: found?.machineId, key: found?.key, nodeId: found?.nodeId, rows: found?.rows ?? 0 };
}

/** As firmware and kernel (with `gpt`) take it: the first copy, else the one in the last sector of the disk, or of the image that was flashed. */
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
  assert.ok(readVolume(volume, "EFI/BOOT/BOOTX64.EFI").length > 50_000);
  return names;
}

export function readVolume(volume: string, path: string): Buffer {
  const { status, stdout, stderr } = spawnSync("mcopy", ["-n", "-i", volume, `::${path}`, "-"], { maxBuffer: 1 << 28 });
  assert.equal(status, 0, `${path}: ${stderr}`);
  return stdout;
}

const ticketIn = (text: string): boolean => text.includes("BEGIN RINGBOX TICKET") && text.includes("END RINGBOX TICKET");

/** The file system is checked as at each start, taken out, and read by the box's own code. */
function dataPartition(file: string, { offset }: Partition): { readonly checked: number; readonly hasTicket: boolean; readonly machineId: string | undefined; readonly key: string | undefined; readonly nodeId: string | undefined; readonly rows: number } {
  const volume = `${file}?offset=${offset}`;
  const { status: checked, stdout } = spawnSync("e2fsck", ["-p", volume], { encoding: "utf8" });
  assert.ok(checked === 0 || checked === 1, `the check of the file system gave up (${checked}): ${stdout}`);
  const thorough = spawnSync("e2fsck", ["-f", "-n", volume], { encoding: "utf8" });
  assert.equal(thorough.status, 0, `the short check left faults: ${thorough.stdout}`);
  const directory = `${file}.lib`;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const dumped = spawnSync("debugfs", ["-R", `rdump /lib ${directory}`, volume], { encoding: "utf8" });
  assert.equal(dumped.status, 0, dumped.stderr);
  const lib = join(directory, "lib");
  const box = join(lib, "ringbox");
  const machineId = textOf(join(lib, "machine-id"));
  if (machineId !== undefined) assert.match(machineId, /^[0-9a-f]{32}\n$/);
  const hasTicket = ticketIn(textOf(join(box, "ringbox.ticket")) ?? "");
  return { checked: checked ?? 0, hasTicket, machineId, ...identityIn(box), rows: rowsIn(box) };
}

/** `undefined`: it is not there, or empty, as what was never synced may be. */
function textOf(path: string): string | undefined {
  return existsSync(path) && statSync(path).size > 0 ? readFileSync(path, "latin1") : undefined;
}

function identityIn(directory: string): { readonly key: string | undefined; readonly nodeId: string | undefined } {
  if (!existsSync(join(directory, "identity.key"))) {
    assert.ok(!existsSync(join(directory, "fleet.json")), "a membership without its key");
    return { key: undefined, nodeId: undefined };
  }
  const reports: string[] = [];
  const data = new DataDirectory(directory, (_, text) => reports.push(text));
  data.open();
  try {
    const nodeId = data.membership()?.enrolled.nodeId;
    const key = createHash("sha256").update(data.identityKey()).digest("hex");
    assert.deepEqual(reports, [], "nothing is torn");
    return { key, nodeId };
  } finally {
    data.close();
  }
}

function rowsIn(directory: string): number {
  if (!existsSync(join(directory, "durable.db"))) return 0;
  const file = new StoredRows(join(directory, "durable.db"), "FULL");
  const loaded = file.open();
  file.close();
  assert.deepEqual({ moved: loaded.movedTo, damaged: loaded.damaged.length, lost: loaded.lostCommits }, { moved: undefined, damaged: 0, lost: 0 });
  return loaded.rows.length;
}
