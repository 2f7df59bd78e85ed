// Writes a bundle into the slot that does not run. Whatever write is the last one before the power goes, the version that
// runs can be started, and no boot entry leads to what is not whole: the entry of what is overwritten goes first, the
// new one comes last, and of the two copies of the partition table one is whole at any time.

import { fault, ok, type Result } from "../base/result.ts";
import { type PartitionTable, readTable, renamed, SECTOR } from "../provision/partition-table.ts";
import { planSlot, type SlotPlan } from "../provision/slots.ts";
import type { PartName, UpdateManifest } from "../provision/update-bundle.ts";
import type { PartSink } from "./update-bundle.ts";

/** A whole disk, or a file that holds one. */
export interface Disk {
  read(position: number, length: number): Uint8Array;
  write(bytes: Uint8Array, position: number): void;
  /** All that was written is on disk when this returns. */
  sync(): void;
}

/** The folder EFI/Linux of the boot partition. */
export interface BootFolder {
  list(): readonly string[];
  remove(name: string): void;
  write(name: string, bytes: Uint8Array, position: number): void;
  rename(from: string, to: string): void;
  /** As of a disk, the names included. */
  sync(): void;
}

/** No boot loader takes it for an entry. */
const UNFINISHED = "ringbox.new";

export class SlotWriter implements PartSink {
  readonly #disk: Disk;
  readonly #boot: BootFolder;
  readonly #plan: SlotPlan;
  readonly #tables: readonly PartitionTable[];

  /** `tables`: in the order in which they are written. */
  private constructor(disk: Disk, boot: BootFolder, plan: SlotPlan, tables: readonly PartitionTable[]) {
    this.#disk = disk;
    this.#boot = boot;
    this.#plan = plan;
    this.#tables = tables;
  }

  /** Of a bundle that was checked. Writes nothing. `rootHash`: of the version that runs. */
  static plan(disk: Disk, boot: BootFolder, rootHash: string, manifest: UpdateManifest): Result<SlotWriter, string> {
    const read = (position: number, length: number): Uint8Array => disk.read(position, length);
    const primary = readTable(SECTOR, read);
    if (!primary.ok) return primary;
    const backup = readTable(primary.value.otherHeaderAt, read);
    if (!backup.ok) return fault(`${backup.fault} at the end of the disk`);
    const plan = planSlot(rootHash, primary.value.partitions, boot.list(), manifest);
    return plan.ok ? ok(new SlotWriter(disk, boot, plan.value, [backup.value, primary.value])) : plan;
  }

  /** To be called before the first part is written. */
  begin(): void {
    for (const name of [...this.#plan.staleEntries, UNFINISHED]) if (this.#boot.list().includes(name)) this.#boot.remove(name);
    this.#boot.sync();
  }

  write(part: PartName, bytes: Uint8Array, position: number): void {
    if (part === "kernel") this.#boot.write(UNFINISHED, bytes, position);
    else this.#disk.write(bytes, this.#plan[part].offset + position);
  }

  finish(_manifest: UpdateManifest): void {
    // No table ever names what is not on disk.
    this.#disk.sync();
    for (const table of this.#tables) {
      const { header, entries } = renamed(table, this.#plan.names);
      this.#disk.write(entries, table.entriesAt);
      this.#disk.write(header, table.headerAt);
      this.#disk.sync();
    }
    this.#boot.sync();
    this.#boot.rename(UNFINISHED, this.#plan.newEntry);
    this.#boot.sync();
  }
}
