// The Debian package in a clean Debian, as far as a root without a running systemd goes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { run, ROOT, sha256 } from "../../image/steps.ts";
import { until } from "../lab/until.ts";
import { cleanDebian, inRoot, whyNoDebian } from "./debian-root.ts";

const skip = whyNoDebian() ?? false;
const version = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
const deb = join(ROOT, `out/ringbox_${version}_${process.arch === "arm64" ? "arm64" : "amd64"}.deb`);

const makeDeb = (): string => {
  run(process.execPath, ["image/deb.ts"]);
  return sha256(readFileSync(deb));
};

suite("the Debian package", { skip, timeout: 900_000 }, () => {
  let scratch = "";
  let root = "";
  before(() => {
    scratch = mkdtempSync(join(tmpdir(), "ringbox-test-"));
    root = join(scratch, "root");
    cleanDebian(root);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));
  const inside = (path: string): string => join(root, path);

  test("is the same to the byte when it is made again", () => {
    const first = makeDeb();
    rmSync(deb);
    assert.equal(makeDeb(), first);
  });

  test("is installed by apt without a question, its units enabled, its user made, no key in it", () => {
    copyFileSync(deb, inside("ringbox.deb"));
    const { status, stdout, stderr } = inRoot(root, "apt-get", "install", "-y", "/ringbox.deb");
    assert.equal(status, 0, stdout + stderr);
    for (const unit of ["ringboxd", "ringbox-agent"]) {
      const link = inside(`etc/systemd/system/multi-user.target.wants/${unit}.service`);
      assert.equal(readlinkSync(link), `/usr/lib/systemd/system/${unit}.service`);
    }
    assert.match(inRoot(root, "id", "ringbox").stdout, /^uid=\d+\(ringbox\)/);
    assert.equal(statSync(inside("var/lib/ringbox")).mode & 0o777, 0o700);
    assert.equal(inRoot(root, "sh", "-c", "ls -A /var/lib/ringbox").stdout, "");
  });

  test("runs as its own user, and `ringbox status` finds the box", async () => {
    const address = `127.${randomInt(16, 250)}.${randomInt(1, 250)}.2`;
    const box = spawn("chroot", ["--userspec=ringbox", root, "/usr/lib/ringbox/ringboxd", "--data", "/var/lib/ringbox", "--found", "--no-mdns", "--listen", address], { stdio: "ignore" });
    try {
      await until("it serves", 60, () => {
        const { stdout, stderr } = inRoot(root, "ringbox", "status");
        assert.match(stdout, /ringbox\.internal/, stderr);
      });
    } finally {
      box.kill();
      await until("it ends", 20, () => assert.ok(box.exitCode !== null || box.signalCode !== null));
    }
    assert.ok(existsSync(inside("var/lib/ringbox/identity.key")));
  });

  test("removed, it leaves the box's identity; purged, it leaves nothing", () => {
    assert.equal(inRoot(root, "apt-get", "remove", "-y", "ringbox").status, 0);
    assert.ok(existsSync(inside("var/lib/ringbox/identity.key")));
    assert.ok(!existsSync(inside("usr/lib/ringbox/ringboxd")));
    const { status, stderr } = inRoot(root, "apt-get", "purge", "-y", "ringbox");
    assert.equal(status, 0, stderr);
    for (const path of ["var/lib/ringbox", "etc/default/ringbox", "usr/lib/ringbox"]) assert.ok(!existsSync(inside(path)), path);
    assert.equal(inRoot(root, "sh", "-c", "find /etc/systemd -name 'ringbox*'").stdout, "");
  });
});
