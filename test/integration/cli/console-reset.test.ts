// The box's own screen as a program, a key held at its keyboard.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import { ROOT } from "../../support/source-tree.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** Keys typed, and all that was shown so far. */
function openScreen(t: TestContext, folder: string, environment: Readonly<Record<string, string>>) {
  const screen = spawn(process.execPath, [join(ROOT, "src/ringbox.ts"), "--data", folder, "console"], { env: { PATH: process.env["PATH"], TERM: "linux", ...environment }, stdio: ["pipe", "pipe", "ignore"] });
  t.after(() => screen.kill());
  let shown = "";
  screen.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  return { type: (keys: string) => screen.stdin.write(keys), shown: () => shown };
}

test("the key r, held at the screen of a box made from the image, wishes for a factory reset", async (t) => {
  const folder = temporaryDirectory(t);
  const { type, shown } = openScreen(t, folder, { RUNTIME_DIRECTORY: folder });
  await until("the wish is there", PATIENCE, () => {
    type("r");
    assert.ok(existsSync(join(folder, "factory-reset")), shown());
  });
});

test("no other terminal offers it", async (t) => {
  const { shown } = openScreen(t, temporaryDirectory(t), {});
  await until("the keys are shown", PATIENCE, () => assert.match(shown(), /prove now/));
  assert.doesNotMatch(shown(), /reset|forgets/);
});
