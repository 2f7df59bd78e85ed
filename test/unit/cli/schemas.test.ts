import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { schemaFiles } from "../../../src/build/schema.ts";
import { OUTPUT_SCHEMAS } from "../../../src/cli/schemas.ts";
import { VERSION } from "../../../src/cli/version.ts";

const ROOT = join(import.meta.dirname, "../../..");

suite("documented output", () => {
  test("docs/schema is what the schemas say (npm run schema writes it)", () => {
    const files = schemaFiles();
    assert.deepEqual(readdirSync(join(ROOT, "docs/schema")).sort(), [...files.keys()].sort());
    for (const [name, content] of files) assert.equal(readFileSync(join(ROOT, "docs/schema", name), "utf8"), content, name);
  });

  test("docs/json.md names every schema file", () => {
    const page = readFileSync(join(ROOT, "docs/json.md"), "utf8");
    for (const name of Object.keys(OUTPUT_SCHEMAS)) assert.ok(page.includes(`schema/${name}.json`), name);
  });

  test("the version is that of package.json", () => {
    assert.equal(VERSION, JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version);
  });
});
