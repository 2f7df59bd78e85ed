// What browsers load: the page's own code and style, and the terminal as a chunk of its own.

import type { BuildOptions } from "esbuild";
import { ROOT } from "./entry-points.ts";

/** Each becomes `dist/web/NAME`. */
export const PAGE_ENTRY_POINTS: readonly string[] = ["src/web/page/operate.ts", "src/web/page/operate.css"];

export const PAGE_OPTIONS = {
  absWorkingDir: ROOT,
  entryPoints: [...PAGE_ENTRY_POINTS],
  bundle: true,
  platform: "browser",
  target: "es2022",
  format: "esm",
  splitting: true,
  minify: true,
  entryNames: "[name]",
  chunkNames: "chunk-[hash]",
  metafile: true,
} as const satisfies BuildOptions;
