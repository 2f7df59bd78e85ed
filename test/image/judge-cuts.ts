// What a machine did to its disk, recorded write by write, and what is left of it if the power goes anywhere in it.

import assert from "node:assert/strict";
import { rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../image/steps.ts";
import type { Partition } from "../../src/provision/partition-table.ts";
import { CutDisk, type Recording } from "../support/power-cut/cut-disk.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { type NextStart, nextStart, tableOf, type Version } from "./next-start.ts";

export interface RecordedMachine extends Recording {
  /** The image that was started, as it was then; it is not changed. */
  readonly image: string;
  /** Size of the disk it lay on, octets. */
  readonly diskBytes: number;
  readonly directory: string;
  /** How many operations there were when the console said that the box serves. */
  readonly servingAt: number;
}

/** Numbers of operations after which the power goes, in their order; `versions`: all that may be on the disk. */
export interface Cuts {
  readonly points: readonly number[];
  readonly versions: readonly Version[];
  /** What else must hold. */
  readonly onState?: (state: NextStart, after: number) => void;
}

/** Fails at the first disk that does not start again, or has lost what was there before. A summary in a sentence. */
export function judgeCuts(machine: RecordedMachine, { points, versions, onState = () => {} }: Cuts): string {
  const { directory, operations, servingAt } = machine;
  const [durable, state] = [join(directory, "durable.raw"), join(directory, "state.raw")];
  withoutRoot(machine, durable);
  const disk = new CutDisk(machine, durable);
  const seen: Record<string, number> = {};
  const taken: Record<string, number> = {};
  let [mended, second] = [0, 0];
  let former: NextStart | undefined;
  try {
    for (const [i, after] of points.entries()) {
      disk.cut(after, new SeededRandom(1_000 + i), state);
      const found = judged(state, versions, `cut ${i}, after ${after} of ${operations.length} operations`);
      // A cut loses what was not flushed, so what luck kept of one may be missing after the next; the membership is synced before it counts.
      if (after >= servingAt) assert.ok(found.nodeId !== undefined && found.machineId !== undefined, `cut after ${after}: it had served (${servingAt})`);
      for (const what of ["nodeId", "key", "machineId"] as const) if (former?.[what] !== undefined && found[what] !== undefined) assert.equal(found[what], former[what], what);
      former = { ...found, nodeId: found.nodeId ?? former?.nodeId, key: found.key ?? former?.key, machineId: found.machineId ?? former?.machineId };
      const what = found.nodeId !== undefined ? "a member" : found.key !== undefined ? "a key" : found.machineId !== undefined ? "a machine-id" : found.checked !== undefined ? "an empty data partition" : "as flashed";
      seen[what] = (seen[what] ?? 0) + 1;
      taken[found.version] = (taken[found.version] ?? 0) + 1;
      mended += found.checked === 1 ? 1 : 0;
      second += found.bySecondTable ? 1 : 0;
      onState(found, after);
    }
  } finally {
    disk.close();
    rmSync(state, { force: true });
  }
  const flushes = operations.filter(({ type }) => type === "flush").length;
  const bytes = operations.reduce((sum, operation) => sum + (operation.type === "write" ? operation.length : 0), 0);
  return `${operations.length} operations, ${flushes} flushes, ${(bytes / (1 << 20)).toFixed(0)} MiB written, serving after ${servingAt}; ${points.length} cuts: ${JSON.stringify(seen)}, started ${JSON.stringify(taken)}, file system mended ${mended}, second table ${second}`;
}

/** The root that the machine was flashed with is not written, so it need not be copied for each cut. */
function withoutRoot({ image, diskBytes, operations }: RecordedMachine, file: string): void {
  run("cp", ["--sparse=always", image, file]);
  const root = rootOf(tableOf(file).partitions);
  truncateSync(file, diskBytes);
  for (const operation of operations) {
    if (operation.type !== "flush") assert.ok(operation.offset + operation.length <= root.offset || operation.offset >= root.offset + root.length, "the root was written to");
  }
  run("fallocate", ["--punch-hole", "--offset", String(root.offset), "--length", String(root.length), file]);
}

function judged(state: string, versions: readonly Version[], where: string): NextStart {
  try {
    return nextStart(state, versions);
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The disk after one cut, whole, for a machine to start from. */
export function cutOnce({ image, directory, diskBytes, ...recording }: RecordedMachine, after: number, seed: number, file: string): void {
  const durable = join(directory, "durable.raw");
  run("cp", ["--sparse=always", image, durable]);
  truncateSync(durable, diskBytes);
  const disk = new CutDisk(recording, durable);
  try {
    disk.cut(after, new SeededRandom(seed), file);
  } finally {
    disk.close();
    rmSync(durable, { force: true });
  }
}

/** All over a part of the recording, in its order. */
export function anywhere(from: number, to: number, count: number): readonly number[] {
  const luck = new SeededRandom(26, "cuts");
  return Array.from({ length: count }, () => from + 1 + luck.below(to - from)).sort((a, b) => a - b);
}

/** Where the table of partitions or the names of the boot entries change: the small writes in front of the slots, and at the end of the disk. */
export function whereNamesChange({ operations, image, diskBytes }: RecordedMachine, from: number, to: number, count: number): readonly number[] {
  const { offset } = rootOf(tableOf(image).partitions);
  const points = operations.flatMap((operation, index) => {
    if (index < from || index >= to || operation.type === "flush" || operation.length > NAMES_BYTES) return [];
    return operation.offset + operation.length <= offset || operation.offset + operation.length > diskBytes - TABLE_BYTES ? [index + 1] : [];
  });
  assert.ok(points.length > 0, "no name was written");
  const luck = new SeededRandom(26, "names");
  return Array.from({ length: count }, () => points[luck.below(points.length)] ?? 0).sort((a, b) => a - b);
}
const NAMES_BYTES = 64 << 10;
const TABLE_BYTES = 33 * 512;

function rootOf(partitions: readonly Partition[]): Partition {
  return partitions.find(({ name }) => /^ringbox_.*_root$/.test(name)) ?? assert.fail("no root in the image");
}
