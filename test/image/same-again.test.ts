// The image is a function of the commit and of Debian's packages.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { projectVersion } from "../../image/programs.ts";
import { ROOT } from "../../image/steps.ts";
import { whyNoMachine } from "./machine.ts";

const skip = whyNoMachine("x86-64") ?? false;
const image = join(ROOT, `out/ringbox_${projectVersion()}_x86-64.raw`);

function checksum(parameters: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  const { status, stderr } = spawnSync(process.execPath, ["image/build.ts", "--arch", "x86-64", "--quick", ...parameters], { cwd: ROOT, encoding: "utf8", env: { ...process.env, ...environment } });
  assert.equal(status, 0, stderr);
  return readFileSync(`${image}.sha256`, "utf8").slice(0, 64);
}

suite("the image, made again", { skip, timeout: 1_800_000 }, () => {
  test("is the same to the byte", () => {
    const first = checksum([]);
    assert.equal(checksum(["--again"]), first);
  });

  test("is the same to the byte from nothing at all", { skip: process.env["RINGBOX_IMAGE_FULL"] === "1" ? false : "in full with npm run test:image" }, (t) => {
    const cache = mkdtempSync(join(tmpdir(), "ringbox-test-"));
    t.after(() => rmSync(cache, { recursive: true, force: true }));
    const first = checksum([]);
    assert.equal(checksum([], { RINGBOX_IMAGE_CACHE: cache }), first);
  });
});
