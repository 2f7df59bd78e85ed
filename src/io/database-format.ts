// The tables of a box's databases, and what older files are made into. What counts is the shape of the
// tables; the number in the file is for a file that a newer program wrote: a flipped bit there must not
// keep a box from starting.

import type Database from "better-sqlite3";
import { checksumOf } from "./row-checksum.ts";
import { DamagedDatabaseError, isMisread } from "./sqlite.ts";

/** 1: rows without a checksum. 2: each row with one. 3: and a table of those that were damaged. */
const VERSION = 3;

/** The message is a sentence for the operator. */
export class NewerDatabaseError extends Error {
  override readonly name = "NewerDatabaseError";
}

const STORED = `CREATE TABLE stored (
  resource TEXT NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, stored BLOB NOT NULL, checksum INTEGER NOT NULL,
  PRIMARY KEY (resource, kind, key)) WITHOUT ROWID`;
/** Columns without a type: what was read is kept as it was read. */
const SET_ASIDE = "CREATE TABLE set_aside (resource, kind, key, stored, checksum)";

const KEYS = "resource TEXT 1 1,kind INTEGER 1 2,key TEXT 1 3,stored BLOB 1 0";
const SHAPES = {
  stored: `${KEYS},checksum INTEGER 1 0,without rowid`,
  "stored without checksums": `${KEYS},without rowid`,
  set_aside: "resource  0 0,kind  0 0,key  0 0,stored  0 0,checksum  0 0",
} as const;

/** Makes the tables, or brings them up to date. Throws `DamagedDatabaseError` or `NewerDatabaseError` if they are neither ours nor anything that was. */
export function bringUpToDate(database: Database.Database): void {
  const found = shapes(database);
  const { stored, set_aside: aside, ...others } = found;
  const isFresh = Object.keys(found).length === 0 && pragma(database, "page_count") <= 1;
  const isKnown = (stored === SHAPES.stored || stored === SHAPES["stored without checksums"]) && (aside === undefined || aside === SHAPES.set_aside);
  if (!isFresh && (!isKnown || Object.keys(others).length > 0)) throw misfit(pragma(database, "user_version"));
  if (stored === SHAPES.stored && aside !== undefined && pragma(database, "user_version") === VERSION) return;
  try {
    database.transaction(() => {
      if (stored === undefined) database.exec(STORED);
      else if (stored !== SHAPES.stored) addChecksums(database);
      if (aside === undefined) database.exec(SET_ASIDE);
      database.pragma(`user_version = ${VERSION}`);
    })();
  } catch (error) {
    // On a full disk version 2 does as well, until the next start.
    if (stored !== SHAPES.stored || isMisread(error)) throw error;
  }
}

const misfit = (version: number): Error =>
  version > VERSION
    ? new NewerDatabaseError(`a newer version of Ringbox wrote it (format ${version}, this one knows ${VERSION})`)
    : new DamagedDatabaseError("tables that no version of this program makes");

function shapes(database: Database.Database): Readonly<Record<string, string>> {
  const names = database.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type <> 'table' OR name NOT LIKE 'sqlite_stat%'").pluck().all();
  return Object.fromEntries(names.map((name) => [name, shapeOf(database, name)]));
}

function shapeOf(database: Database.Database, table: string): string {
  const columns = database
    .prepare<[string], { name: string; type: string; notnull: number; pk: number }>('SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?)')
    .all(table)
    .map(({ name, type, notnull, pk }) => `${name} ${type} ${notnull} ${pk}`);
  const isWithoutRowid = database.prepare<[string], number>("SELECT wr FROM pragma_table_list WHERE name = ?").pluck().get(table) === 1;
  return [...columns, ...(isWithoutRowid ? ["without rowid"] : [])].join();
}

const pragma = (database: Database.Database, name: string): number => Number(database.pragma(name, { simple: true }));

/** From version 1. What was flipped before nobody can tell; from here on it will be noticed. */
function addChecksums(database: Database.Database): void {
  database.exec("ALTER TABLE stored RENAME TO unchecked");
  database.exec(STORED);
  database.function("row_checksum", { deterministic: true }, (resource: unknown, kind: unknown, key: unknown, stored: unknown) =>
    checksumOf(String(resource), Number(kind), String(key), stored instanceof Uint8Array ? stored : new Uint8Array(0)),
  );
  database.exec("INSERT INTO stored SELECT resource, kind, key, stored, row_checksum(resource, kind, key, stored) FROM unchecked; DROP TABLE unchecked");
}
