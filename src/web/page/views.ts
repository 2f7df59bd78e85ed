// What people see of a report. Plain functions from the report to markup; no clock: ages count from `report.at`.

import type { BoxHealth, Condition, Fact, HealthReport, Phone, Proof, Series, Verdict, WallTime } from "../../health/report.ts";
import { callsView } from "./call-view.ts";
import { html, Markup } from "./markup.ts";
import { ringView } from "./ring-view.ts";
import { STYLE } from "./style.ts";

/** Phones shown when nobody asked for one; the search finds all. */
const PHONES_SHOWN = 40;
const EVENTS_SHOWN = 12;
const EVENTS_UNFOLDED = 100;

/** The whole page. `found`: the phones of a search for `query`. */
export function pageOf(report: HealthReport, query: string, found: readonly Phone[], series: readonly Series[] = []): string {
  const { box, software, verdict } = report;
  const page = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${box.words}: ${SAID[verdict]}</title><link rel="icon" href="data:,"><style>${STYLE_MARKUP}</style><script type="module" src="/assets/live.js"></script></head><body>
<a class="skip" href="#main">To what is the matter</a><p id="stale" role="alert" hidden></p>
${headerView(report, false)}
<main id="main" tabindex="-1"><div class="grid">${sectionsOf(report, query, found)}${chartsView(series)}</div></main>
<footer><p>${software}. Ages count from the time above. <a href="/sign-in">Sign in</a> to ring a phone, to prove now, to drain or restart this box: over HTTPS, with a code from the box's screen or from <code>ringbox web-code</code>.</p></footer></body></html>`;
  return page.html;
}

/** `isLive`: it changes by itself, as long as the box is heard. */
export function headerView({ box, fleet, domain, verdict, firstLine, at }: HealthReport, isLive: boolean): Markup {
  const still = isLive ? null : html` This page does not change by itself: <a href="/">load it anew</a>.`;
  return html`<header id="top"><p class="where">Box <b>${box.words}</b>${fleet === "" ? null : html` · ${fleet}`}${domain === "" ? null : html` · ${domain}`}</p>
<h1 class="${verdict}" aria-live="polite">${firstLine}</h1><p class="soft">As of ${clockTime(at)} UTC.${still}</p></header>`;
}

/** Each `section` by itself, so that a page that is open replaces what changed. */
export const sectionsOf = (report: HealthReport, query: string, found: readonly Phone[]): readonly Markup[] => [
  conditionsView(report), ringView(report), boxesView(report), phonesView(report, query, found), callsView(report), proofsView(report), timeLineView(report), machineView(report),
];

const STYLE_MARKUP = new Markup(STYLE);

const SAID: Readonly<Record<Verdict, string>> = { works: "works", impaired: "impaired", broken: "does not work", "not-known": "not known" };
/** A sign beside the colour, for those who see none. */
const SIGN: Readonly<Record<Verdict, string>> = { works: "✓", impaired: "!", broken: "✗", "not-known": "?" };

const state = (verdict: Verdict, text = SAID[verdict]): Markup => html`<b class="${verdict}"><span aria-hidden="true">${SIGN[verdict]} </span>${text}</b>`;

function conditionsView({ conditions, at }: HealthReport): Markup {
  return html`<section class="wide" aria-labelledby="matters"><h2 id="matters">What is the matter</h2>${conditions.length === 0 ? html`<p>Nothing is known to be the matter.</p>` : html`<ul>${conditions.map((condition) => conditionView(condition, at))}</ul>`}</section>`;
}

const conditionView = ({ code, severity, text, next, since }: Condition, at: WallTime): Markup =>
  html`<li data-key="${code}"><p><b class="${severity}">${SEVERITY[severity]}</b> ${text} <small>began ${ago(since, at)}</small></p>${next === "" ? null : html`<p>→ ${withCommands(next)}</p>`}</li>`;

/** What stands between backticks is to be typed. */
const withCommands = (text: string): readonly Markup[] => text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));

const SEVERITY = { alarm: "Alarm:", warning: "Warning:", notice: "Notice:" } as const;

function boxesView({ boxes, at }: HealthReport): Markup {
  return html`<section aria-labelledby="boxes"><h2 id="boxes">Boxes</h2>${boxes.length === 0 ? html`<p>No box is known.</p>` : html`<ul>${boxes.map((box) => boxView(box, at))}</ul>`}</section>`;
}

function boxView({ nodeId, words, self, state: phase, verdict, provedAt, share, zone, sip, page, roundTripMs }: BoxHealth, at: WallTime): Markup {
  const name = page === null || !page.startsWith("http") ? html`<b>${words}</b>` : html`<a href="${page}"><b>${words}</b></a>`;
  const more = [phase, `${Math.round(share * 100)} % of the ring`, ...(zone === "" ? [] : [zone]), sip, ...(roundTripMs === null ? [] : [`${roundTripMs.toFixed(1)} ms`])].join(" · ");
  return html`<li class="row" data-key="${nodeId}"><div>${name}${self ? " (this box)" : ""}<br><small>${more}</small></div><div>${state(verdict)}<br><small>${provedAt === null ? "never proved" : html`proved ${ago(provedAt, at)}`}</small></div></li>`;
}

function phonesView({ phones, at }: HealthReport, query: string, found: readonly Phone[]): Markup {
  const shown = found.slice(0, PHONES_SHOWN);
  const empty = html`<p>${query === "" ? "No phone is registered." : "No phone is found by that."}</p>`;
  const more = found.length > shown.length ? html`<p class="soft">The first ${shown.length}; search for the others.</p>` : null;
  return html`<section class="wide" aria-labelledby="phones"><h2 id="phones">Phones: ${phones.proved} of ${phones.registered} proved</h2><form action="/" method="get" role="search"><input name="q" value="${query}" aria-label="Where is this phone?" placeholder="Where is 204?" maxlength="100"><button>Find</button></form>${shown.length === 0 ? empty : html`<ul>${shown.map((phone) => phoneView(phone, at))}</ul>`}${more}</section>`;
}

function phoneView({ aor, displayName, flows, verdict }: Phone, at: WallTime): Markup {
  const lines = flows.map((flow) => {
    const answered = flow.answeredAt === null ? html`has not answered yet` : html`answered ${ago(flow.answeredAt, at)}${flow.answeredTo === null ? null : html` to ${flow.answeredTo.words}`}${flow.roundTripMs === null ? "" : `, ${Math.round(flow.roundTripMs)} ms`}`;
    const nat = flow.nat === "rewritten" ? " · something between changes its SIP" : flow.nat === "translated" ? " · behind NAT" : "";
    return html`<br><small>${answered} · ${flow.transport} from ${flow.received} at ${flow.box.words}${flow.model === "" ? "" : ` · ${flow.model}`}${nat}</small>`;
  });
  return html`<li class="row" data-key="${aor}"><div><b>${aor}</b>${displayName === "" ? "" : ` ${displayName}`}${lines}</div><div>${state(verdict, verdict === "broken" ? "registered, does not answer" : SAID[verdict])}</div></li>`;
}

function proofsView({ proofs, at }: HealthReport): Markup {
  return html`<section aria-labelledby="proofs"><h2 id="proofs">Proofs</h2>${proofs.length === 0 ? html`<p>Nothing has been proved yet.</p>` : html`<ul>${proofs.map((proof) => proofView(proof, at))}</ul>`}</section>`;
}

const DONE = { call: "A call", ring: "A question to the ring", page: "This page fetched" } as const;

const proofView = ({ what, transport, by, outside, verdict, at: when, tookMs, detail }: Proof, at: WallTime): Markup =>
  html`<li class="row"><div>${DONE[what]}${transport === null ? "" : ` over ${transport}`}, by ${by.words}${outside ? " from outside" : ""}<br><small>${detail}</small></div><div>${state(verdict)}<br><small>${when === null ? "never" : ago(when, at)}${tookMs === null ? "" : `, ${Math.round(tookMs)} ms`}</small></div></li>`;

/** Of all boxes; what is older is a keystroke away. */
function timeLineView({ timeLine, at }: HealthReport): Markup {
  const [shown, older] = [timeLine.slice(0, EVENTS_SHOWN), timeLine.slice(EVENTS_SHOWN, EVENTS_UNFOLDED)];
  const rows = (events: HealthReport["timeLine"]): readonly Markup[] => events.map((event) => html`<li data-key="${event.id}">${event.text}<br><small>${ago(event.at, at)} · ${event.box.words}</small></li>`);
  const more = older.length === 0 ? null : html`<details><summary>What happened before</summary><ul>${rows(older)}</ul></details>`;
  return html`<section class="wide" aria-labelledby="line"><h2 id="line">What happened</h2>${shown.length === 0 ? html`<p>Nothing yet.</p>` : html`<ul>${rows(shown)}</ul>`}${more}</section>`;
}

function machineView({ facts }: HealthReport): Markup {
  const told = facts.filter(({ value }) => value !== null);
  return html`<section class="wide" aria-labelledby="machine"><h2 id="machine">This machine</h2>${told.length === 0 ? html`<p>Nothing was measured yet.</p>` : html`<dl>${told.map((fact) => html`<div><dt>${fact.label}</dt><dd>${measured(fact)}</dd></div>`)}</dl>`}</section>`;
}

const CHART = { width: 300, height: 60 };
/** Points of a series that are drawn: the last ten minutes. */
export const DRAWN = 600;

/** The last ten minutes as lines, and the same in words for those who see none. */
export function chartsView(series: readonly Series[]): Markup {
  if (series.length === 0) return html`<section class="wide" id="charts" hidden></section>`;
  return html`<section class="wide" id="charts" aria-labelledby="lately"><h2 id="lately">The last ten minutes</h2><div class="charts">${series.map(chartView)}</div></section>`;
}

function chartView({ label, unit, points }: Series): Markup {
  const drawn = points.slice(-DRAWN);
  const values = drawn.flatMap(([, value]) => value ?? []);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const last = drawn.at(-1)?.[1] ?? null;
  const words = `${label}: ${last === null ? "not known" : rounded(last, unit)}, ${rounded(least, unit)} to ${rounded(most, unit)} in the last ten minutes`;
  const lines = linesOf(drawn, least, most).map((line) => html`<polyline points="${line}" fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke"/>`);
  return html`<figure><figcaption>${label} <b>${last === null ? "?" : rounded(last, unit)}</b></figcaption><svg class="chart" viewBox="0 0 ${CHART.width} ${CHART.height}" preserveAspectRatio="none" role="img" aria-label="${words}">${lines}</svg><small>${rounded(least, unit)} to ${rounded(most, unit)}</small></figure>`;
}

/** One line for each stretch in which something was known: a gap is a gap. */
function linesOf(points: Series["points"], least: number, most: number): readonly string[] {
  const height = most - least || 1;
  const lines: string[] = [];
  let line: string[] = [];
  points.forEach(([, value], index) => {
    if (value === null) {
      if (line.length > 0) lines.push(line.join(" "));
      line = [];
    } else line.push(`${((CHART.width * (DRAWN - points.length + index)) / DRAWN).toFixed(1)},${(3 + (CHART.height - 6) * (1 - (value - least) / height)).toFixed(1)}`);
  });
  return line.length > 0 ? [...lines, line.join(" ")] : lines;
}

const rounded = (value: number, unit: string): string => `${value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${unit}`.trim();

/** As people say it: bytes in the unit that leaves two or three digits, seconds in words. */
function measured({ value, unit }: Fact): string {
  if (typeof value !== "number") return String(value);
  if (unit === "bytes") return value >= 1e9 ? `${(value / 1e9).toFixed(1)} GB` : `${Math.round(value / 1e6)} MB`;
  return unit === "s" ? spanOf(value) : `${value} ${unit}`.trim();
}

/** "3 s ago", with the exact time for programs. */
function ago(then: WallTime, at: WallTime): Markup {
  const seconds = Math.max(0, Math.round((at - then) / 1_000));
  return html`<time datetime="${new Date(then).toISOString()}">${spanOf(seconds)} ago</time>`;
}

function spanOf(seconds: number): string {
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}

const clockTime = (at: WallTime): string => new Date(at).toISOString().slice(11, 19);
