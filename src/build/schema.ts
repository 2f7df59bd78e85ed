// Writes docs/schema/*.json from the schemas of the `--json` output. A test holds the files to them.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { OUTPUT_SCHEMAS } from "../cli/schemas.ts";

const FOLDER = join(import.meta.dirname, "../../docs/schema");

/** Content of each schema file, by its name. Fields that a later version adds are allowed. */
export function schemaFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [name, schema] of Object.entries(OUTPUT_SCHEMAS)) {
    const document = { title: `ringbox ${name.replace("-", " ")} --json`, ...z.toJSONSchema(schema, { io: "input" }) };
    files.set(`${name}.json`, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  return files;
}

if (import.meta.main) {
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, content] of schemaFiles()) writeFileSync(join(FOLDER, name), content);
}
