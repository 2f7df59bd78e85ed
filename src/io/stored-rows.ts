// One database of stored rows. Each row carries a checksum over its key and its value, because a flash
// cell that has changed its mind must not spread to the neighbors.

import { existsSync, renameSync } from "node:fs";
import { crc32 } from "node:zlib";
import type Database from "better-sqlite3";
import type { StoredRow } from "../overlay/ports.ts";
import { DamagedDatabaseError, isDamage, openDatabase } from "./sqlite.ts";

export type RowKey = Omit<StoredRow, "stored">;
export type Change = { readonly put: StoredRow } | { readonly remove: RowKey };

interface DiskRow {
  readonly resource: string;
  readonly kind: number;
  readonly key: string;
  readonly stored: Uint8Array;
  readonly checksum: number;
}

export interface Loaded {
  readonly rows: readonly StoredRow[];
  /** Rows that were on disk but not as they were written; they are gone. */
  readonly damagedRows: number;
  /** Where a file that is no database any more was put. */
  readonly movedTo: string | undefined;
}

/** A checkpoint of 4,000 pages (16 MiB): a longer log is faster to write and longer to read at start. */
const CHECKPOINT_PAGES = 4_000;

export class StoredRows {
  readonly #path: string;
  /** FULL: a commit is on disk when it returns. NORMAL: a power cut may take the last commits. */
  readonly #synchronous: "FULL" | "NORMAL";
  #database: Database.Database | undefined;
  #commit: ((changes: readonly Change[]) => void) | undefined;

  constructor(path: string, synchronous: "FULL" | "NORMAL") {
    this.#path = path;
    this.#synchronous = synchronous;
  }

  /** Opens the file and reads all of it. A damaged file is moved aside; what could be read of it is kept. */
  open(): Loaded {
    const saved: StoredRow[] = [];
    try {
      return { ...this.#load(saved, "NORMAL"), movedTo: undefined };
    } catch (error) {
      if (!isDamage(error)) return this.#openWithoutRoom(error);
      const movedTo = this.#moveAside();
      this.#load([], "NORMAL");
      this.commit(saved.map((put) => ({ put })));
      return { rows: saved, damagedRows: 0, movedTo };
    }
  }

  /** On a full disk there is no room for the file that connections share; a connection that is alone needs none. */
  #openWithoutRoom(cause: unknown): Loaded {
    this.close();
    if (!existsSync(this.#path)) throw cause;
    return { ...this.#load([], "EXCLUSIVE"), movedTo: undefined };
  }

  /** All or nothing; throws what SQLite throws. */
  commit(changes: readonly Change[]): void {
    if (changes.length > 0) this.#commit?.(changes);
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#commit = undefined;
  }

  #load(rows: StoredRow[], locking: "NORMAL" | "EXCLUSIVE"): { readonly rows: readonly StoredRow[]; readonly damagedRows: number } {
    const database = openDatabase(this.#path);
    this.#database = database;
    database.pragma(`locking_mode = ${locking}`);
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${this.#synchronous}`);
    database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    database.exec(
      `CREATE TABLE IF NOT EXISTS stored (
         resource TEXT NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, stored BLOB NOT NULL, checksum INTEGER NOT NULL,
         PRIMARY KEY (resource, kind, key)) WITHOUT ROWID`,
    );
    this.#prepare(database);
    const damaged: RowKey[] = [];
    for (const row of database.prepare<[], DiskRow>("SELECT resource, kind, key, stored, checksum FROM stored").iterate()) {
      if (isWhole(row)) rows.push(toStoredRow(row));
      else damaged.push(keyOf(row));
    }
    this.commit(damaged.map((remove) => ({ remove })));
    return { rows, damagedRows: damaged.length };
  }

  #prepare(database: Database.Database): void {
    const put = database.prepare(
      `INSERT INTO stored VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET stored = excluded.stored, checksum = excluded.checksum`,
    );
    const remove = database.prepare("DELETE FROM stored WHERE resource = ? AND kind = ? AND key = ?");
    this.#commit = database.transaction((changes: readonly Change[]) => {
      for (const change of changes) {
        if ("remove" in change) {
          remove.run(change.remove.resource, change.remove.kind, change.remove.key);
        } else {
          const { resource, kind, key, stored } = change.put;
          put.run(resource, kind, key, stored, checksumOf(change.put));
        }
      }
    });
  }

  #moveAside(): string {
    this.close();
    let number = 1;
    while (existsSync(`${this.#path}.corrupt-${number}`)) number++;
    const movedTo = `${this.#path}.corrupt-${number}`;
    for (const suffix of ["", "-wal", "-shm"]) {
      if (existsSync(this.#path + suffix)) renameSync(this.#path + suffix, movedTo + suffix);
    }
    return movedTo;
  }
}

const checksumOf = ({ resource, kind, key, stored }: StoredRow): number => crc32(stored, crc32(`${resource}|${kind}|${key}|`));

function isWhole(row: DiskRow): boolean {
  return row.stored instanceof Uint8Array && typeof row.resource === "string" && typeof row.key === "string" && checksumOf(toStoredRow(row)) === row.checksum;
}

/** Throws `DamagedDatabaseError` if a row cannot even be named, as where the end of a file is missing: such a file is not mended row by row. */
function keyOf({ resource, kind, key }: DiskRow): RowKey {
  if (typeof resource !== "string" || typeof kind !== "number" || typeof key !== "string") throw new DamagedDatabaseError("rows without keys");
  return { resource: resource as StoredRow["resource"], kind, key };
}

/** The border at which what lies on disk becomes a row again: only rows with a right checksum get past. */
function toStoredRow({ resource, kind, key, stored }: DiskRow): StoredRow {
  return { resource: resource as StoredRow["resource"], kind, key, stored: Uint8Array.from(stored) };
}
