import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { contentOf, filesMatching, ROOT } from "../../support/source-tree.ts";

interface Row {
  readonly value: string;
  readonly file: string;
  readonly name: string;
}

const ROWS: readonly Row[] = readFileSync(join(ROOT, "docs/limits.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    const [file, name] = (cells.at(-2) ?? "").split(" ");
    if (file?.startsWith("`src/") !== true || name === undefined) return [];
    return [{ value: cells[2] ?? "", file: file.slice(1, -1), name }];
  });

/** Named bounds, and bounded maps with a number of their own. */
const BOUND = /^ *(?:export )?const (MAX_\w+|\w+_MAX(?:_\w+)?|\w+_LIMIT)\b|(#?\w+) = new BoundedMap<.*>\(\d/;
/** Not bounds of a running box: what a person types, and the width of a column. */
const ELSEWHERE = ["src/cli/", "src/build/"];

test("every value in docs/limits.md is the one in the source", () => {
  assert.ok(ROWS.length > 100, `${ROWS.length} rows were read`);
  for (const { value, file, name } of ROWS) {
    const lines = contentOf(file).split("\n");
    const found = lines.some((line) => {
      const at = line.indexOf(name);
      const start = at < 0 ? -1 : line.indexOf(value, at);
      return start >= 0 && !/[\d_*]/.test(line.slice(start + value.length).trimStart().charAt(0));
    });
    assert.ok(found, `${file}: no line has ${name} with ${value}`);
  }
});

test("every named bound of the source is in docs/limits.md", () => {
  const listed = new Set(ROWS.map(({ file, name }) => `${file} ${name}`));
  for (const file of filesMatching("src/**/*.ts")) {
    if (ELSEWHERE.some((folder) => file.startsWith(folder))) continue;
    for (const line of contentOf(file).split("\n")) {
      const match = BOUND.exec(line);
      const name = match?.[1] ?? match?.[2];
      if (name !== undefined) assert.ok(listed.has(`${file} ${name}`), `${file} ${name} is not listed`);
    }
  }
});
