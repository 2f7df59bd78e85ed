// Makes the machine ready for the tests: builds the programs, and installs the Debian packages that are
// missing if it may. Without root it names them; the tests that need them then say what they left out.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { DEBIAN_PACKAGES, type DebianPackage, IMAGE_PACKAGES } from "./debian-packages.ts";

const ROOT = join(import.meta.dirname, "..");

const WANTED = process.argv.includes("--image") ? [...DEBIAN_PACKAGES, ...IMAGE_PACKAGES] : DEBIAN_PACKAGES;

function main(): void {
  installPackages();
  run(process.execPath, ["src/build/bundle.ts"]);
}

function installPackages(): void {
  const missing = missingPackages();
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    say("Not installed, and only root may install them; tests that need them are left out:");
    for (const { name, reason } of missing) say(`  ${name}: ${reason}`);
    return;
  }
  const names = missing.map(({ name }) => name);
  say(`Installing Debian packages for the tests: ${names.join(", ")}`);
  run("apt-get", ["-qq", "update"]);
  run("apt-get", ["-qq", "-y", "--no-install-recommends", "install", ...names]);
  const left = missingPackages();
  if (left.length > 0) stop(`apt-get ran, but these are still missing: ${left.map(({ name }) => name).join(", ")}`);
}

function missingPackages(): readonly DebianPackage[] {
  const names = WANTED.map(({ name }) => name);
  const format = "${db:Status-Status} ${Package}\n";
  const query = spawnSync("dpkg-query", ["-W", "-f", format, ...names], { encoding: "utf8" });
  const installed = new Set((query.stdout ?? "").split("\n").filter((line) => line.startsWith("installed ")));
  return WANTED.filter(({ name }) => !installed.has(`installed ${name}`));
}

function run(command: string, args: readonly string[]): void {
  const child = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    // No questions, and no service started by a package that brings one (kamailio).
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
  });
  if (child.error !== undefined) stop(`${command} could not be started: ${child.error.message}`);
  if (child.status !== 0) {
    say(child.stdout);
    stop(`${command} ${args.join(" ")} ended with ${child.status ?? child.signal}`);
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function stop(line: string): never {
  say(line);
  process.exit(1);
}

main();
