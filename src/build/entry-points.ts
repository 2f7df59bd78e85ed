// What is bundled, and how: shared by the build and by the test that walks what it ships.

import { join } from "node:path";
import type { BuildOptions } from "esbuild";

export const ROOT = join(import.meta.dirname, "../..");

/** Each becomes `dist/NAME.mjs`. */
export const ENTRY_POINTS: readonly string[] = ["src/ringboxd.ts", "src/ringbox.ts", "src/agent.ts", "src/io/store-worker.ts", "src/io/agent/inventory-worker.ts"];

/** Bundled CommonJS packages call `require` and read `__dirname`, which modules do not have. */
const BANNER = [
  'import { createRequire as __createRequire } from "node:module";',
  "const require = __createRequire(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

export const BUNDLE_OPTIONS = {
  absWorkingDir: ROOT,
  entryPoints: [...ENTRY_POINTS],
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  splitting: true,
  // ECMAScript modules before CommonJS: a dynamic import of a bundled CommonJS module has no named exports.
  mainFields: ["module", "main"],
  outExtension: { ".js": ".mjs" },
  entryNames: "[name]",
  chunkNames: "chunk-[hash]",
  sourcemap: true,
  // Not minified: a stack trace of a box in the field must be readable.
  minify: false,
  banner: { js: BANNER },
  metafile: true,
} as const satisfies BuildOptions;
