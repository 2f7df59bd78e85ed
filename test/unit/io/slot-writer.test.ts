// The other slot is written so that the power may go at any write: the version that runs can be started, and what else the
// boot menu shows is whole.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import { type BootFolder, type Disk, SlotWriter } from "../../../src/io/slot-writer.ts";
import { guidOf, type Partition, readTable, SECTOR } from "../../../src/provision/partition-table.ts";
import type { BundlePart, PartName, UpdateManifest } from "../../../src/provision/update-bundle.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

const MIB = 1 << 20;
const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
const [OLD, NEW, BEFORE] = [hash("1.0.0"), hash("1.1.0"), hash("0.9.0")];
const content = (part: PartName, of: string): Buffer => Buffer.alloc(part === "root" ? 200_000 : 20_000, `${part} of ${of}; `);
const PARTS: readonly PartName[] = ["verity", "root", "kernel"];
const manifest: UpdateManifest = {
  fleet: "acme", version: "1.1.0", architecture: "x86-64", floor: "0.0.0", rootHash: NEW,
  parts: PARTS.map((name): BundlePart => ({ name, bytes: content(name, NEW).length, sha256: createHash("sha256").update(content(name, NEW)).digest("hex") })),
};
const [ROOT_TYPE, VERITY_TYPE] = ["4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"];

const skip = spawnSync("sfdisk", ["--version"]).error === undefined ? false : "sfdisk is not installed";
let flashed: Buffer = Buffer.alloc(0);

/** A disk as it is when 1.0.0 runs, and 0.9.0 ran before it. */
function makeDisk(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "ringbox-slots-"));
  const file = join(directory, "disk");
  try {
    writeFileSync(file, "");
    truncateSync(file, 8 * MIB);
    const partition = (name: string, type: string, hex: string): string => `size=1MiB, type=${type}, uuid=${guidOf(hex)}, name=${name}`;
    const lines = [
      "label: gpt", "first-lba: 2048", "size=1MiB, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name=ringbox-esp",
      partition("ringbox_1.0.0_verity", VERITY_TYPE, OLD.slice(32)), partition("ringbox_1.0.0_root", ROOT_TYPE, OLD.slice(0, 32)),
      partition("ringbox_0.9.0_verity", VERITY_TYPE, BEFORE.slice(32)), partition("ringbox_0.9.0_root", ROOT_TYPE, BEFORE.slice(0, 32)),
    ];
    const made = spawnSync("sfdisk", ["--quiet", file], { input: `${lines.join("\n")}\n`, encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    const disk = readFileSync(file);
    for (const [at, part, of] of [[2, "verity", OLD], [3, "root", OLD], [4, "verity", BEFORE], [5, "root", BEFORE]] as const) content(part, of).copy(disk, at * MIB);
    return disk;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Change = (disk: Buffer, boot: Map<string, Buffer>) => void;

/** Disk and boot folder that remember what was not synced yet, sector by sector, and lose power at one write. */
class Machine implements Disk {
  readonly disk = Buffer.from(flashed);
  readonly entries = new Map([["ringbox_1.0.0.efi", content("kernel", OLD)], ["ringbox_0.9.0.efi", content("kernel", BEFORE)]]);
  /** What survives a cut for certain, and what may. */
  readonly kept = Buffer.from(flashed);
  readonly keptEntries = new Map(this.entries);
  #waiting: { readonly on: "disk" | "boot"; readonly change: Change }[] = [];
  writes = 0;
  readonly #cutAt: number;

  constructor(cutAt: number) {
    this.#cutAt = cutAt;
  }
  read(position: number, length: number): Uint8Array {
    return this.disk.subarray(position, position + length);
  }
  write(bytes: Uint8Array, position: number): void {
    const copy = Buffer.from(bytes);
    for (let at = 0; at < copy.length; at += SECTOR) {
      this.#do("disk", (disk) => void copy.subarray(at, at + SECTOR).copy(disk, position + at));
    }
  }
  sync(): void {
    this.#settle("disk");
  }
  readonly boot: BootFolder = {
    list: () => [...this.entries.keys()],
    remove: (name) => this.#do("boot", (_, boot) => void boot.delete(name)),
    write: (name, bytes, position) => {
      const copy = Buffer.from(bytes);
      this.#do("boot", (_, boot) => void boot.set(name, Buffer.concat([(boot.get(name) ?? Buffer.alloc(0)).subarray(0, position), copy])));
    },
    // FAT knows no rename: a name is made and another one goes, and a cut may keep either, both or neither.
    rename: (from, to) => {
      this.#do("boot", (_, boot) => void boot.set(to, boot.get(from) ?? Buffer.alloc(0)));
      this.#do("boot", (_, boot) => void boot.delete(from));
    },
    sync: () => this.#settle("boot"),
  };
  /** The power is gone: of what was not synced some got to the disk. */
  lose(random: SeededRandom): void {
    for (const { change } of this.#waiting) if (random.below(2) === 0) change(this.kept, this.keptEntries);
  }
  #do(on: "disk" | "boot", change: Change): void {
    if (this.writes === this.#cutAt) throw new PowerCut();
    this.writes += 1;
    change(this.disk, this.entries);
    this.#waiting.push({ on, change });
  }
  #settle(on: "disk" | "boot"): void {
    for (const { change } of this.#waiting.filter((waiting) => waiting.on === on)) change(this.kept, this.keptEntries);
    this.#waiting = this.#waiting.filter((waiting) => waiting.on !== on);
  }
}
class PowerCut extends Error {}

function update(machine: Machine): void {
  const writer = SlotWriter.plan(machine, machine.boot, OLD, manifest);
  assert.ok(writer.ok, "fault" in writer ? writer.fault : "");
  writer.value.begin();
  for (const part of PARTS) writer.value.write(part, content(part, NEW), 0);
  writer.value.finish(manifest);
}

/** As a kernel that is told `gpt` finds them: the first copy, or the one in the last sector. */
function partitionsOf(disk: Buffer): readonly Partition[] {
  const read = (position: number, length: number): Uint8Array => disk.subarray(position, position + length);
  for (const at of [SECTOR, disk.length - SECTOR]) {
    const table = readTable(at, read);
    if (table.ok) return table.value.partitions;
  }
  return assert.fail("neither copy of the partition table is whole");
}

/** What can be started: the versions whose entry, root and hashes are there and belong together. */
function startable(disk: Buffer, entries: ReadonlyMap<string, Buffer>): string[] {
  const partitions = partitionsOf(disk);
  return [...entries].filter(([name]) => name.endsWith(".efi")).map(([name, kernel]) => {
    const rootHash = [OLD, NEW, BEFORE].find((of) => kernel.equals(content("kernel", of)));
    assert.ok(rootHash !== undefined, `${name} is not whole`);
    for (const [part, uuid] of [["root", guidOf(rootHash.slice(0, 32))], ["verity", guidOf(rootHash.slice(32))]] as const) {
      const found = partitions.find((partition) => partition.uuid === uuid);
      assert.ok(found !== undefined, `${name}: its ${part} has no partition`);
      const wanted = content(part, rootHash);
      assert.ok(disk.subarray(found.offset, found.offset + wanted.length).equals(wanted), `${name}: its ${part} is not whole`);
    }
    return name;
  });
}

suite("the other slot of a disk", { skip }, () => {
  before(() => {
    flashed = makeDisk();
  });

  test("is written, named by its root hash in both tables, and started by a counted entry", () => {
    const machine = new Machine(Number.POSITIVE_INFINITY);
    update(machine);
    assert.deepEqual(startable(machine.kept, machine.keptEntries).sort(), ["ringbox_1.0.0.efi", "ringbox_1.1.0+3.efi"]);
    assert.deepEqual(partitionsOf(machine.kept).map(({ name }) => name), ["ringbox-esp", "ringbox_1.0.0_verity", "ringbox_1.0.0_root", "ringbox_1.1.0_verity", "ringbox_1.1.0_root"]);
    const directory = mkdtempSync(join(tmpdir(), "ringbox-slots-"));
    try {
      writeFileSync(join(directory, "disk"), machine.kept);
      const verdict = spawnSync("sfdisk", ["--verify", join(directory, "disk")], { encoding: "utf8" });
      assert.equal(verdict.status, 0, verdict.stdout + verdict.stderr);
      assert.match(verdict.stdout, /No errors detected/);
      const listed = spawnSync("sfdisk", ["--dump", join(directory, "disk")], { encoding: "utf8" }).stdout.toLowerCase();
      assert.ok(listed.includes(guidOf(NEW.slice(0, 32))) && listed.includes("ringbox_1.1.0_root"), listed);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("may be cut at every write: what the boot menu shows can be started, and the running version is in it", () => {
    const whole = new Machine(Number.POSITIVE_INFINITY);
    update(whole);
    assert.ok(whole.writes > 400);
    let withNew = 0;
    for (let cutAt = 0; cutAt <= whole.writes; cutAt++) {
      // The many sectors of the root are all alike: each tenth of them.
      if (cutAt > 50 && cutAt < 400 && cutAt % 10 !== 0) continue;
      for (const seed of [1, 2, 3]) {
        const machine = new Machine(cutAt);
        try {
          update(machine);
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
        }
        machine.lose(new SeededRandom(cutAt * 10 + seed));
        const found = startable(machine.kept, machine.keptEntries);
        assert.ok(found.includes("ringbox_1.0.0.efi"), `cut at write ${cutAt}, seed ${seed}: ${found.join()}`);
        if (found.includes("ringbox_1.1.0+3.efi")) withNew += 1;
      }
    }
    assert.ok(withNew >= 3, "the update was never finished");
  });

  test("is refused, and nothing written, while the running version is not marked good, runs already, or the parts do not fit", () => {
    const refusal = (machine: Machine, changed: Partial<UpdateManifest> = {}, running = OLD): string => {
      const writer = SlotWriter.plan(machine, machine.boot, running, { ...manifest, ...changed });
      assert.equal(machine.writes, 0);
      return writer.ok ? "taken" : writer.fault;
    };
    const unproved = new Machine(0);
    unproved.entries.delete("ringbox_1.0.0.efi");
    unproved.entries.set("ringbox_1.0.0+2-1.efi", content("kernel", OLD));
    assert.match(refusal(unproved), /not marked good yet/);
    assert.match(refusal(new Machine(0), { version: "1.0.0" }), /1\.0\.0 runs already/);
    assert.match(refusal(new Machine(0), {}, hash("elsewhere")), /not found on this disk/);
    assert.match(refusal(new Machine(0), { parts: manifest.parts.map((part) => ({ ...part, bytes: 2 * MIB })) }), /root has 2097152 octets, and the slot 1048576/);
    const damaged = new Machine(0);
    damaged.disk.writeUInt8(damaged.disk.readUInt8(2 * SECTOR + 40) ^ 1, 2 * SECTOR + 40);
    assert.match(refusal(damaged), /entries are damaged/);
  });
});
