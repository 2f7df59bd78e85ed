import { existsSync } from "node:fs";
import { join } from "node:path";
/** A file of the shared material beside the project, or `undefined` where it is not there. */
export function sharedPath(relative: string): string | undefined {
  const path = join(import.meta.dirname, "../../../shared", relative);
  return existsSync(path) ? path : undefined;
}
