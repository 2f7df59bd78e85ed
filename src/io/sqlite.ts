import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";

/** Opens or makes a SQLite file. Beside a bundle the native module is found by its name; from source the package finds it. */
export function openDatabase(path: string): Database.Database {
  const besideBundle = join(import.meta.dirname, "better_sqlite3.node");
  return new Database(path, existsSync(besideBundle) ? { nativeBinding: besideBundle, timeout: 0 } : { timeout: 0 });
}

/** SQLite's name of what went wrong: `SQLITE_FULL`, `SQLITE_IOERR_WRITE`, …; `undefined` if it was not SQLite. */
export const sqliteCode = (error: unknown): string | undefined =>
  error instanceof Database.SqliteError ? error.code : undefined;

/** SQLite found nothing wrong, but what it read cannot have been written. */
export class DamagedDatabaseError extends Error {
  override readonly name = "DamagedDatabaseError";
}

/** Whether the file itself is not, or no longer, a whole database. */
export const isDamage = (error: unknown): boolean => {
  if (error instanceof DamagedDatabaseError) return true;
  const code = sqliteCode(error);
  return code !== undefined && (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB");
};

/** Codes that tell of the world around a file: the disk, its room, its rights, other processes. */
const OF_THE_WORLD = ["SQLITE_IOERR", "SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_INTERRUPT"];

/** Whether SQLite could not make sense of a file although all it was asked is right: a header or a schema in which a bit has flipped. */
export const isMisread = (error: unknown): boolean => {
  const code = sqliteCode(error);
  return code !== undefined && !OF_THE_WORLD.some((name) => code.startsWith(name));
};

/** Whether the disk itself failed: what it was told to keep before may be lost as well, whatever it says from now on. */
export const isDiskFault = (error: unknown): boolean => sqliteCode(error)?.startsWith("SQLITE_IOERR") === true;

/** In plain words, for the operator. */
export function describeSqlite(error: unknown): string {
  const code = sqliteCode(error) ?? "";
  if (code === "SQLITE_FULL") return "the disk is full";
  if (code.startsWith("SQLITE_READONLY")) return "the file system is read-only";
  if (code.startsWith("SQLITE_IOERR")) return "the disk reported an error";
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") return "the database file is damaged";
  if (code === "SQLITE_BUSY") return "another process holds the database";
  return error instanceof Error ? error.message : String(error);
}
