// The project's own files as the tests of its order see them.

import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** Paths relative to the project, sorted. */
export const filesMatching = (...patterns: readonly string[]): readonly string[] =>
  globSync([...patterns], { cwd: ROOT, exclude: (path) => path === "node_modules" || path === "dist" }).sort();

export const contentOf = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The project's files that a file imports, types included, relative to the project. */
export function importsOf(path: string): readonly string[] {
  const found: string[] = [];
  for (const match of contentOf(path).matchAll(/(?:^|[\s;}])(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
    found.push(relative(ROOT, join(ROOT, dirname(path), match[1] ?? "")));
  }
  return found;
}

/** A TypeScript source with comments and the text of its strings blanked; line numbers and columns stay. */
export function codeOf(source: string): string {
  let code = "";
  let at = 0;
  /** Open braces since each `${` whose template goes on behind its `}`. */
  const templates: number[] = [];
  const depth = (): number => templates.at(-1) ?? -1;
  while (at < source.length) {
    const resumes = source[at] === "}" && depth() === 0;
    if (resumes) templates.pop();
    else if (source[at] === "}" && depth() > 0) templates.push((templates.pop() ?? 1) - 1);
    else if (source[at] === "{" && depth() >= 0) templates.push((templates.pop() ?? 0) + 1);
    const end = resumes || source[at] === "`" ? endOfTemplateText(source, at + 1) : endOfSilent(source, at);
    if (source.startsWith("${", end - 2) && end > at + 1 && (resumes || source[at] === "`")) templates.push(0);
    code += end === at ? source[at] : source.slice(at, end).replace(/[^\n]/g, " ");
    at = Math.max(end, at + 1);
  }
  return code;
}

/** Where a comment or a string in quotes that starts at `at` ends; `at` itself if none does. */
function endOfSilent(source: string, at: number): number {
  if (source.startsWith("//", at)) return indexOr(source, "\n", at);
  if (source.startsWith("/*", at)) return indexOr(source, "*/", at) + 2;
  const quote = source[at];
  if (quote !== '"' && quote !== "'") return at;
  for (let end = at + 1; end < source.length; end++) {
    if (source[end] === "\\") end += 1;
    else if (source[end] === quote || source[end] === "\n") return end + 1;
  }
  return source.length;
}

/** Behind the next `${` or closing backtick. */
function endOfTemplateText(source: string, from: number): number {
  for (let end = from; end < source.length; end++) {
    if (source[end] === "\\") end += 1;
    else if (source[end] === "`") return end + 1;
    else if (source.startsWith("${", end)) return end + 2;
  }
  return source.length;
}

function indexOr(source: string, word: string, from: number): number {
  const found = source.indexOf(word, from);
  return found === -1 ? source.length : found;
}

export interface FunctionLength {
  readonly name: string;
  readonly lines: number;
}

/** Functions by their indentation, which the house keeps: one ends where a line is no deeper than its first. */
export function functionLengths(source: string): readonly FunctionLength[] {
  const lines = codeOf(source).split("\n");
  const found: FunctionLength[] = [];
  for (const [start, line] of lines.entries()) {
    const name = functionName(line);
    if (name === undefined) continue;
    found.push({ name, lines: endOfBlock(lines, start) - start + 1 });
  }
  return found;
}

/** The next line that is no deeper than the one at `start`, unless it only closes the parameters. */
function endOfBlock(lines: readonly string[], start: number): number {
  const depth = (line: string): number => line.length - line.trimStart().length;
  const limit = depth(lines[start] ?? "");
  for (const [index, line] of lines.entries()) {
    if (index <= start || line.trim() === "" || depth(line) > limit) continue;
    if (!(line.trimStart().startsWith(")") && line.endsWith("{"))) return line.trimStart().startsWith("}") ? index : index - 1;
  }
  return lines.length - 1;
}

const MODIFIERS = "(?:(?:export|static|async|override|private|public|get|set)\\s+)*";
const DECLARATION = new RegExp(`^\\s*${MODIFIERS}function\\*?\\s+(\\w+)`);
const ARROW = new RegExp(`^\\s*${MODIFIERS}const\\s+(\\w+)[^;]*(?:=>|\\()\\s*\\{?$`);
const METHOD = new RegExp(`^\\s+${MODIFIERS}(#?\\w+)(?:<[^>]*>)?\\(.*(?:\\{|\\()$`);
const NO_METHODS: ReadonlySet<string> = new Set(["if", "for", "while", "switch", "catch", "return", "new", "super"]);

function functionName(line: string): string | undefined {
  const declared = DECLARATION.exec(line)?.[1] ?? ARROW.exec(line)?.[1];
  if (declared !== undefined) return declared;
  const method = METHOD.exec(line)?.[1];
  return method === undefined || NO_METHODS.has(method) ? undefined : method;
}
