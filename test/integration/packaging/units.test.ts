// The units as they are shipped.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { ROOT } from "../../support/source-tree.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const UNITS = ["ringboxd.service", "ringbox-agent.service"];
const LARGEST_EXPOSURE = 2;

const analyze = (...args: readonly string[]) => spawnSync("systemd-analyze", args, { cwd: ROOT, encoding: "utf8" });
const skip = analyze("--version").status === 0 ? false : "systemd-analyze is not installed (Debian package systemd)";

/** With what a service address needs. */
const LARGEST_WITH_ADDRESS = 2.5;

suite("units", { skip }, () => {
  test(`ringboxd.service with service-address.conf exposes at most ${LARGEST_WITH_ADDRESS.toFixed(1)}`, (t) => {
    const directory = temporaryDirectory(t);
    const text = ["ringboxd.service", "service-address.conf"].map((name) => readFileSync(join(ROOT, "systemd", name), "utf8")).join("\n");
    const file = join(directory, "ringboxd.service");
    writeFileSync(file, text);
    const { stdout, stderr } = analyze("security", "--offline=true", file);
    const exposure = /exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1];
    assert.ok(exposure !== undefined, stderr);
    t.diagnostic(`exposure ${exposure}`);
    assert.ok(Number(exposure) <= LARGEST_WITH_ADDRESS, stdout);
  });


  for (const unit of UNITS) {
    test(`${unit} exposes at most ${LARGEST_EXPOSURE.toFixed(1)} by systemd's own measure`, (t) => {
      const { stdout, stderr } = analyze("security", "--offline=true", join("systemd", unit));
      const exposure = /exposure level for \S+: ([0-9.]+)/.exec(stdout)?.[1];
      assert.ok(exposure !== undefined, stderr);
      t.diagnostic(`exposure ${exposure}`);
      assert.ok(Number(exposure) <= LARGEST_EXPOSURE, stdout);
    });
  }

  test("systemd knows every word in the units of the image, and finds no circle in their order", () => {
    const folder = "image/tree/usr/lib/systemd/system";
    const units = readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
    const { stderr } = analyze("verify", "--man=no", ...units, ...UNITS.map((name) => join("systemd", name)));
    // The programs are not on this machine, and an older systemd has no longer waits between restarts.
    const meant = /is not executable: No such file or directory$|Unknown key (name )?'Restart(Steps|MaxDelaySec)'/;
    assert.deepEqual(stderr.split("\n").filter((line) => /ringbox/.test(line) && !meant.test(line)), []);
  });
});
