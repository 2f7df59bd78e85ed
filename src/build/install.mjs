// Installs what package-lock.json says, unless node_modules is that already. Plain JavaScript without
// packages: it runs on the Node that the machine happens to have, before ours is there. It never touches
// a node_modules that is right.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
const OLDEST_NODE = 20;

main();

function main() {
  checkMachine();
  const difference = firstDifference();
  if (difference === undefined) return linkRuntime();
  say(`Installing what package-lock.json names (${difference})…`);
  // No package needs its install script: what is native comes prebuilt. Older npm would run them regardless of
  // package.json's allowScripts, and compile for the Node that the machine happens to have.
  const npm = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (npm.error !== undefined) stop(`npm is needed to install, and could not be started: ${npm.error.message}`);
  if (npm.status !== 0) stop(`npm ci failed (exit status ${npm.status ?? npm.signal}); its own words are above.`);
  const left = firstDifference();
  if (left !== undefined) stop(`npm ci ran, but ${left}.`);
  linkRuntime();
}

/** Puts the pinned Node where npm scripts find it first; npm 10 leaves that out. */
function linkRuntime() {
  const link = join(root, "node_modules/.bin/node");
  if (existsSync(link)) return;
  const runtime = `node-linux-${process.arch}/bin/node`;
  if (!existsSync(join(root, "node_modules", runtime))) stop(`npm ci ran, but node_modules/${runtime} is missing.`);
  mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
  symlinkSync(`../${runtime}`, link);
}

function checkMachine() {
  const major = Number.parseInt(process.versions.node, 10);
  if (major < OLDEST_NODE) stop(`Node ${OLDEST_NODE} or newer is needed to install; this is ${process.version}.`);
  if (process.platform !== "linux") stop(`Ringbox runs on Linux; this is ${process.platform}.`);
  if (process.arch !== "x64" && process.arch !== "arm64") stop(`Ringbox runs on x64 and arm64; this is ${process.arch}.`);
}

/** In words, the first thing in which node_modules is not what the lock wants; `undefined` if there is none. */
function firstDifference() {
  const installedLock = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installedLock)) return "node_modules is not there";
  const wanted = packagesOf(join(root, "package-lock.json"));
  const installed = packagesOf(installedLock);
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const found = installed[path];
    if (found === undefined) {
      if (entry.optional === true && !fitsMachine(entry)) continue;
      return `${path} is missing`;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) return `${path} is not ${entry.version}`;
    if (!existsSync(join(root, path, "package.json"))) return `${path} is missing`;
  }
  for (const path of Object.keys(installed)) if (wanted[path] === undefined) return `${path} is one too many`;
  return undefined;
}

/** @returns {Record<string, { version?: string, integrity?: string, optional?: boolean, os?: string | string[], cpu?: string | string[], libc?: string | string[] }>} */
function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch (error) {
    return stop(`${file} cannot be read: ${error.message}`);
  }
}

/** Whether npm would install this optional package here. A C library other than glibc is not asked for. */
function fitsMachine({ os, cpu, libc }) {
  const fits = (list, own) => list === undefined || [list].flat().includes(own);
  return fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, "glibc");
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

function stop(line) {
  say(line);
  process.exit(1);
}
