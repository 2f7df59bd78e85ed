// What a box finds on its data partition after a power cut: the file system is checked as at each start, and read by the box's own
// code. Nothing is mounted.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../../image/steps.ts";
import { DataDirectory } from "../../../src/io/data-directory.ts";
import { StoredRows } from "../../../src/io/stored-rows.ts";
import type { StoredRow } from "../../../src/overlay/ports.ts";

/** `undefined`: there is none yet. */
export interface DataPartition {
  /** What the check of the file system said; 1: it mended something. */
  readonly checked: number;
  readonly hasTicket: boolean;
  readonly machineId: string | undefined;
  readonly key: string | undefined;
  readonly nodeId: string | undefined;
  readonly rows: readonly StoredRow[];
}

export const ticketIn = (text: string): boolean => text.includes("BEGIN RINGBOX TICKET") && text.includes("END RINGBOX TICKET");

/** The file system at `offset` of `file` is copied and mended. Fails if the check gives up, or anything is torn. */
export function dataPartition(file: string, offset: number): DataPartition {
  const volume = `${file}.data`;
  // Of its own, since the check looks for copies of the superblock from the beginning of the file.
  if (offset > 0) run("dd", [`if=${file}`, `of=${volume}`, "bs=1M", "conv=sparse", "iflag=skip_bytes", `skip=${offset}`, "status=none"]);
  else run("cp", ["--sparse=always", file, volume]);
  // As `fsck.repair=yes` on the kernel's command line has it.
  const { status: checked, stdout } = spawnSync("e2fsck", ["-y", volume], { encoding: "utf8" });
  assert.ok(checked === 0 || checked === 1, `the check of the file system gave up (${checked}): ${stdout}`);
  const thorough = spawnSync("e2fsck", ["-f", "-n", volume], { encoding: "utf8" });
  assert.equal(thorough.status, 0, `the check left faults: ${thorough.stdout}`);
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

function rowsIn(directory: string): readonly StoredRow[] {
  if (!existsSync(join(directory, "durable.db"))) return [];
  const file = new StoredRows(join(directory, "durable.db"), "FULL");
  const loaded = file.open();
  file.close();
  assert.deepEqual({ moved: loaded.movedTo, damaged: loaded.damaged.length, lost: loaded.lostCommits }, { moved: undefined, damaged: 0, lost: 0 });
  return loaded.rows;
}
