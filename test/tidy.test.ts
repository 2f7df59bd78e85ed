// Properties of the source itself that no compiler and no linter holds.

import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { build } from "esbuild";
import { BUNDLE_OPTIONS, ENTRY_POINTS } from "../src/build/entry-points.ts";
import { PAGE_ENTRY_POINTS } from "../src/build/page-bundle.ts";
import { codeOf, contentOf, filesMatching, functionLengths, importsOf, ROOT } from "./support/source-tree.ts";

/** What each folder of src may import beside itself. The cores are strangers to one another. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  sip: ["base"],
  overlay: ["base"],
  health: ["base"],
  provision: ["base"],
  peer: ["base", "sip", "overlay", "health", "provision"],
  io: ["base", "sip", "overlay", "health", "provision", "peer"],
  cli: ["base", "sip", "overlay", "health", "provision", "peer", "io"],
  web: ["base", "sip", "overlay", "health", "provision", "peer", "io"],
};
const PURE = ["base", "sip", "overlay", "health", "provision", "peer"];

/** Words that have no place below io, and what to use. */
const BANNED: Readonly<Record<string, string>> = {
  Date: "take `now` as an argument",
  "Math.random": "take a Random",
  setTimeout: "use a TimerTable",
  setInterval: "use a TimerTable",
  setImmediate: "return an effect",
  queueMicrotask: "return an effect",
  performance: "take `now` as an argument",
  async: "return an effect",
  await: "take an input",
  Promise: "return an effect",
  localeCompare: "compare with < and >",
  Intl: "its output depends on the machine",
  process: "only io, cli, web and the entry points know it",
  Buffer: "use Uint8Array and base/bytes.ts",
  WeakRef: "depends on the garbage collector",
  FinalizationRegistry: "depends on the garbage collector",
};

/** Source files that no entry point reaches, each with its reason. */
const UNREACHED: Readonly<Record<string, string>> = {
  "src/build/": "makes and starts the programs; is not part of them",
};

/** Functions above FUNCTION_LINES, with their length: none may grow, and a new one needs its reason in review. */
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {
  // Wires one box by hand: a list of parts, each named once.
};
const FUNCTION_LINES = 80;
const FILE_LINES = 600;

const PERMISSIVE = new Set(["MIT", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "BlueOak-1.0.0", "Unlicense"]);

const SOURCES = filesMatching("src/**/*.ts");
const WRITINGS = filesMatching("README.md", "docs/**/*.md", "test/**/*.md");
const EVERYTHING = [...SOURCES, ...WRITINGS, ...filesMatching("src/**/*.mjs", "test/**/*.ts", "*.json", ".ci/*", "systemd/*"), ...filesMatching("image/**/*").filter((path) => statSync(join(ROOT, path)).isFile())];

const folderOf = (path: string): string => (path.split("/").length > 2 ? (path.split("/")[1] ?? "") : "");

/** Fails with every entry of the list on a line of its own. */
const none = (found: readonly string[], what: string): void =>
  assert.equal(found.length, 0, `${what}:\n  ${found.join("\n  ")}`);

suite("layers", () => {
  test("every folder of src has its place in the table", () => {
    const known = new Set([...Object.keys(LAYERS), "build", ""]);
    none([...new Set(SOURCES.map(folderOf))].filter((folder) => !known.has(folder)), "folders without a place");
  });

  test("imports point down, and the cores are strangers to one another", () => {
    const wrong: string[] = [];
    for (const [layer, below] of Object.entries(LAYERS)) {
      for (const path of SOURCES.filter((source) => folderOf(source) === layer)) {
        for (const imported of importsOf(path)) {
          if (!imported.startsWith("src/") || ![layer, ...below].includes(folderOf(imported))) wrong.push(`${path} imports ${imported}`);
        }
      }
    }
    none(wrong, "imports that do not point down");
  });

  test("nobody imports an entry point", () => {
    const programs = SOURCES.filter((path) => folderOf(path) === "");
    none(SOURCES.flatMap((path) => importsOf(path).filter((imported) => programs.includes(imported))), "imported entry points");
  });

  test("below io there is no clock, no luck, no promise and no Node", () => {
    const wrong: string[] = [];
    for (const path of SOURCES.filter((source) => PURE.includes(folderOf(source)))) {
      for (const [index, line] of codeOf(contentOf(path)).split("\n").entries()) {
        for (const [word, instead] of Object.entries(BANNED)) {
          if (hasWord(line, word)) wrong.push(`${path}:${index + 1} ${word}: ${instead}`);
        }
      }
    }
    none(wrong, "banned words");
  });

  test("below io nothing is imported from Node or from a package", () => {
    const wrong = SOURCES.filter((source) => PURE.includes(folderOf(source))).filter((path) =>
      /(?:^|\s)(?:from|import)\s*\(?\s*"[^."]/m.test(contentOf(path)),
    );
    none(wrong, "files with foreign imports");
  });
});

const hasWord = (line: string, word: string): boolean => {
  const at = line.indexOf(word);
  return at !== -1 && new RegExp(`(?<![\\w.$])${word.replace(".", "\\.")}(?![\\w$:])`).test(line);
};

suite("files", () => {
  test("each source file is part of a program, or named with its reason", () => {
    const reached = new Set<string>();
    const waiting = [...ENTRY_POINTS, ...PAGE_ENTRY_POINTS.filter((path) => path.endsWith(".ts"))];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      waiting.push(...importsOf(path));
    }
    const exempt = Object.keys(UNREACHED);
    none(SOURCES.filter((path) => !reached.has(path) && !exempt.some((prefix) => path.startsWith(prefix))), "files that no program uses");
    none(exempt.filter((prefix) => !SOURCES.some((path) => path.startsWith(prefix))), "exemptions without a file");
  });

  test("a source file is one that a person sits down to read", () => {
    const long = SOURCES.map((path) => ({ path, lines: contentOf(path).split("\n").length - 1 }));
    none(long.filter(({ lines }) => lines > FILE_LINES).map(({ path, lines }) => `${path}: ${lines} lines`), `files above ${FILE_LINES} lines`);
  });

  test("long functions are listed and do not grow", () => {
    const found = new Map<string, number>();
    for (const path of SOURCES) {
      for (const { name, lines } of functionLengths(contentOf(path))) if (lines > FUNCTION_LINES) found.set(`${path} ${name}`, lines);
    }
    none([...found].filter(([name, lines]) => lines > (LONG_FUNCTIONS[name] ?? 0)).map(([name, lines]) => `${name}: ${lines} lines`), "new or longer");
    none(Object.keys(LONG_FUNCTIONS).filter((name) => !found.has(name)), "listed, but long no more");
  });

  test("comments and the text of strings are no code, what templates compute is", () => {
    const source = ['a("Date", `b ${c({ d: `Date ${e}` })} Date`); // Date', "/* Date */ f('Date'); `${g}`; h"].join("\n");
    assert.deepEqual(codeOf(source).match(/\w+/g), ["a", "c", "d", "e", "f", "g", "h"]);
  });

  test("the measure of functions sees one that is too long", () => {
    const body = "    work();\n".repeat(FUNCTION_LINES);
    const source = `class A {\n  async #step<T>(a: T): void {\n${body}  }\n}\nexport function b(\n  c: number,\n): void {\n${body}}\n`;
    assert.deepEqual(functionLengths(source), [{ name: "#step", lines: FUNCTION_LINES + 2 }, { name: "b", lines: FUNCTION_LINES + 4 }]);
  });

  test("nothing is left for later, and no test runs alone", () => {
    const later = /\b(?:FIX(?:ME)|TO(?:DO)|XX(?:X))\b/;
    none(EVERYTHING.filter((path) => later.test(contentOf(path))), "files with something left for later");
    none(filesMatching("test/**/*.ts").filter((path) => /\bonly: true|\.on(?:ly)\(/.test(codeOf(contentOf(path)))), "tests that run alone");
  });

  test("no failure is swallowed without a word", () => {
    const swallowed = /catch\s*(?:\([^)]*\)\s*)?\{\s*\}/;
    none(SOURCES.filter((path) => swallowed.test(contentOf(path))), "files with an empty catch");
  });

  test("no path of somebody's machine is written down", () => {
    const machine = /(?<![\w.])\/(?:work|home|root|Users)\/\w/;
    none(EVERYTHING.filter((path) => machine.test(contentOf(path))), "files with a machine's paths");
  });
});

suite("writings", () => {
  test("links between pages lead somewhere", () => {
    const dead: string[] = [];
    for (const path of WRITINGS) {
      for (const [, target = ""] of contentOf(path).matchAll(/\]\(([^)\s]+)\)/g)) {
        const file = target.split("#")[0] ?? "";
        if (file !== "" && !/^[a-z]+:/.test(file) && !existsSync(join(ROOT, dirname(path), file))) dead.push(`${path}: ${target}`);
      }
    }
    none(dead, "dead links");
  });

  test("commands that the pages name exist", () => {
    const scripts = JSON.parse(contentOf("package.json")).scripts as Readonly<Record<string, string>>;
    const named = WRITINGS.flatMap((path) => [...contentOf(path).matchAll(/\bnpm (?:run )?([a-z][a-z:-]*)/g)].map(([, name = ""]) => ({ path, name })));
    const npmItself = new Set(["ci", "install", "run", "sbom"]);
    none(named.filter(({ name }) => !npmItself.has(name) && scripts[name] === undefined).map(({ path, name }) => `${path}: npm ${name}`), "unknown commands");
  });

  test("what a script runs is there", () => {
    const scripts = JSON.parse(contentOf("package.json")).scripts as Readonly<Record<string, string>>;
    const files = Object.entries(scripts).flatMap(([name, line]) => [...line.matchAll(/\b(?:src|test)\/[\w./-]+/g)].map(([file]) => ({ name, file })));
    none(files.filter(({ file }) => !existsSync(join(ROOT, file))).map(({ name, file }) => `${name}: ${file}`), "missing files of scripts");
  });
});

interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
}

suite("packages", () => {
  const lock = JSON.parse(contentOf("package-lock.json")).packages as Readonly<Record<string, LockedPackage>>;
  const locked = Object.entries(lock).filter(([path]) => path !== "");

  test("the lock names no registry, and the content of every package", () => {
    none(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path), "packages with a host");
    none(locked.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path), "packages without integrity");
  });

  test("what ships has a permissive licence", () => {
    const shipped = locked.filter(([, { dev }]) => dev !== true);
    none(shipped.filter(([, { license }]) => !PERMISSIVE.has(license ?? "")).map(([path, { license }]) => `${path}: ${license}`), "licences to look at");
  });

  test("the bundles hold packages that ship, and nothing else", async () => {
    const { metafile } = await build({ ...BUNDLE_OPTIONS, outdir: "dist", write: false, logLevel: "error" });
    const bundled = Object.keys(metafile.inputs)
      .map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
      .filter((path) => path !== undefined)
      .map((path) => path.slice(path.indexOf("node_modules/")));
    none([...new Set(bundled)].filter((path) => lock[path] === undefined || lock[path].dev === true), "bundled, but not to be shipped");
  });
});
