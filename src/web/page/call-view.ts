// Calls as people see them: the recent ones in a list, and one of them as a ladder: who sent what to whom, in order.
// The ladder is a list that is drawn as one: without a script, and for who hears the page instead of seeing it.

import type { CallEntry, CallLadder, CallMessage, HealthReport, WallTime } from "../../health/report.ts";
import { html, Markup } from "./markup.ts";
import { STYLE } from "./style.ts";

const CALLS_SHOWN = 12;

/** For everybody on the LAN: that there was a call and how it went. */
export function callsView({ calls, callsUnderWay, at }: Pick<HealthReport, "calls" | "callsUnderWay" | "at">): Markup {
  const shown = calls.slice(0, CALLS_SHOWN);
  const list = shown.length === 0 ? html`<p>No call yet.</p>` : html`<ul>${shown.map((call) => html`<li data-key="${call.id}"><b>${call.from}</b> called <b>${call.to}</b><br><small>${ago(call.startedAt, at)} · ${call.outcome}</small></li>`)}</ul><p class="soft"><a href="/sign-in">Sign in</a> to see the messages of a call.</p>`;
  return html`<section aria-labelledby="calls"><h2 id="calls">Calls: ${callsUnderWay} under way</h2>${list}</section>`;
}

/** For who is signed in: each with a way to its messages. */
export function callListPage(entries: readonly CallEntry[], at: WallTime): string {
  const part = (kind: CallEntry["kind"], id: string, title: string, verb: string): Markup => {
    const rows = entries.filter((entry) => entry.kind === kind).slice(0, LISTED);
    return html`<section class="wide" aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${rows.length === 0 ? html`<p>None is remembered.</p>` : html`<ul>${rows.map((entry) => html`<li><a href="/calls/${entry.id}"><b>${entry.from}</b>${verb === "" ? null : html` ${verb} <b>${entry.to}</b>`}</a><br><small>${ago(entry.startedAt, at)} · ${entry.outcome}</small></li>`)}</ul>`}</section>`;
  };
  return page("Recent calls", html`<header><p class="where"><a href="/operate">Back</a></p><h1>Recent calls</h1></header><main><div class="grid">${part("call", "calls", "Calls", "called")}${part("registration", "registrations", "How phones registered last", "")}</div></main>`);
}

const LISTED = 100;

export function ladderPage(ladder: CallLadder): string {
  const { kind, from, to, startedAt, outcome, silent, leftOut, callId, id } = ladder;
  const title = kind === "call" ? `${from} called ${to}` : `${from} registers`;
  const missing = [
    ...silent.map(({ words }) => `The box ${words} carried it too and does not tell what it saw.`),
    ...(leftOut > 0 ? [`${leftOut} more messages were not kept.`] : []),
  ];
  return page(title, html`<header><p class="where"><a href="/calls">Recent calls</a></p><h1>${title}</h1><p class="soft">${new Date(startedAt).toISOString().slice(0, 19).replace("T", " ")} UTC · ${outcome} · Call-ID ${callId}</p></header>
<main><div class="grid"><section class="wide" aria-labelledby="ladder"><h2 id="ladder">Messages</h2>${missing.map((line) => html`<p class="warning">${line}</p>`)}${ladderView(ladder)}<p class="soft">A message opens when it is chosen. Passwords, keys and what people wrote are removed. <a href="/api/calls/${id}">The same for programs</a>.</p></section></div></main>`);
}

function ladderView({ columns, messages, startedAt }: CallLadder): Markup {
  const places = columns.map(({ name }) => name);
  const heads = columns.map(({ name, label, isBox }) => html`<li class="${isBox ? "box" : "phone"}"><b>${label === "" ? "?" : label}</b><small>${name}</small></li>`);
  const rows = messages.map((message) => rowView(message, places, startedAt));
  return html`<div class="ladder" style="--n:${columns.length}"><ul class="heads" aria-label="Who takes part">${heads}</ul><ol aria-label="Messages, in order">${rows}</ol></div>`;
}

function rowView(message: CallMessage, places: readonly string[], startedAt: WallTime): Markup {
  const [from, to] = [places.indexOf(message.from), places.indexOf(message.to)];
  const [left, right] = [Math.min(from, to), Math.max(from, to)];
  const took = message.receivedAt === null ? "" : `, there after ${Math.max(0, message.receivedAt - message.at)} ms`;
  const arrow = html`<span class="arrow ${from <= to ? "right" : "left"} ${tone(message.startLine)}" style="grid-column:${left + 1}/${right + 2};--k:${right - left}"><span>${short(message.startLine)}</span></span>`;
  return html`<li><details><summary><time>${offset(message.at - startedAt)}</time><span class="unseen">${message.from} to ${message.to}:</span><span class="track">${arrow}</span></summary><div class="whole"><p><small>${message.transport}, ${message.from} → ${message.to}${took}</small></p><pre tabindex="0">${lines(message.text)}</pre></div></details></li>`;
}

/** `INVITE`, `180 Ringing`. */
const short = (startLine: string): string => (startLine.startsWith("SIP/2.0 ") ? startLine.slice("SIP/2.0 ".length) : (startLine.split(" ", 1)[0] ?? ""));

/** By what the first line says: a request, a provisional answer, success, failure. */
function tone(startLine: string): string {
  if (!startLine.startsWith("SIP/2.0 ")) return "request";
  const status = Number(startLine.slice(8, 11));
  if (status < 200) return "not-known";
  return status < 300 ? "works" : status === 401 || status === 407 ? "impaired" : "broken";
}

const offset = (milliseconds: number): string => `${milliseconds < 0 ? "−" : ""}${(Math.abs(milliseconds) / 1_000).toFixed(3)} s`;

/** Escaping leaves no line end: each line by itself. */
const lines = (text: string): Markup => new Markup(text.trimEnd().split(/\r?\n/).map((line) => html`${line}`.html).join("\n"));

function ago(then: WallTime, at: WallTime): Markup {
  const seconds = Math.max(0, Math.round((at - then) / 1_000));
  const span = seconds < 100 ? `${seconds} s` : seconds < 6_000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
  return html`<time datetime="${new Date(then).toISOString()}">${span} ago</time>`;
}

const page = (title: string, body: Markup): string =>
  html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><link rel="icon" href="data:,"><style>${new Markup(STYLE + LADDER_STYLE)}</style></head><body>${body}</body></html>`.html;

/** Beside the page's look. `--n`: columns; `--k`: how many an arrow crosses. */
const LADDER_STYLE = `.ladder{margin-bottom:12px}.ladder ol{list-style:none;margin:0;padding:0}.ladder li{padding:0;border:0}.heads,.ladder summary{display:grid;grid-template-columns:76px minmax(0,1fr)}
.ladder .heads{position:sticky;top:0;z-index:1;background:var(--card);padding:8px 0 8px 76px;grid-template-columns:repeat(var(--n),minmax(0,1fr));border-bottom:1px solid var(--line)}.heads li{text-align:center;line-height:1.25;padding:0 2px}.heads small{display:block;font-size:.72em}
.ladder summary{cursor:pointer;align-items:end;list-style:none}.ladder summary::-webkit-details-marker{display:none}.ladder summary:hover,.ladder details[open] summary{background:var(--bg)}.ladder summary time{color:var(--soft);font-size:.8em;padding-bottom:1px;font-variant-numeric:tabular-nums}
.track{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));background:linear-gradient(90deg,transparent calc(50% - 1px),var(--line) calc(50% - 1px),var(--line) calc(50% + 1px),transparent 0) 0 0/calc(100%/var(--n)) 100%}
.arrow{position:relative;margin:7px calc(50%/(var(--k) + 1)) 4px;border-bottom:2px solid;font-size:.85em;line-height:1.3;text-align:center;min-width:0}.arrow span{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;margin:0 9px}.arrow.request{color:var(--ink)}
.arrow:after{content:"";position:absolute;bottom:-6px;border:5px solid transparent}.arrow.right:after{right:0;border-left-color:currentColor;border-right:0}.arrow.left:after{left:0;border-right-color:currentColor;border-left:0}
.whole{padding:4px 0 12px}.whole pre{margin:6px 0;padding:10px;background:var(--bg);border:1px solid var(--line);border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.78em;line-height:1.45}.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media(max-width:600px){.heads,.ladder summary{grid-template-columns:54px minmax(0,1fr)}.ladder .heads{padding-left:54px}.ladder summary time{font-size:.68em}.arrow{font-size:.7em}.arrow span{margin:0 2px}.heads b{font-size:.85em}.heads small{font-size:.62em}}`;
