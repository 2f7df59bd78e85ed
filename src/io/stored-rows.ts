// One database of stored rows. Each row carries a checksum over its key and its value, because a flash
// cell that has changed its mind must not spread to the neighbors: such a row is set aside when it is read,
// at the start or by the scrub, and comes back from memory or from a neighbor.

import { accessSync, constants, existsSync, renameSync } from "node:fs";
import type Database from "better-sqlite3";
import type { StoredRow } from "../overlay/ports.ts";
import { bringUpToDate } from "./database-format.ts";
import { checksumOf } from "./row-checksum.ts";
import { DamagedDatabaseError, isDamage, isMisread, openDatabase, sqliteCode } from "./sqlite.ts";
import { commitFrames } from "./write-ahead-log.ts";

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
  /** Rows that were on disk but not as they were written; they are set aside. */
  readonly damaged: readonly RowKey[];
  /** Commits that were lost because the log was damaged in its middle. */
  readonly lostCommits: number;
  /** Where a file that is no database any more was put. */
  readonly movedTo: string | undefined;
}

/** What one step of the scrub found. */
export interface Scrubbed {
  readonly damaged: readonly RowKey[];
  /** Where to go on; `undefined`: that was the last row. */
  readonly next: RowKey | undefined;
}

/** A checkpoint of 4,000 pages (16 MiB): a longer log is faster to write and longer to read at start. */
const CHECKPOINT_PAGES = 4_000;

/** Damaged rows kept for whoever wants to look; above, the oldest makes room. */
const MAX_SET_ASIDE = 256;

const COLUMNS = "resource, kind, key, stored, checksum";
const BEFORE_ALL: RowKey = { resource: "" as StoredRow["resource"], kind: -1, key: "" };

export class StoredRows {
  readonly #path: string;
  /** FULL: a commit is on disk when it returns. NORMAL: a power cut may take the last commits. */
  readonly #synchronous: "FULL" | "NORMAL";
  #database: Database.Database | undefined;
  #commit: ((changes: readonly Change[]) => void) | undefined;
  #read: Database.Statement<[string, number, string], DiskRow> | undefined;

  constructor(path: string, synchronous: "FULL" | "NORMAL") {
    this.#path = path;
    this.#synchronous = synchronous;
  }

  /** Opens the file, proves it whole and reads all of it. A damaged file is moved aside; what could be read of it is kept. */
  open(): Loaded {
    const saved: StoredRow[] = [];
    try {
      return { ...this.#load(saved, "NORMAL"), movedTo: undefined };
    } catch (error) {
      if (!this.#isDamaged(error)) return this.#openWithoutRoom(error);
      const movedTo = this.#moveAside();
      this.#load([], "NORMAL");
      this.commit(saved.map((put) => ({ put })));
      return { rows: saved, damaged: [], lostCommits: 0, movedTo };
    }
  }

  /** On a full disk there is no room for the file that connections share; a connection that is alone needs none. */
  #openWithoutRoom(cause: unknown): Loaded {
    this.close();
    if (!existsSync(this.#path)) throw cause;
    return { ...this.#load([], "EXCLUSIVE"), movedTo: undefined };
  }

  /** All or nothing; throws what SQLite throws, or that the file is not open. */
  commit(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    if (this.#commit === undefined) throw new Error("the database is not open");
    this.#commit(changes);
  }

  /** What is on disk at this place, if it is as it was written. */
  read({ resource, kind, key }: RowKey): Uint8Array | undefined {
    const row = this.#read?.get(resource, kind, key);
    return row !== undefined && isWhole(row) ? row.stored : undefined;
  }

  /** Reads up to `count` rows behind a place and sets aside those that are not as they were written. */
  scrub(behind: RowKey | undefined, count: number): Scrubbed {
    const database = this.#database;
    if (database === undefined) return { damaged: [], next: undefined };
    const { resource, kind, key } = behind ?? BEFORE_ALL;
    const rows = database
      .prepare<[string, number, string, number], DiskRow>(`SELECT ${COLUMNS} FROM stored WHERE (resource, kind, key) > (?, ?, ?) ORDER BY resource, kind, key LIMIT ?`)
      .all(resource, kind, key, count);
    const damaged = rows.filter((row) => !isWhole(row));
    this.#setAside(damaged);
    const last = rows.at(-1);
    return { damaged: damaged.map(keyOf), next: last === undefined || rows.length < count ? undefined : keyOf(last) };
  }

  /** A copy of the whole file beside it; returns its path. Throws what SQLite throws. */
  copyAside(): string {
    let number = 1;
    while (existsSync(`${this.#path}.away-${number}`)) number++;
    const path = `${this.#path}.away-${number}`;
    this.#database?.prepare("VACUUM INTO ?").run(path);
    return path;
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#commit = undefined;
    this.#read = undefined;
  }

  #load(rows: StoredRow[], locking: "NORMAL" | "EXCLUSIVE"): Omit<Loaded, "movedTo"> {
    // The last commit of a log may be torn by a power cut: it was never acknowledged. With NORMAL it may be many.
    const commits = this.#synchronous === "FULL" ? commitFrames(`${this.#path}-wal`) : [];
    const database = openDatabase(this.#path);
    this.#database = database;
    database.pragma(`locking_mode = ${locking}`);
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${this.#synchronous}`);
    database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    const read = framesRead(database);
    const lostCommits = commits.filter((frame) => frame > read).length;
    bringUpToDate(database);
    this.#prepare(database);
    const damaged: DiskRow[] = [];
    for (const row of database.prepare<[], DiskRow>(`SELECT ${COLUMNS} FROM stored`).iterate()) {
      if (isWhole(row)) rows.push(toStoredRow(row));
      else damaged.push(row);
    }
    const verdict = database.pragma("integrity_check(1)", { simple: true });
    if (verdict !== "ok") throw new DamagedDatabaseError(String(verdict));
    // A bit in the header can make it a file that may only be read: better known now than at the first write.
    database.exec("BEGIN; DELETE FROM stored WHERE resource = ''; ROLLBACK");
    this.#setAside(damaged);
    return { rows, damaged: damaged.map(keyOf), lostCommits: lostCommits > 1 ? lostCommits : 0 };
  }

  /** What no file of ours says while the disk itself works. */
  #isDamaged(error: unknown): boolean {
    if (isDamage(error) || isMisread(error)) return true;
    return sqliteCode(error)?.startsWith("SQLITE_READONLY") === true && this.#mayWrite();
  }
  #mayWrite(): boolean {
    try {
      accessSync(this.#path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  /** On a disk that takes nothing they stay where they are, and are found again. */
  #setAside(damaged: readonly DiskRow[]): void {
    try {
      this.#moveRowsAside(damaged);
    } catch (error) {
      if (isDamage(error) || isMisread(error)) throw error;
    }
  }
  #moveRowsAside(damaged: readonly DiskRow[]): void {
    const database = this.#database;
    if (database === undefined || damaged.length === 0) return;
    const keep = database.prepare("INSERT INTO set_aside VALUES (?, ?, ?, ?, ?)");
    const remove = database.prepare("DELETE FROM stored WHERE resource = ? AND kind = ? AND key = ?");
    database.transaction(() => {
      for (const row of damaged) {
        const { resource, kind, key } = keyOf(row);
        keep.run(resource, kind, key, row.stored, row.checksum);
        // A row that is not found under its own name lies where it does not belong.
        if (remove.run(resource, kind, key).changes !== 1) throw new DamagedDatabaseError("a row out of its place");
      }
      database.prepare("DELETE FROM set_aside WHERE rowid <= (SELECT max(rowid) FROM set_aside) - ?").run(MAX_SET_ASIDE);
    })();
  }

  #prepare(database: Database.Database): void {
    const put = database.prepare(
      `INSERT INTO stored (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET stored = excluded.stored, checksum = excluded.checksum`,
    );
    const remove = database.prepare("DELETE FROM stored WHERE resource = ? AND kind = ? AND key = ?");
    this.#read = database.prepare(`SELECT ${COLUMNS} FROM stored WHERE resource = ? AND kind = ? AND key = ?`);
    this.#commit = database.transaction((changes: readonly Change[]) => {
      for (const change of changes) {
        if ("remove" in change) {
          remove.run(change.remove.resource, change.remove.kind, change.remove.key);
        } else {
          const { resource, kind, key, stored } = change.put;
          put.run(resource, kind, key, stored, checksumOf(resource, kind, key, stored));
        }
      }
    });
  }

  /** The file itself first: a log without its file is thrown away by SQLite, not played into the next one. */
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

const isWhole = ({ resource, kind, key, stored, checksum }: DiskRow): boolean =>
  stored instanceof Uint8Array && typeof resource === "string" && typeof key === "string" && checksumOf(resource, kind, key, stored) === checksum;

/** Throws `DamagedDatabaseError` if a row cannot even be named, as where the end of a file is missing: such a file is not mended row by row. */
function keyOf({ resource, kind, key }: DiskRow): RowKey {
  if (typeof resource !== "string" || typeof kind !== "number" || typeof key !== "string") throw new DamagedDatabaseError("rows without keys");
  return { resource: resource as StoredRow["resource"], kind, key };
}

/** Frames of the log that SQLite took for good when it opened the file. */
function framesRead(database: Database.Database): number {
  const answer: unknown = database.prepare("PRAGMA wal_checkpoint(NOOP)").get();
  const log = typeof answer === "object" && answer !== null && "log" in answer ? Number(answer.log) : 0;
  return Math.max(0, log);
}

/** The border at which what lies on disk becomes a row again: only rows with a right checksum get past. */
function toStoredRow({ resource, kind, key, stored }: DiskRow): StoredRow {
  return { resource: resource as StoredRow["resource"], kind, key, stored: Uint8Array.from(stored) };
}
