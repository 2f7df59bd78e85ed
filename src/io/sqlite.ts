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
