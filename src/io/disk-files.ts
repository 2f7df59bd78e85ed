// A disk and a boot folder as the operating system shows them, for the slot writer.

import { closeSync, fsyncSync, openSync, readdirSync, readSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { syncDirectory } from "./replace-file.ts";
import type { BootFolder, Disk } from "./slot-writer.ts";
import { writeFully } from "./update-bundle.ts";

/** A block device, or a file that holds a disk. */
export class DiskFile implements Disk {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "r+");
  }
  read(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(this.#file, bytes, 0, length, position));
  }
  write(bytes: Uint8Array, position: number): void {
    writeFully(this.#file, bytes, position);
  }
  sync(): void {
    fsyncSync(this.#file);
  }
  close(): void {
    closeSync(this.#file);
  }
}

export class BootDirectory implements BootFolder {
  readonly #path: string;
  /** Written and not synced. BOUNDED: one file at a time is written here. */
  readonly #open = new Map<string, number>();

  constructor(path: string) {
    this.#path = path;
  }
  list(): readonly string[] {
    return readdirSync(this.#path);
  }
  remove(name: string): void {
    rmSync(join(this.#path, name));
  }
  write(name: string, bytes: Uint8Array, position: number): void {
    const file = this.#open.get(name) ?? openSync(join(this.#path, name), "wx", 0o700);
    this.#open.set(name, file);
    writeFully(file, bytes, position);
  }
  rename(from: string, to: string): void {
    renameSync(join(this.#path, from), join(this.#path, to));
    // FAT keeps where a file begins beside its name: the new name is empty on disk until the file itself is synced.
    this.#open.set(to, openSync(join(this.#path, to), "r"));
  }
  sync(): void {
    for (const file of this.#open.values()) fsyncSync(file);
    this.close();
    syncDirectory(this.#path);
  }
  close(): void {
    for (const file of this.#open.values()) closeSync(file);
    this.#open.clear();
  }
}
