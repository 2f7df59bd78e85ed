// Writes docs/schema/*.json from the schemas of the `--json` output and of the agent, and docs/conditions.md. A test holds the files to them.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { OUTPUT_SCHEMAS } from "../cli/schemas.ts";
import { CATALOGUE, CONDITION_CODES } from "../health/catalogue.ts";
import { AGENT_SCHEMAS } from "./report-schema.ts";

const FOLDER = join(import.meta.dirname, "../../docs/schema");

/** Content of each schema file, by its name. Fields that a later version adds are allowed. */
export function schemaFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [name, schema] of Object.entries(OUTPUT_SCHEMAS)) {
    const document = { title: `ringbox ${name.replace("-", " ")} --json`, ...z.toJSONSchema(schema, { io: "input" }) };
    files.set(`${name}.json`, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  for (const [path, schema] of Object.entries(AGENT_SCHEMAS)) {
    const document = { title: `GET /${path}`, ...z.toJSONSchema(schema, { io: "input" }) };
    files.set(`${path.replace("/", "-")}.json`, `${JSON.stringify(document, undefined, 2)}\n`);
  }
  return files;
}

/** Every condition, as docs/conditions.md has it. */
export function conditionsPage(): string {
  const rows = CONDITION_CODES.toSorted().map((code) => {
    const { severity, stopsCalls, dependsOn, visibleAfter } = CATALOGUE[code];
    const after = visibleAfter === 0 ? "at once" : `${visibleAfter / 1_000} s`;
    return `| \`${code}\` | ${severity} | ${stopsCalls === true ? "yes" : ""} | ${after} | ${dependsOn.map((cause) => `\`${cause}\``).join(", ")} |`;
  });
  return ["# Conditions", "", INTRODUCTION, "", "| code | severity | phones do not work | shown after | not shown beside |", "|---|---|---|---|---|", ...rows, ""].join("\n");
}

const INTRODUCTION =
  "What may be the matter with a box. One catalogue (`src/health/catalogue.ts`) gives the words to the page, the console,\n" +
  "`ringbox status`, the journal, the metrics and the webhook. `npm run schema` writes this page from it.";

if (import.meta.main) {
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, content] of schemaFiles()) writeFileSync(join(FOLDER, name), content);
  writeFileSync(join(FOLDER, "../conditions.md"), conditionsPage());
}
