// The captures that a technician made in the page's terminal, as text.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { captureText } from "./capture-text.ts";
import type { PackedFile } from "./tar.ts";

/** The last ones. */
const CAPTURES_MAX = 3;
const CAPTURE_MAX_BYTES = 67_108_864;

export function captureFiles(directory: string): PackedFile[] {
  const folder = join(directory, "captures");
  return namesIn(folder).slice(-CAPTURES_MAX).flatMap((name) => {
    const file = join(folder, name);
    const text = statSync(file).size > CAPTURE_MAX_BYTES ? undefined : captureText(readFileSync(file));
    return [{ name: `captures/${name}.txt`, content: text ?? "This capture cannot be read, or is too large.\n" }];
  });
}

/** Their names begin with their time. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\w+\.pcap$/.test(name)).sort();
  } catch {
    return []; // nobody captured anything
  }
}
