// `ringbox calls` and `ringbox call`: what went through the box lately, and one call message by message.

import { outcomeWords } from "../health/calls/call-words.ts";
import { ladderOf } from "../health/calls/ladder.ts";
import { shownText } from "../health/access/shown-text.ts";
import type { CallLadder, CallMessage } from "../health/report.ts";
import type { RecordedCall, RecordedMessage } from "../sip/recorder/call-recorder.ts";
import { askAgent } from "./agent-client.ts";
import { CliError } from "./cli-error.ts";
import type { ControlClient } from "./control-client.ts";
import { ladderSchema } from "./ladder-schema.ts";
import type { Terminal } from "./terminal.ts";

export interface CallsOptions {
  readonly json?: boolean;
  readonly registrations?: boolean;
}

export interface CallOptions {
  readonly json?: boolean;
  readonly messages?: boolean;
}

export async function listCalls({ json, registrations }: CallsOptions, box: ControlClient, terminal: Terminal): Promise<void> {
  const { calls } = await box.ask<"calls">({ op: "calls", life: "", revision: 0 });
  const wanted = calls.filter(({ kind }) => kind === (registrations === true ? "registration" : "call")).sort((a, b) => b.startedAt - a.startedAt);
  const now = Date.now();
  if (json === true) {
    const reports = wanted.map(({ revision: _, ...call }) => ({ ...readable(call), outcome: outcomeWords(call, now) }));
    return terminal.print(JSON.stringify(reports, undefined, 2));
  }
  if (wanted.length === 0) return terminal.print(registrations === true ? "The box remembers no registration." : "The box remembers no call.");
  for (const call of wanted) terminal.print(shownText(callLine(readable(call), now), 400));
}

function callLine(call: RecordedCall | Omit<RecordedCall, "revision">, now: number): string {
  const who = call.kind === "call" ? `${call.from} to ${call.to}` : call.from;
  return `${clock(call.startedAt)}  ${call.id}  ${who}: ${outcomeWords(call, now)}`;
}

/** Merged over the boxes by the health agent; without one, as this box saw it. */
export async function showCall(name: string, { json, messages }: CallOptions, directory: string, box: ControlClient, terminal: Terminal): Promise<void> {
  const ladder = await mergedLadder(directory, name).catch(async (error: unknown) => {
    if (!(error instanceof CliError)) throw error;
    const own = await ownLadder(name, box);
    if (own === undefined) throw error;
    terminal.note(`As this box alone saw it: ${error.message}`);
    return own;
  });
  if (json === true) return terminal.print(JSON.stringify(ladder, undefined, 2));
  for (const line of ladderLines(ladder)) terminal.print(line);
  if (messages === true) for (const message of ladder.messages) terminal.print(["", ...messageLines(message, ladder.startedAt)].join("\n"));
}

async function mergedLadder(directory: string, name: string): Promise<CallLadder> {
  const answer = ladderSchema.safeParse(await askAgent(directory, "GET", `/api/calls/${encodeURIComponent(name)}`));
  if (!answer.success) throw new CliError("ringbox-agent answers in a way that this ringbox does not know; are they of the same version?");
  return answer.data;
}

async function ownLadder(name: string, box: ControlClient): Promise<CallLadder | undefined> {
  const { found } = await box.ask<"call-messages">({ op: "call-messages", name });
  if (found === null) return undefined;
  const { peers } = await box.ask<"peers">({ op: "peers" });
  const self = peers.find((peer) => peer.self);
  if (self === undefined) return undefined;
  const leg = { nodeId: self.nodeId, call: readable(found.call), messages: found.messages.map(readableMessage) };
  return ladderOf([leg], peers, [], Date.now());
}

const TIME_WIDTH = 11;
const COLUMN_WIDTH = 26;

/** For a terminal of some hundred columns. */
export function ladderLines({ kind, from, to, outcome, columns, messages, startedAt, leftOut, silent }: CallLadder): string[] {
  const titled = (text: string): string => centered(shownText(text, COLUMN_WIDTH - 2), COLUMN_WIDTH);
  const margin = " ".repeat(TIME_WIDTH);
  const places = columns.map(({ name }) => name);
  return [
    `${new Date(startedAt).toISOString().slice(0, 19).replace("T", " ")} UTC`,
    shownText(`${kind === "call" ? `${from} to ${to}` : from}: ${outcome}`, 400),
    "",
    margin + columns.map(({ label }) => titled(label)).join(""),
    margin + columns.map(({ name }) => titled(name)).join(""),
    ...messages.map((message) => offset(message.at - startedAt) + arrowLine(message, places)),
    ...silent.map(({ words }) => `The box ${words} carried it too and does not tell what it saw.`),
    ...(leftOut > 0 ? [`${leftOut} more messages were not kept.`] : []),
  ];
}

function arrowLine({ from, to, startLine }: CallMessage, places: readonly string[]): string {
  const [start, end] = [places.indexOf(from), places.indexOf(to)];
  const cells = [...places.map(() => centered("|", COLUMN_WIDTH)).join("")];
  const [left, right] = [middle(Math.min(start, end)), middle(Math.max(start, end))];
  const space = Math.max(0, right - left - 1);
  const label = shownText(short(startLine), Math.max(0, space - 6));
  const line = centered(` ${label} `, space, "-");
  const arrow = start <= end ? `${line.slice(0, -1)}>` : `<${line.slice(1)}`;
  cells.splice(left + 1, space, ...(space > 0 ? [...arrow] : []));
  return cells.join("").trimEnd();
}

/** Where the line of a column stands. */
const middle = (column: number): number => column * COLUMN_WIDTH + Math.floor((COLUMN_WIDTH - 1) / 2);

function centered(text: string, width: number, fill = " "): string {
  const before = Math.floor((width - text.length) / 2);
  return text.padStart(text.length + Math.max(0, before), fill).padEnd(width, fill).slice(0, width);
}

const short = (startLine: string): string => (startLine.startsWith("SIP/2.0 ") ? startLine.slice("SIP/2.0 ".length) : (startLine.split(" ", 1)[0] ?? ""));
const offset = (milliseconds: number): string => `${(milliseconds / 1_000).toFixed(3)} s`.padStart(TIME_WIDTH - 1).padEnd(TIME_WIDTH);
const clock = (at: number): string => new Date(at).toISOString().slice(11, 19);

const messageLines = ({ at, from, to, transport, text }: CallMessage, startedAt: number): string[] => [
  `${offset(at - startedAt).trim()}  ${shownText(`${from} to ${to}`)} over ${transport}`,
  ...text.split(/\r?\n/).map((line) => shownText(line, 2_000)),
];

/** SIP is UTF-8, and travels as octets. */
const utf8 = (octets: string): string => Buffer.from(octets, "latin1").toString("utf8");
const readable = <Call extends Pick<RecordedCall, "from" | "to" | "reason">>(call: Call): Call => ({ ...call, from: utf8(call.from), to: utf8(call.to), reason: utf8(call.reason) });
const readableMessage = (message: RecordedMessage): RecordedMessage => ({ ...message, startLine: utf8(message.startLine), text: utf8(message.text) });
