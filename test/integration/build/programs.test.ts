// The programs as they are shipped: dist/ringbox and dist/ringboxd, started as an operator starts them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { spawn } from "node-pty";
import { newSubscriber } from "../../../src/cli/credentials.ts";
import { VERSION } from "../../../src/cli/version.ts";
import { FakeBox } from "../../support/fake-box.ts";
import { ROOT } from "../../support/source-tree.ts";

const DIST = join(ROOT, "dist");
const skip = existsSync(join(DIST, "ringbox")) ? false : "needs dist/, which `npm run build` makes";

function emptyFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ringbox-programs-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

suite("programs", { skip }, () => {
  test("run from any directory, through a symbolic link", (t) => {
    const folder = emptyFolder(t);
    for (const program of ["ringbox", "ringboxd"]) {
      symlinkSync(join(DIST, program), join(folder, program));
      const run = spawnSync(`./${program}`, ["--version"], { cwd: folder, encoding: "utf8" });
      assert.equal(run.stdout, `${VERSION}\n`, run.stderr);
    }
  });

  test("run on the Node of the lock file", () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
    const run = spawnSync(join(DIST, "node"), ["--version"], { encoding: "utf8" });
    assert.equal(run.stdout, `v${packages[`node_modules/node-linux-${process.arch}`].version}\n`);
  });

  test("say in one line what is wrong, with exit status 1 or 2", (t) => {
    const folder = emptyFolder(t);
    const cases = [
      { program: "ringbox", args: ["--data", folder, "status"], status: 1 },
      { program: "ringbox", args: ["explode"], status: 2 },
      { program: "ringboxd", args: ["--sip-port", "x", "--data", folder], status: 2 },
      { program: "ringboxd", args: [], status: 2 },
    ];
    for (const { program, args, status } of cases) {
      const run = spawnSync(join(DIST, program), args, { cwd: folder, encoding: "utf8" });
      assert.equal(run.status, status, run.stderr);
      assert.match(run.stderr, new RegExp(`^${program}: [^\\n]+\\n$`));
      assert.equal(run.stdout, "");
    }
  });

  test("a built dist is left alone while nothing has changed", () => {
    const before = statSync(join(DIST, "build.json")).mtimeMs;
    const run = spawnSync(process.execPath, [join(ROOT, "src/build/bundle.ts")], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.stderr, "");
    assert.equal(statSync(join(DIST, "build.json")).mtimeMs, before);
  });

  test("a password typed at the prompt is not echoed", async (t) => {
    const box = await new FakeBox().start();
    t.after(() => box.stop());
    const { shown, status } = await typed(["--data", box.directory, "subscriber", "add", "100"], [
      { after: "Password for 100", keys: "hunter2\r" },
      { after: "The same again", keys: "hunter2\r" },
    ]);
    assert.equal(status, 0, shown);
    assert.ok(!shown.includes("hunter"), shown);
    assert.deepEqual(box.subscribers.get("100"), newSubscriber("100", "acme.example", "hunter2", ""));
  });

  test("control-C at the prompt changes nothing", async (t) => {
    const box = await new FakeBox().start();
    t.after(() => box.stop());
    const { shown, status } = await typed(["--data", box.directory, "subscriber", "add", "100"], [{ after: "Password for 100", keys: "hun\u0003" }]);
    assert.equal(status, 1, shown);
    assert.match(shown, /nothing was changed/);
    assert.equal(box.subscribers.size, 0);
  });
});

interface Typing {
  /** What must be on the screen before the keys are pressed. */
  readonly after: string;
  readonly keys: string;
}

/** Runs `ringbox` at a terminal and types at it. */
function typed(args: readonly string[], typings: readonly Typing[]): Promise<{ readonly shown: string; readonly status: number }> {
  const terminal = spawn(join(DIST, "ringbox"), [...args], { cols: 120, rows: 30 });
  const waiting = [...typings];
  let shown = "";
  return new Promise((resolve) => {
    terminal.onData((text) => {
      shown += text;
      const next = waiting[0];
      if (next === undefined || !shown.includes(next.after)) return;
      waiting.shift();
      terminal.write(next.keys);
    });
    terminal.onExit(({ exitCode }) => resolve({ shown, status: exitCode }));
  });
}
