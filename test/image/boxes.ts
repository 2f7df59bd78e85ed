// What the tests of the image share: a fleet, a stamped image, ports of this machine that lead into the virtual one.

import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import { projectVersion, type Architecture } from "../../image/programs.ts";
import { ROOT, run } from "../../image/steps.ts";

/** A copy of the quick image in `directory`, stamped. */
export function stampedImage(architecture: Architecture, directory: string, ticket: string | undefined): string {
  const { status, stderr } = spawnSync(process.execPath, ["image/build.ts", "--arch", architecture, "--quick"], { cwd: ROOT, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const image = join(directory, `${architecture}.raw`);
  run("cp", ["--sparse=always", join(ROOT, `out/ringbox_${projectVersion()}_${architecture}.raw`), image]);
  if (ticket !== undefined) run(join(ROOT, "dist/ringbox"), ["image", "stamp", image, "--ticket", ticket]);
  return image;
}

/** Where the settings volume begins: behind the ESP. Octets. */
export const CONFIG_OFFSET = 257 << 20;

/** As an operator would, in the settings file: phones register without a password, so that none must be added by hand. */
export function openRegistration(image: string, directory: string): void {
  const file = join(directory, "ringbox.conf");
  writeFileSync(file, "option = --open-registration\n");
  run("mcopy", ["-o", "-i", `${image}@@${CONFIG_OFFSET}`, file, "::ringbox.conf"]);
}

/** Above what the system hands out by itself, below what it keeps. */
export const freePorts = (): { readonly sip: number; readonly page: number } => {
  const base = randomInt(10_000, 14_000) * 2;
  return { sip: base, page: base + 1 };
};
