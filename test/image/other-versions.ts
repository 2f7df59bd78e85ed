// Bundles of this project as it would be in other versions: one that works, and some that do not.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Architecture, projectVersion } from "../../image/programs.ts";
import { ROOT, run, sourceDate } from "../../image/steps.ts";
import { guidOf } from "../../src/provision/partition-table.ts";
import type { UpdateManifest } from "../../src/provision/update-bundle.ts";
import type { Version } from "./next-start.ts";

/** What is changed in a copy of the project. */
type Change = (project: string) => void;

const replaced = (name: string, from: string, to: string): Change => (project) => {
  const file = join(project, name);
  const text = readFileSync(file, "utf8");
  assert.ok(text.includes(from), `${name} has no ${from}`);
  writeFileSync(file, text.replaceAll(from, to));
};

/** Each is broken as a version that passed every test of its makers might be. */
export const BROKEN: Readonly<Record<string, Change>> = {
  "panics: the kernel stops as soon as the machine is up": (project) => {
    const units = join(project, "image/tree/usr/lib/systemd/system");
    const unit = "[Unit]\nAfter=sysinit.target\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo c >/proc/sysrq-trigger'\n";
    writeFileSync(join(units, "panic.service"), unit);
    mkdirSync(join(units, "basic.target.wants"));
    symlinkSync("../panic.service", join(units, "basic.target.wants/panic.service"));
  },
  "crash loop: ringboxd ends as soon as it starts": (project) => writeFileSync(join(project, "src/ringboxd.ts"), "process.exit(1);\n"),
  "cannot join: no other box understands its frames": replaced("src/overlay/wire/forwarding-header.ts", "0xd2454c4f", "0xd2454c50"),
  "no SIP: its sockets are open, and what comes is thrown away": replaced("src/io/sip-sockets.ts", 'onInput({ type: "received", flow', '((_: unknown) => undefined)({ type: "received", flow'),
};

/** Signed with `key`, in `directory`. */
export function bundleOf(architecture: Architecture, directory: string, version: string, key: string, change: Change = () => undefined): string {
  const project = join(directory, `project-${version}`);
  for (const name of ["src", "image", "systemd", "docs", "README.md", "package.json", "package-lock.json", "tsconfig.json"]) cpSync(join(ROOT, name), join(project, name), { recursive: true, verbatimSymlinks: true });
  symlinkSync(join(ROOT, "node_modules"), join(project, "node_modules"));
  for (const name of ["package.json", "src/cli/version.ts"]) replaced(name, `"${projectVersion()}"`, `"${version}"`)(project);
  change(project);
  const made = spawnSync(process.execPath, ["image/build.ts", "--arch", architecture, "--quick", "--bundle-key", key], { cwd: project, encoding: "utf8", env: { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate()) } });
  assert.equal(made.status, 0, made.stderr);
  const bundle = join(directory, `ringbox_${version}_${architecture}.bundle`);
  run("mv", [join(project, `out/ringbox_${version}_${architecture}.bundle`), bundle]);
  rmSync(project, { recursive: true });
  return bundle;
}

/** What a bundle brings, by its manifest. */
export function versionOfBundle(bundle: string, ticket: string): Version {
  const parts = `${bundle}.parts`;
  run(join(ROOT, "dist/ringbox"), ["bundle", "unpack", bundle, parts, "--ticket", ticket, "--arch", "x86-64"]);
  const { version, rootHash, parts: list } = JSON.parse(readFileSync(join(parts, "manifest.json"), "utf8")) as UpdateManifest;
  rmSync(parts, { recursive: true });
  const [root, verity] = [guidOf(rootHash.slice(0, 32)), guidOf(rootHash.slice(32))];
  const part = (what: string) => list.find(({ name }) => name === what) ?? assert.fail(`the bundle has no ${what}`);
  return { name: version, kernel: part("kernel").sha256, root, written: [{ ...part("root"), uuid: root }, { ...part("verity"), uuid: verity }] };
}
