// The power goes: which bytes are on the disk? All that was synchronized; of the rest each write whole, in
// part (sectors of 512 bytes, any of them) or not at all, in any order; of the names that came and went in
// a directory, the first ones up to some point, unless the directory was synchronized.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { SeededRandom } from "../seeded-random.ts";
import type { Operation } from "./recording.ts";

const SECTOR = 512;

type Change = Extract<Operation, { type: "write" | "truncate" }>;
type Naming = { readonly name: string; readonly file: File | undefined; readonly gone?: string };

/** One file, whatever its name is now. */
interface File {
  synced: Uint8Array<ArrayBuffer>;
  /** BOUNDED: by what is written between two synchronizations. */
  unsynced: Change[];
}

export interface PowerCut {
  /** Operations that had begun. */
  readonly after: number;
  /** What the program had printed by then. */
  readonly said: readonly string[];
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The state of a disk after `after` operations and a cut; `luck` decides about what was not synchronized. */
export function cutPower(operations: readonly Operation[], after: number, luck: SeededRandom): PowerCut {
  const disk = new Disk();
  const said: string[] = [];
  for (const operation of operations.slice(0, after)) {
    disk.apply(operation);
    if (operation.type === "said") said.push(operation.line);
  }
  return { after, said, files: disk.survivors(luck) };
}

/** Lays the files of a cut into an empty directory. */
export function layOut({ files }: PowerCut, directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [path, content] of files) writeFileSync(join(directory, basename(path)), content);
}

class Disk {
  /** Names as the program sees them. */
  readonly #names = new Map<string, File>();
  readonly #syncedNames = new Map<string, File>();
  #unsyncedNames: Naming[] = [];

  apply(operation: Operation): void {
    switch (operation.type) {
      case "create":
        return this.#name({ name: operation.path, file: { synced: new Uint8Array(0), unsynced: [] } });
      case "unlink":
        return this.#name({ name: operation.path, file: undefined });
      case "rename":
        return this.#name({ name: operation.to, file: this.#names.get(operation.from), gone: operation.from });
      case "write":
      case "truncate":
        this.#names.get(operation.path)?.unsynced.push(operation);
        return;
      case "sync":
        return this.#sync(operation.path);
      case "said":
        return;
    }
  }

  survivors(luck: SeededRandom): ReadonlyMap<string, Uint8Array> {
    // Often nothing or everything of what was not synchronized; else a throw of the dice for each write.
    const mood = luck.fraction();
    const kept = mood < 0.2 ? 0 : mood < 0.3 ? this.#unsyncedNames.length : luck.below(this.#unsyncedNames.length + 1);
    const names = new Map(this.#syncedNames);
    for (const naming of this.#unsyncedNames.slice(0, kept)) rename(names, naming);
    const fate = (): "kept" | "torn" | "lost" => {
      if (mood < 0.2) return "lost";
      if (mood < 0.3) return "kept";
      return luck.chance(0.4) ? "kept" : luck.chance(0.5) ? "torn" : "lost";
    };
    return new Map([...names].map(([name, file]) => [name, contentAfter(file, fate, luck)]));
  }

  #name(naming: Naming): void {
    rename(this.#names, naming);
    this.#unsyncedNames.push(naming);
  }

  #sync(path: string): void {
    const file = this.#names.get(path);
    if (file === undefined) {
      for (const naming of this.#unsyncedNames) rename(this.#syncedNames, naming);
      this.#unsyncedNames = [];
      return;
    }
    for (const change of file.unsynced) file.synced = changed(file.synced, change);
    file.unsynced = [];
  }
}

function rename(names: Map<string, File>, { name, file, gone }: Naming): void {
  if (gone !== undefined) names.delete(gone);
  if (file === undefined) names.delete(name);
  else names.set(name, file);
}

function contentAfter(file: File, fate: () => "kept" | "torn" | "lost", luck: SeededRandom): Uint8Array {
  let content = file.synced.slice();
  for (const change of file.unsynced) {
    const what = fate();
    if (what === "kept" || (what === "torn" && change.type === "truncate")) content = changed(content, change);
    else if (what === "torn" && change.type === "write") for (const part of torn(change, luck)) content = changed(content, part);
  }
  return content;
}

/** Those of a write's sectors that reached the disk. */
function* torn(write: Extract<Change, { type: "write" }>, luck: SeededRandom): Generator<Change, void, void> {
  const end = write.offset + write.bytes.length;
  for (let from = write.offset; from < end; ) {
    const to = Math.min(end, (Math.floor(from / SECTOR) + 1) * SECTOR);
    if (luck.chance(0.5)) yield { ...write, offset: from, bytes: write.bytes.subarray(from - write.offset, to - write.offset) };
    from = to;
  }
}

/** The content with a change, in the same memory where that suffices. */
function changed(content: Uint8Array<ArrayBuffer>, change: Change): Uint8Array<ArrayBuffer> {
  if (change.type === "truncate") return resized(content, change.size);
  const end = change.offset + change.bytes.length;
  const grown = end > content.length ? resized(content, end) : content;
  grown.set(change.bytes, change.offset);
  return grown;
}

/** Of a buffer with room to grow, so that a log is not copied with each write. */
function resized(content: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (content.byteOffset === 0 && content.buffer.byteLength >= size) {
    const view = new Uint8Array(content.buffer, 0, size);
    if (size > content.length) view.fill(0, content.length);
    return view;
  }
  const copy = new Uint8Array(new ArrayBuffer(size * 2), 0, size);
  copy.set(content.subarray(0, size));
  return copy;
}
