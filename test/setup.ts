// Makes the machine ready for the tests: builds the programs, and installs the Debian packages that are
// missing if it may. Without root it names them; the tests that need them then say what they left out.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { DEBIAN_PACKAGES, missingDebianPackages } from "./debian-packages.ts";

const ROOT = join(import.meta.dirname, "..");

function main(): void {
  installPackages();
  run(process.execPath, ["src/build/bundle.ts"]);
}

function installPackages(): void {
  const missing = missingDebianPackages();
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    say("Not installed, and only root may install them; tests that need them are left out:");
    for (const name of missing) say(`  ${name}: ${DEBIAN_PACKAGES[name]}`);
    return;
  }
  say(`Installing Debian packages for the tests: ${missing.join(", ")}`);
  run("apt-get", ["-qq", "update"]);
  run("apt-get", ["-qq", "-y", "--no-install-recommends", "install", ...missing]);
  const left = missingDebianPackages();
  if (left.length > 0) stop(`apt-get ran, but these are still missing: ${left.join(", ")}`);
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
