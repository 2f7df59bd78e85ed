// npm run image -- --arch x86-64|arm64 [--ticket FILE] [--zone ZONE] [--hostname-prefix PREFIX] [--quick] [--again] [--bundle-key KEY [--floor V]]: from a clean
// machine to a file in out/ that any tool flashes. Stages whose inputs are the same are kept; --again makes the last one anew.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkHost, debianRoot, kernelVersion, packages } from "./debian.ts";
import { makeDisk, packRoot } from "./disk.ts";
import { ARCHITECTURES, type Architecture, programs, projectVersion } from "./programs.ts";
import { BuildError, cached, hashOfFiles, main, ROOT, run, say, sourceDate, stage } from "./steps.ts";
import { makeBox, prune } from "./tree.ts";

/** Private keys and tickets, as they look in a file. */
const SECRETS = ["-----BEGIN PRIVATE KEY", "-----BEGIN EC PRIVATE KEY", "-----BEGIN RSA PRIVATE KEY", "-----BEGIN OPENSSH PRIVATE KEY", "-----BEGIN RINGBOX TICKET"];

function buildImage(architecture: Architecture, level: number, anew: boolean): string {
  const base = debianRoot(architecture);
  const bundle = programs(architecture);
  const initrd = initialDisk(architecture, base);
  const made = cached(`image-${architecture}`, [base, bundle, initrd, String(level), String(sourceDate()), OURS()], (scratch) => {
    const tree = join(scratch, "tree");
    run("cp", ["-a", base, tree]);
    makeBox(tree, bundle);
    const kernel = kernelVersion(tree);
    copyFileSync(join(tree, `boot/vmlinuz-${kernel}`), join(scratch, "vmlinuz"));
    mkdirSync(join(scratch, "loaders"));
    for (const name of readdirSync(join(tree, "usr/lib/systemd/boot/efi"))) copyFileSync(join(tree, "usr/lib/systemd/boot/efi", name), join(scratch, "loaders", name));
    writeLists(tree, scratch);
    copyFileSync(join(tree, "usr/lib/os-release"), join(scratch, "os-release"));
    prune(tree);
    refuseSecrets(tree);
    // The root hash is in the kernel's command line, too; a bundle names it.
    const packed = stage("  squashfs and verity", () => packRoot(tree, scratch, level));
    writeFileSync(join(scratch, "root.hash"), `${packed.rootHash}\n`);
    rmSync(tree, { recursive: true, force: true });
    const parts = { architecture, version: projectVersion(), ...packed, kernel: join(scratch, "vmlinuz"), initrd: join(initrd, "initrd.img") };
    stage("  kernel image, volumes, table", () => makeDisk({ ...parts, kernelVersion: kernel, osRelease: join(scratch, "os-release"), loaders: join(scratch, "loaders") }, scratch));
  }, anew);
  return made;
}

const OURS = (): string => hashOfFiles("image/tree", "image/tree.ts", "image/disk.ts", "image/uki.ts", "image/build.ts", "image/initrd");

/** Depends on Debian and on our part of it, and not on the programs: made seldom. */
function initialDisk(architecture: Architecture, base: string): string {
  const key = [base, hashOfFiles("image/initrd", "image/initrd.sh", "image/tree/usr/lib/repart.d")];
  return cached(`initrd-${architecture}`, key, (scratch) => {
    const tree = join(scratch, "tree");
    run("cp", ["-a", base, tree]);
    for (const path of ["dev", "run"]) {
      rmSync(join(tree, path), { recursive: true, force: true });
      mkdirSync(join(tree, path));
    }
    run("cp", ["-r", join(import.meta.dirname, "tree/usr/lib/repart.d"), join(tree, "usr/lib/")]);
    run("cp", ["-r", join(import.meta.dirname, "initrd"), join(tree, "usr/lib/dracut/modules.d/90ringbox")]);
    const command = join(import.meta.dirname, "initrd.sh");
    const args = [tree, kernelVersion(tree), join(scratch, "initrd.img")];
    if (process.arch === ARCHITECTURES[architecture].node) run(command, args);
    else run(join(import.meta.dirname, "with-arm64.sh"), [command, ...args]);
    rmSync(tree, { recursive: true, force: true });
  });
}

/** What is inside, for people and for programs, beside the image. */
function writeLists(tree: string, directory: string): void {
  const all = packages(tree);
  writeFileSync(join(directory, "packages.txt"), all.map(({ name, version }) => `${name}=${version}\n`).join(""));
  const bill = JSON.parse(readFileSync(join(tree, "usr/share/doc/ringbox/sbom.cdx.json"), "utf8")) as { components: unknown[] };
  const debian = all.map(({ name, version, source }) => ({
    type: "library", name, version, purl: `pkg:deb/debian/${name}@${version}`, properties: [{ name: "source", value: source }],
  }));
  writeFileSync(join(directory, "sbom.cdx.json"), `${JSON.stringify({ ...bill, components: [...bill.components, ...debian] }, undefined, 1)}\n`);
  const licenses = all.map(({ name }) => {
    const file = join(tree, "usr/share/doc", name, "copyright");
    return `==== ${name}\n${existsSync(file) ? readFileSync(file, "utf8") : "(with the package it is made from)"}\n`;
  });
  writeFileSync(join(directory, "licenses.txt"), readFileSync(join(tree, "usr/share/doc/ringbox/copyright"), "utf8") + licenses.join(""));
}

/** An image is copied many times: a key in it would be everybody's. */
function refuseSecrets(tree: string): void {
  const patterns = SECRETS.flatMap((text) => ["-e", text]);
  const { status, stdout } = spawnSync("grep", ["-rlaIF", ...patterns, "--exclude-dir=ringbox", "etc", "var", "usr/share", "root", "home", "srv"], { cwd: tree, encoding: "utf8" });
  if (status === 0) throw new BuildError(`These files hold a private key or a ticket:\n${stdout}`);
}

/** The copy in out/ with its papers, stamped if there is a ticket. */
function finish(made: string, architecture: Architecture, stamp: readonly string[]): string {
  const out = join(ROOT, "out");
  mkdirSync(out, { recursive: true });
  const name = `ringbox_${projectVersion()}_${architecture}`;
  const scratch = mkdtempSync(join(out, ".new-"));
  try {
    run("cp", ["--sparse=always", join(made, "disk.raw"), join(scratch, "disk.raw")]);
    if (stamp.length > 0) run(join(ROOT, "dist/ringbox"), ["image", "stamp", join(scratch, "disk.raw"), ...stamp]);
    renameSync(join(scratch, "disk.raw"), join(out, `${name}.raw`));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const file of ["packages.txt", "sbom.cdx.json", "licenses.txt"]) copyFileSync(join(made, file), join(out, `${name}.${file}`));
  return join(out, `${name}.raw`);
}

/** The parts of the image as an update, beside it. */
function bundle(made: string, architecture: Architecture, key: string, floor: string | undefined): void {
  const out = join(ROOT, "out", `ringbox_${projectVersion()}_${architecture}.bundle`);
  const parts = ["--verity", join(made, "root.verity"), "--root", join(made, "root.squashfs"), "--kernel", join(made, "ringbox.efi")];
  const rootHash = readFileSync(join(made, "root.hash"), "utf8").trim();
  const what = ["--key", key, "--arch", architecture, "--bundle-version", projectVersion(), "--root-hash", rootHash, ...(floor === undefined ? [] : ["--floor", floor])];
  say(run(join(ROOT, "dist/ringbox"), ["bundle", "build", out, ...what, ...parts]).trimEnd());
}

function tell(file: string, made: string, isStamped: boolean): void {
  const sum = run("sha256sum", [file]).slice(0, 64);
  writeFileSync(`${file}.sha256`, `${sum}  ${file.slice(file.lastIndexOf("/") + 1)}\n`);
  const generic = run("sha256sum", [join(made, "disk.raw")]).slice(0, 64);
  say(`
${file}
  ${(statSync(file).size / (1 << 20)).toFixed(0)} MiB, of which ${(statSync(join(made, "root.squashfs")).size / (1 << 20)).toFixed(0)} are the system; SHA-256 ${sum}
  ${isStamped ? `stamped: it holds a ticket, keep it like one (unstamped: ${generic})` : "no ticket in it: the box waits to be let in, or stamp it: dist/ringbox image stamp FILE --ticket T"}
  No private key in it: looked for in every file of the system, and every box makes its own at its first start.
  Beside it: what is inside (.packages.txt, .sbom.cdx.json, .licenses.txt).

To flash it: Raspberry Pi Imager, balenaEtcher, Rufus (DD mode) or
  dd if=${file.slice(file.lastIndexOf("/") + 1)} of=/dev/DISK bs=4M conv=fsync status=progress
on a disk of 3 GB or more, for a machine that starts with UEFI. Then plug it in.`);
}

main(() => {
  const { values } = parseArgs({
    options: { arch: { type: "string" }, ticket: { type: "string" }, zone: { type: "string" }, "hostname-prefix": { type: "string" }, "bundle-key": { type: "string" }, floor: { type: "string" }, quick: { type: "boolean", default: false }, again: { type: "boolean", default: false } },
  });
  const wanted = values.arch ?? "";
  if (!(wanted in ARCHITECTURES)) throw new BuildError(`npm run image -- --arch ${Object.keys(ARCHITECTURES).join("|")} [--ticket FILE] [--zone ZONE] [--hostname-prefix PREFIX] [--quick] [--bundle-key KEY [--floor VERSION]]`);
  const architecture = wanted as Architecture;
  if (values.ticket !== undefined && !existsSync(values.ticket)) throw new BuildError(`There is no ticket ${values.ticket}.`);
  if (values["bundle-key"] !== undefined && !existsSync(values["bundle-key"])) throw new BuildError(`There is no update key ${values["bundle-key"]}.`);
  checkHost();
  say(`Making the image for ${architecture}:`);
  const stamp = (["ticket", "zone", "hostname-prefix"] as const).flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]));
  const made = buildImage(architecture, values.quick ? 3 : 15, values.again);
  tell(finish(made, architecture, stamp), made, values.ticket !== undefined);
  if (values["bundle-key"] !== undefined) bundle(made, architecture, values["bundle-key"], values.floor);
});
