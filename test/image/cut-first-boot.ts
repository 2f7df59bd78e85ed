// One first boot, recorded write by write, and what is left of it if the power goes anywhere in it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../image/steps.ts";
import { CutDisk, type Recording } from "../support/power-cut/cut-disk.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { type NextStart, nextStart, readVolume, tableOf } from "./next-start.ts";

const ENTRY_NAME = /ringbox_[^/]*\.efi$/m;

export interface CutFirstBoot extends Recording {
  /** The image that was started, as it was then; it is not changed. */
  readonly image: string;
  /** Size of the disk it lay on, octets. */
  readonly diskBytes: number;
  readonly directory: string;
  /** How many operations there were when the console said that the box serves. */
  readonly servingAt: number;
}

/** Looks at `count` cuts; fails at the first disk that does not start again, or has lost what was there before. A summary in a sentence. */
export function judgeCuts(boot: CutFirstBoot, count: number, onState: (state: NextStart, after: number) => void = () => {}): string {
  const { image, directory, diskBytes, operations, servingAt } = boot;
  const [durable, state] = [join(directory, "durable.raw"), join(directory, "state.raw")];
  run("cp", ["--sparse=always", image, durable]);
  const { partitions } = tableOf(durable);
  const root = partitions.find(({ name }) => /^ringbox_.*_root$/.test(name));
  const esp = partitions.find(({ name }) => name === "ringbox-esp");
  assert.ok(root !== undefined && esp !== undefined);
  truncateSync(durable, diskBytes);
  // The root is not written, so it need not be copied each time.
  for (const operation of operations) {
    if (operation.type !== "flush") assert.ok(operation.offset + operation.length <= root.offset || operation.offset >= root.offset + root.length, "the root was written to");
  }
  run("fallocate", ["--punch-hole", "--offset", String(root.offset), "--length", String(root.length), durable]);
  const entry = ENTRY_NAME.exec(run("mdir", ["-b", "-i", `${durable}@@${esp.offset}`, "::EFI/Linux"]))?.[0] ?? "";
  const kernel = createHash("sha256").update(readVolume(`${durable}@@${esp.offset}`, `EFI/Linux/${entry}`)).digest("hex");

  const disk = new CutDisk(boot, durable);
  const seen: Record<string, number> = {};
  let [mended, second] = [0, 0];
  let former: NextStart | undefined;
  try {
    for (const [i, after] of cutPoints(operations.length, count).entries()) {
      disk.cut(after, new SeededRandom(1_000 + i), state);
      const found = judged(state, kernel, `cut ${i}, after ${after} of ${operations.length} operations`);
      // A cut loses what was not flushed, so what luck kept of one may be missing after the next; the membership is synced before it counts.
      if (after >= servingAt) assert.ok(found.nodeId !== undefined && found.machineId !== undefined, `cut after ${after}: it had served (${servingAt})`);
      for (const what of ["nodeId", "key", "machineId"] as const) if (former?.[what] !== undefined && found[what] !== undefined) assert.equal(found[what], former[what], what);
      former = { ...found, nodeId: found.nodeId ?? former?.nodeId, key: found.key ?? former?.key, machineId: found.machineId ?? former?.machineId };
      const what = found.nodeId !== undefined ? "a member" : found.key !== undefined ? "a key" : found.machineId !== undefined ? "a machine-id" : found.checked !== undefined ? "an empty data partition" : "as flashed";
      seen[what] = (seen[what] ?? 0) + 1;
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
  return `${operations.length} operations, ${flushes} flushes, ${(bytes / (1 << 20)).toFixed(0)} MiB written, serving after ${servingAt}; ${count} cuts: ${JSON.stringify(seen)}, file system mended ${mended}, second table ${second}; image ${(statSync(image).size / (1 << 20)).toFixed(0)} MiB`;
}

function judged(state: string, kernel: string, where: string): NextStart {
  try {
    return nextStart(state, kernel);
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The disk after one cut, whole, for a machine to start from. */
export function cutOnce({ image, directory, diskBytes, ...recording }: CutFirstBoot, after: number, seed: number, file: string): void {
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

/** All over the recording, in its order. */
function cutPoints(operations: number, count: number): readonly number[] {
  const luck = new SeededRandom(26, "cuts");
  return Array.from({ length: count }, () => 1 + luck.below(operations)).sort((a, b) => a - b);
}
