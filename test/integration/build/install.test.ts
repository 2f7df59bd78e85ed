// The installer against a stand-in for npm: when it calls it, when it does not, and what it says.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { ROOT } from "../../support/source-tree.ts";

const LOCK = {
  packages: {
    "": { name: "x" },
    "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
    "node_modules/elsewhere": { version: "1.0.0", integrity: "sha512-e", optional: true, cpu: ["mips"] },
  },
};

/** Does what npm would: writes the packages and the hidden lock, and counts its calls. */
const NPM = `#!/bin/sh
echo "$@" >> npm-calls
mkdir -p node_modules/a node_modules/node-linux-${process.arch}/bin
echo '{}' > node_modules/a/package.json
touch node_modules/node-linux-${process.arch}/bin/node
echo '{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"sha512-a"}}}' > node_modules/.package-lock.json
`;

function project(t: TestContext, npm = NPM) {
  const folder = mkdtempSync(join(tmpdir(), "ringbox-install-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "src/build"), { recursive: true });
  mkdirSync(join(folder, "bin"));
  copyFileSync(join(ROOT, "src/build/install.mjs"), join(folder, "src/build/install.mjs"));
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify(LOCK));
  writeFileSync(join(folder, "bin/npm"), npm);
  chmodSync(join(folder, "bin/npm"), 0o755);
  const install = () =>
    spawnSync(process.execPath, ["src/build/install.mjs"], { cwd: folder, encoding: "utf8", env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin` } });
  const calls = (): number => (existsSync(join(folder, "npm-calls")) ? readFileSync(join(folder, "npm-calls"), "utf8").split("\n").length - 1 : 0);
  return { folder, install, calls };
}

suite("install", () => {
  test("installs what is not there, once, and leaves alone what is right", (t) => {
    const { install, calls } = project(t);
    const first = install();
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stderr, /^Installing .*node_modules is not there/);
    const second = install();
    assert.equal(second.status, 0);
    assert.equal(second.stderr, "");
    assert.equal(calls(), 1);
  });

  test("puts the pinned Node where scripts find it, if npm did not", (t) => {
    const { folder, install, calls } = project(t);
    for (const expectedCalls of [1, 1]) {
      assert.equal(install().status, 0);
      assert.equal(calls(), expectedCalls);
      assert.ok(existsSync(join(folder, "node_modules/.bin/node")));
      rmSync(join(folder, "node_modules/.bin/node"));
    }
  });

  test("installs again when the lock has changed, a package is gone, or one is too many", (t) => {
    const { folder, install, calls } = project(t);
    install();
    rmSync(join(folder, "node_modules/a"), { recursive: true });
    install();
    assert.equal(calls(), 2);
    const hidden = join(folder, "node_modules/.package-lock.json");
    writeFileSync(hidden, readFileSync(hidden, "utf8").replace('"node_modules/a"', '"node_modules/b":{},"node_modules/a"'));
    install();
    assert.equal(calls(), 3);
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify(LOCK).replace("sha512-a", "sha512-b"));
    const changed = install();
    assert.equal(calls(), 4);
    assert.equal(changed.status, 1);
    assert.match(changed.stderr, /npm ci ran, but node_modules\/a is not 1\.0\.0\.\n$/);
  });

  test("says plainly that npm failed, or is not there", (t) => {
    const failing = project(t, "#!/bin/sh\necho 'npm error no network' >&2\nexit 7\n").install();
    assert.equal(failing.status, 1);
    assert.match(failing.stderr, /npm error no network\nnpm ci failed \(exit status 7\)/);
    const { folder } = project(t);
    const without = spawnSync(process.execPath, ["src/build/install.mjs"], { cwd: folder, encoding: "utf8", env: { PATH: "/nowhere" } });
    assert.equal(without.status, 1);
    assert.match(without.stderr, /npm is needed to install/);
    assert.doesNotMatch(without.stderr, /\n\s+at /);
  });
});
