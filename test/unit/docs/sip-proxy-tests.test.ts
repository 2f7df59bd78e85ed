import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sharedPath } from "../../support/shared.ts";
import { ROOT } from "../../support/source-tree.ts";

const page = readFileSync(join(ROOT, "docs/sip-proxy-tests.md"), "utf8");
const rows = page.split("\n").flatMap((line) => {
  const [, name = "", here = ""] = /^\| (test\w+) \| (.+) \|$/.exec(line) ?? [];
  return name === "" ? [] : [{ name, here }];
});

/** Where a test named on the page lies. */
function fileOf(name: string): string {
  const folders = ["test/unit/sip", "test/conformance/sip-transactions"];
  const found = folders.map((folder) => join(ROOT, folder, `${name}.test.ts`)).find(existsSync);
  return found ?? assert.fail(`no file ${name}.test.ts`);
}

test("each row names a test that there is, or says why there is none", () => {
  for (const { name, here } of rows) {
    if (here.startsWith("waived: ")) continue;
    const [, file = "", title = ""] = /^`([^`]+)`: "([^"]+)"/.exec(here) ?? assert.fail(`${name}: ${here}`);
    assert.ok(readFileSync(fileOf(file), "utf8").includes(title), `${name}: no test "${title}" in ${file}`);
  }
});

test("the page counts its rows", () => {
  const waived = rows.filter(({ here }) => here.startsWith("waived: ")).length;
  assert.ok(page.includes(`${rows.length - waived} are covered, ${waived} waived.`));
});

test("no name is missing and none stands twice", (t) => {
  const list = sharedPath("reference/tfm-tests.txt");
  if (list === undefined) return t.skip("the names are in ../shared/reference, which is not here");
  const names = new Set(readFileSync(list, "utf8").split("\n").filter((line) => line !== ""));
  assert.deepEqual(rows.map(({ name }) => name), [...names]);
});
