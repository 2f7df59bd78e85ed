// The power goes while a machine writes to a recorded disk. What is left: all that was written before the last flush; of the rest
// each write whole, in part (sectors of 512 octets, any of them) or not at all.

import { closeSync, openSync, writeSync } from "node:fs";
import { run } from "../../../image/steps.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { type DiskOperation, readFrom, writeZeros } from "./recorded-disk.ts";

const SECTOR = 512;
type Writing = Exclude<DiskOperation, { type: "flush" }>;

export interface Recording {
  readonly operations: readonly DiskOperation[];
  readonly logFile: string;
}

/** Cuts one recording at later and later operations. */
export class CutDisk {
  readonly #recording: Recording;
  readonly #log: number;
  readonly #durable: string;
  /** How many operations are in the durable file. */
  #settled = 0;

  /** `durable`: the disk as it was when the recording began; it is changed. */
  constructor(recording: Recording, durable: string) {
    this.#recording = recording;
    this.#log = openSync(recording.logFile, "r");
    this.#durable = durable;
  }

  /** Writes to `file` what is on the disk if the power goes after `after` operations, which is no fewer than the last time. */
  cut(after: number, luck: SeededRandom, file: string): void {
    const { operations } = this.#recording;
    const flushed = operations.slice(0, after).findLastIndex(({ type }) => type === "flush") + 1;
    this.#apply(this.#durable, operations.slice(this.#settled, flushed), (write) => [write]);
    this.#settled = Math.max(this.#settled, flushed);
    run("cp", ["--sparse=always", this.#durable, file]);
    // Often nothing or everything of what was not flushed; else a throw of the dice for each write.
    const mood = luck.fraction();
    this.#apply(file, operations.slice(flushed, after), (write) => {
      if (write.durable || (mood >= 0.2 && mood < 0.3)) return [write];
      if (mood < 0.2) return [];
      if (luck.chance(0.4)) return [write];
      return luck.chance(0.5) ? torn(write, luck) : [];
    });
  }

  close(): void {
    closeSync(this.#log);
  }

  #apply(file: string, operations: readonly DiskOperation[], partsOf: (write: Writing) => Iterable<Writing>): void {
    const disk = openSync(file, "r+");
    try {
      for (const operation of operations) {
        if (operation.type === "flush") continue;
        for (const part of partsOf(operation)) {
          if (part.type === "zeros") writeZeros(disk, part.offset, part.length);
          else writeSync(disk, readFrom(this.#log, part.at, part.length), 0, part.length, part.offset);
        }
      }
    } finally {
      closeSync(disk);
    }
  }
}

/** Those of a write's sectors that reached the disk. Of large zeros the first ones: nobody tells them apart. */
function* torn(write: Writing, luck: SeededRandom): Generator<Writing, void, void> {
  if (write.type === "zeros") return yield { ...write, length: luck.below(write.length / SECTOR + 1) * SECTOR };
  for (let at = 0; at < write.length; at += SECTOR) {
    if (luck.chance(0.5)) yield { ...write, offset: write.offset + at, at: write.at + at, length: Math.min(SECTOR, write.length - at) };
  }
}
