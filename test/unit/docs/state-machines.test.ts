import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stateMachines } from "../../../src/build/state-machines.ts";

test("docs/state-machines.md is what the tables say (npm run state-machines writes it)", () => {
  assert.equal(readFileSync(join(import.meta.dirname, "../../../docs/state-machines.md"), "utf8"), stateMachines());
});
