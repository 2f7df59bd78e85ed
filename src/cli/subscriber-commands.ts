import { readFileSync, statSync } from "node:fs";
import { nameProblem } from "../peer/subscriber-name.ts";
import { CliError } from "./cli-error.ts";
import { ControlRefused, type ControlClient } from "./control-client.ts";
import { generatePassword, newSubscriber, passwordProblem } from "./credentials.ts";
import { parseCsv } from "./csv.ts";
import { counted } from "./plain-words.ts";
import { plainReason } from "./plain-reason.ts";
import type { Terminal } from "./terminal.ts";

/** A password on standard input, with room for a stray newline. */
const INPUT_MAX_BYTES = 4_096;
/** Some 500,000 subscribers. */
const CSV_MAX_BYTES = 32 * 1_024 * 1_024;
/** Questions in the air during an import; the box allows 64 of one connection. */
const IMPORT_WINDOW = 16;
const DISPLAY_NAME_MAX = 64;
/** Wrong lines that are told one by one. */
const FAULTS_SHOWN_MAX = 20;

export interface AddOptions {
  readonly passwordStdin?: boolean;
  readonly displayName?: string;
  readonly replace?: boolean;
}

export async function addSubscriber(name: string, options: AddOptions, box: ControlClient, terminal: Terminal): Promise<void> {
  const { domain, sip } = (await box.ask<"status">({ op: "status" })).status;
  const username = usernameOf(name, domain);
  const { password, generated } = await choosePassword(username, options.passwordStdin === true, terminal);
  const problem = passwordProblem(password);
  if (problem !== undefined) throw new CliError(problem);
  const subscriber = newSubscriber(username, domain, password, options.displayName ?? "");
  const existing = options.replace === true ? "replace" : "refuse";
  const { aor, replaced, copies } = await box.ask<"subscriber-add">({ op: "subscriber-add", subscriber, existing }).catch(withReplaceHint);
  terminal.print(`${replaced ? "Replaced" : "Added"} sip:${aor}, on ${counted(copies, "box", "boxes")}.`);
  if (generated) terminal.print(`Password (shown this once): ${password}`);
  terminal.note(`In the phone: user ${username}, domain ${domain}, server ${sip.host}${sip.port === 5060 ? "" : `:${sip.port}`}`);
}

export async function removeSubscriber(name: string, box: ControlClient, terminal: Terminal): Promise<void> {
  const { domain } = (await box.ask<"status">({ op: "status" })).status;
  const username = usernameOf(name, domain);
  const { aor } = await box.ask<"subscriber-remove">({ op: "subscriber-remove", username });
  terminal.print(`Removed sip:${aor}.`);
}

/** `100`, `100@domain` or `sip:100@domain`. */
function usernameOf(name: string, domain: string): string {
  const bare = name.toLowerCase().startsWith("sip:") ? name.slice(4) : name;
  const at = bare.lastIndexOf("@");
  if (at !== -1 && bare.slice(at + 1).toLowerCase() !== domain) {
    throw new CliError(`this fleet serves ${domain}, not ${bare.slice(at + 1)}`);
  }
  const username = at === -1 ? bare : bare.slice(0, at);
  const problem = nameProblem(username);
  if (problem !== undefined) throw new CliError(problem);
  return username;
}

/** The AoR that a person means by `100`, `100@domain` or `sip:100@domain`. */
export const aorOf = (name: string, domain: string): string => `${usernameOf(name, domain)}@${domain}`;

async function choosePassword(
  username: string,
  fromInput: boolean,
  terminal: Terminal,
): Promise<{ readonly password: string; readonly generated: boolean }> {
  if (fromInput) return { password: firstLine(await terminal.readInput(INPUT_MAX_BYTES)), generated: false };
  if (!terminal.interactive) return { password: generatePassword(), generated: true };
  const password = await terminal.askSecret(`Password for ${username} (empty: make one): `);
  if (password === "") return { password: generatePassword(), generated: true };
  if ((await terminal.askSecret("The same again: ")) !== password) throw new CliError("the two passwords differ; nothing was changed");
  return { password, generated: false };
}

function firstLine(input: Uint8Array): string {
  const text = utf8(input, "the password");
  const end = text.indexOf("\n");
  if (end !== -1 && end !== text.length - 1) throw new CliError("the input has more than one line; a password is one");
  return (end === -1 ? text : text.slice(0, end)).replace(/\r$/, "");
}

function utf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new CliError(`${what} is not UTF-8 text`);
  }
}

interface ImportRow {
  readonly line: number;
  readonly username: string;
  readonly password: string;
  readonly displayName: string;
}

/** Nothing is written unless every line of the file can be. */
export async function importSubscribers(
  file: string,
  options: { readonly replace?: boolean },
  box: ControlClient,
  terminal: Terminal,
): Promise<void> {
  const text = readCsvFile(file);
  const { domain } = (await box.ask<"status">({ op: "status" })).status;
  const { rows, faults } = checkRows(text, domain);
  if (faults.length === 0 && options.replace !== true) faults.push(...(await alreadyThere(rows, box)));
  if (faults.length > 0) throw new CliError(faultsText(file, faults));
  if (rows.length === 0) throw new CliError(`${file} has no subscribers in it`);
  const replaced = await writeAll(rows, domain, file, box, terminal);
  const added = rows.length - replaced;
  terminal.print(`${counted(added, "subscriber")} added${replaced > 0 ? `, ${replaced} replaced` : ""}.`);
}

function readCsvFile(file: string): string {
  let bytes: Uint8Array;
  try {
    if (statSync(file).size > CSV_MAX_BYTES) throw new Error(`it is larger than ${CSV_MAX_BYTES / 1_048_576} MiB`);
    bytes = readFileSync(file);
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${plainReason(error)}`);
  }
  return utf8(bytes, file);
}

interface Fault {
  readonly line: number;
  readonly text: string;
}

function checkRows(text: string, domain: string): { readonly rows: readonly ImportRow[]; readonly faults: Fault[] } {
  const parsed = parseCsv(text);
  const faults: Fault[] = [...parsed.faults];
  const rows: ImportRow[] = [];
  const lineByName = new Map<string, number>();
  for (const [index, { line, fields }] of parsed.rows.entries()) {
    if (index === 0 && isHeading(fields)) continue;
    const row = checkRow(line, fields, domain);
    if ("text" in row) {
      faults.push(row);
      continue;
    }
    const earlier = lineByName.get(row.username);
    if (earlier !== undefined) faults.push({ line, text: `${row.username} is on line ${earlier} already` });
    else lineByName.set(row.username, line);
    rows.push(row);
  }
  return { rows, faults: faults.sort((a, b) => a.line - b.line) };
}

const isHeading = (fields: readonly string[]): boolean =>
  fields[0]?.trim().toLowerCase() === "name" && fields[1]?.trim().toLowerCase() === "password";

function checkRow(line: number, fields: readonly string[], domain: string): ImportRow | Fault {
  const [name = "", password = "", displayName = ""] = fields;
  if (fields.length < 2 || fields.length > 3) return { line, text: `${counted(fields.length, "field")} instead of name,password[,display name]` };
  try {
    const username = usernameOf(name.trim(), domain);
    const tooLong = displayName.length > DISPLAY_NAME_MAX ? `The display name has more than ${DISPLAY_NAME_MAX} characters.` : undefined;
    const problem = passwordProblem(password) ?? tooLong;
    return problem === undefined ? { line, username, password, displayName: displayName.trim() } : { line, text: problem };
  } catch (error) {
    if (error instanceof CliError) return { line, text: error.message };
    throw error;
  }
}

async function alreadyThere(rows: readonly ImportRow[], box: ControlClient): Promise<readonly Fault[]> {
  const { subscribers } = await box.ask<"subscriber-list">({ op: "subscriber-list" });
  const known = new Set(subscribers.map(({ username }) => username));
  return rows
    .filter(({ username }) => known.has(username))
    .map(({ line, username }) => ({ line, text: `${username} is a subscriber already (--replace replaces)` }));
}

function faultsText(file: string, faults: readonly Fault[]): string {
  const shown = faults.slice(0, FAULTS_SHOWN_MAX).map(({ line, text }) => `\n  line ${line}: ${text}`);
  const more = faults.length > shown.length ? `\n  and ${faults.length - shown.length} more` : "";
  return `${file}: nothing was imported, because of ${counted(faults.length, "fault")}:${shown.join("")}${more}`;
}

/** How many were there before. Rows go out in windows, so that a fault stops the import soon. */
async function writeAll(rows: readonly ImportRow[], domain: string, file: string, box: ControlClient, terminal: Terminal): Promise<number> {
  let replaced = 0;
  for (let start = 0; start < rows.length; start += IMPORT_WINDOW) {
    terminal.progress(`${start} of ${rows.length}`);
    const window = rows.slice(start, start + IMPORT_WINDOW);
    const answers = await Promise.allSettled(window.map((row) => writeRow(row, domain, box)));
    for (const [index, answer] of answers.entries()) {
      if (answer.status === "fulfilled") {
        if (answer.value) replaced += 1;
        continue;
      }
      terminal.progress("");
      const written = start + answers.filter(({ status }) => status === "fulfilled").length;
      const reason = answer.reason instanceof Error ? answer.reason.message : String(answer.reason);
      throw new CliError(
        `${file}: line ${window[index]?.line}: ${reason} ${written} of ${rows.length} are written; importing again with --replace completes it.`,
      );
    }
  }
  terminal.progress("");
  return replaced;
}

async function writeRow({ username, password, displayName }: ImportRow, domain: string, box: ControlClient): Promise<boolean> {
  const subscriber = newSubscriber(username, domain, password, displayName);
  const { replaced } = await box.ask<"subscriber-add">({ op: "subscriber-add", subscriber, existing: "replace" });
  return replaced;
}

function withReplaceHint(error: unknown): never {
  if (error instanceof ControlRefused && error.fault === "exists") {
    throw new CliError(`${error.message} Give --replace to set a new password.`);
  }
  throw error;
}
