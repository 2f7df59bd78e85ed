import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Replaces a file so that after a power cut there is the old content or the new one, never a part. */
export function replaceFile(path: string, content: string | Uint8Array, mode: number): void {
  const fresh = `${path}.new`;
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  rmSync(fresh, { force: true }); // left by a crash, perhaps with another mode
  const file = openSync(fresh, "wx", mode);
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
  syncDirectory(dirname(path));
}

/** A rename is only on disk when the directory is. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
