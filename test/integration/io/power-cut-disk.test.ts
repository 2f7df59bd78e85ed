// Power cuts of a whole data partition, as the kernel writes it: a first start is recorded block by block, cut anywhere, mended as
// at each start and read by the box's own code.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { run } from "../../../image/steps.ts";
import { DIST } from "../../lab/box.ts";
import { atEnd, makeFleet, ownAddress, skipWithoutBox } from "../../support/built-ring.ts";
import { placeOf } from "../../support/durability/database-reader.ts";
import { CutDisk } from "../../support/power-cut/cut-disk.ts";
import { type DataPartition, dataPartition } from "../../support/power-cut/data-partition.ts";
import { type DiskOperation, RecordedDisk } from "../../support/power-cut/recorded-disk.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { memoryDirectory } from "../../support/temporary-directory.ts";

/** `npm run soak` looks at more. */
const CUTS = Number(process.env["RINGBOX_DISK_CUTS"] ?? 40);
const SIZE = 64 << 20;
const SUBSCRIBERS = ["201", "202", "203", "204", "205", "206"];
const SCRIPT = join(import.meta.dirname, "../../support/power-cut/first-start.sh");

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may mount";
  for (const path of ["/dev/fuse", "/dev/loop-control"]) if (!existsSync(path)) return `there is no ${path}`;
  for (const program of ["qemu-storage-daemon", "mkfs.ext4", "debugfs", "losetup"]) if (spawnSync(program, ["-V"]).error !== undefined) return `${program} is not installed`;
  return undefined;
}

suite("a power cut of a whole disk", { skip: skipWithoutBox || (whyNot() ?? false), timeout: 900_000 }, () => {
  test("at the first start of a box leaves a file system that mends itself, one whole identity or none, and all that was acknowledged", async (t) => {
    const directory = memoryDirectory(t);
    const [file, durable, state] = [join(directory, "disk"), join(directory, "durable"), join(directory, "state")];
    for (const path of [file, durable]) {
      writeFileSync(path, "");
      truncateSync(path, SIZE);
    }
    const disk = new RecordedDisk(file);
    atEnd(t, () => disk.close());
    await disk.listen();
    const said = await recordFirstStart(disk, directory);
    const acknowledgedAt = new Map(SUBSCRIBERS.map((name) => [name, said.get(`acknowledged ${name}`) ?? assert.fail(name)]));
    const [made = 0, served = 0] = [said.get("made"), said.get("serving")];

    const look = (operations: readonly DiskOperation[], count: number): { lost: number; mended: number; looks: number; kinds: Record<string, number> } => {
      rmSync(durable);
      writeFileSync(durable, "");
      truncateSync(durable, SIZE);
      const cuts = new CutDisk({ operations, logFile: disk.logFile }, durable);
      const luck = new SeededRandom(26, "cuts");
      let [lost, mended, looks] = [0, 0, 0];
      let former: DataPartition | undefined;
      const kinds: Record<string, number> = {};
      for (const after of Array.from({ length: count }, () => luck.between(made, operations.length)).sort((a, b) => a - b)) {
        cuts.cut(after, luck.fork(String(after)), state);
        const found = dataPartition(state, 0);
        for (const what of ["key", "nodeId"] as const) if (found[what] !== undefined && former?.[what] !== undefined) assert.equal(found[what], former[what]);
        former = { ...found, key: found.key ?? former?.key, nodeId: found.nodeId ?? former?.nodeId };
        const places = new Set<string>(found.rows.map(({ resource }) => resource));
        const due = SUBSCRIBERS.filter((name) => (acknowledgedAt.get(name) ?? 0) <= after);
        looks += due.length;
        if ((after >= served && found.nodeId === undefined) || due.some((name) => !places.has(placeOf(name)))) lost += 1;
        mended += found.checked;
        const kind = found.nodeId !== undefined ? "a member" : found.key !== undefined ? "a key" : "nothing";
        kinds[kind] = (kinds[kind] ?? 0) + 1;
      }
      cuts.close();
      return { lost, mended, looks, kinds };
    };

    const { lost, mended, looks, kinds } = look(disk.operations, CUTS);
    const flushes = disk.operations.filter(({ type }) => type === "flush").length;
    t.diagnostic(`${disk.operations.length} operations, ${flushes} flushes, serving after ${served}; ${CUTS} cuts: ${JSON.stringify(kinds)}; file system mended ${mended}; ${looks} acknowledgements looked at, ${lost} cuts with a loss`);
    assert.equal(lost, 0);
    assert.ok(looks > CUTS / 2, "there was something to lose");
    assert.equal(disk.failure, undefined);
    // A disk that says that it flushed and did not is found out: this test can fail.
    const lying = disk.operations.map((operation, i): DiskOperation => (operation.type === "flush" && i >= made ? { type: "zeros", offset: 0, length: 0, durable: false } : operation));
    assert.throws(() => assert.equal(look(lying, 40).lost, 0));
  });

  test("that leaves one sector of the superblock costs nothing", (t) => {
    const directory = memoryDirectory(t);
    const [file, tree] = [join(directory, "disk"), join(directory, "tree")];
    mkdirSync(join(tree, "lib"), { recursive: true });
    writeFileSync(join(tree, "lib/machine-id"), `${"0123456789abcdef".repeat(2)}\n`);
    run("mkfs.ext4", ["-q", "-d", tree, file, "16M"]);
    const disk = readFileSync(file);
    run("tune2fs", ["-L", "other", file]);
    readFileSync(file).copy(disk, 1_024, 1_024, 1_536);
    writeFileSync(file, disk);
    const { checked, machineId } = dataPartition(file, 0);
    assert.equal(checked, 1, "the check had to mend it");
    assert.equal(machineId, `${"0123456789abcdef".repeat(2)}\n`);
  });
});

/** What the script said, and how many operations the disk had seen by then. */
async function recordFirstStart(disk: RecordedDisk, directory: string): Promise<ReadonlyMap<string, number>> {
  const { ticket } = makeFleet(directory);
  const script = spawn(SCRIPT, [disk.socket, directory, DIST, ticket, ownAddress(), SUBSCRIBERS.join(" ")], { stdio: ["ignore", "pipe", "pipe"] });
  const said = new Map<string, number>();
  let faults = "";
  script.stdout.on("data", (bytes: Buffer) => {
    for (const line of bytes.toString().split("\n")) if (line !== "") said.set(line, disk.operations.length);
  });
  script.stderr.on("data", (bytes: Buffer) => void (faults += bytes.toString()));
  const [status] = await once(script, "close");
  assert.equal(status, 0, faults);
  return said;
}
