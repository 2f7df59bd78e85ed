// The compilers and the linter, as tests. `npm run check` runs the same by hand.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./support/source-tree.ts";

const CHECKS: Readonly<Record<string, readonly string[]>> = {
  "all code compiles": ["tsc", "-p", "tsconfig.json"],
  "the cores and the peer compile without Node and without a browser": ["tsc", "-p", "src/tsconfig.pure.json"],
  "what runs in the browser compiles without Node": ["tsc", "-p", "src/web/page/tsconfig.json"],
  "the linter has nothing to say": ["biome", "lint", "--error-on-warnings", "--colors=off"],
};

for (const [name, [command = "", ...args]] of Object.entries(CHECKS)) {
  test(name, () => {
    const run = spawnSync(process.execPath, [join(ROOT, "node_modules/.bin", command), ...args], { cwd: ROOT, encoding: "utf8" });
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}${run.error?.message ?? ""}`);
  });
}
