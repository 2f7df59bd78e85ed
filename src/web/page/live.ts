// Keeps the open page true: what changed is replaced, ages count on, and a page that hears nothing says so.

import type { HealthReport, Phone, Series } from "../../health/report.ts";
import { patch } from "./patch.ts";
import { chartsView, DRAWN, headerView, sectionsOf } from "./views.ts";

/** The box is heard every 2 s at least: after so long without it nothing here is known to be so any more. Milliseconds. */
const STALE_AFTER = 5_000;

/** Milliseconds; a line of ten minutes hardly moves meanwhile. */
const CHARTS_EVERY = 5_000;

const query = new URLSearchParams(location.search).get("q") ?? "";
let report: HealthReport | undefined;
/** By the clock of the browser, which may be wrong: only differences of it count. */
let reportCameAt = 0;
let heardAt = performance.now();

const events = new EventSource("/api/events");
events.addEventListener("here", () => (heardAt = performance.now()));
events.addEventListener("report", ({ data }: MessageEvent<string>) => {
  report = JSON.parse(data) as HealthReport;
  reportCameAt = heardAt = performance.now();
  void show(report);
});
setInterval(tick, 1_000);
setInterval(() => void drawCharts(), CHARTS_EVERY);

function tick(): void {
  const silence = performance.now() - heardAt;
  const isStale = silence > STALE_AFTER;
  document.body.classList.toggle("stale", isStale);
  const banner = document.querySelector<HTMLElement>("#stale");
  if (banner !== null) {
    banner.hidden = !isStale;
    const words = `This page has not heard from the box for ${Math.round(silence / 1_000)} s: what it shows may not be so any more.`;
    if (isStale && banner.textContent !== words) banner.textContent = words;
  }
  // Nothing new is known, and it grows older.
  if (report !== undefined && !isStale) void show({ ...report, at: report.at + Math.round(performance.now() - reportCameAt) });
}

async function show(shown: HealthReport): Promise<void> {
  const found = query === "" ? shown.phones.list : await phonesFound();
  if (found === undefined) return;
  replace(document.querySelector("header"), headerView(shown, true).html);
  const places = document.querySelectorAll("main section:not(#charts)");
  sectionsOf(shown, query, found).forEach((section, index) => replace(places[index] ?? null, section.html));
}

async function drawCharts(): Promise<void> {
  const series = await fetched<readonly Series[]>(`/api/series?points=${DRAWN}`);
  if (series !== undefined) replace(document.querySelector("#charts"), chartsView(series).html);
}

async function phonesFound(): Promise<readonly Phone[] | undefined> {
  return await fetched<readonly Phone[]>(`/api/phones?q=${encodeURIComponent(query)}`);
}

/** `undefined`: the box does not answer. */
async function fetched<Answer>(path: string): Promise<Answer | undefined> {
  const response = await fetch(path, { cache: "no-store" }).catch(() => undefined);
  return response?.ok === true ? ((await response.json()) as Answer) : undefined;
}

function replace(place: Element | null, markup: string): void {
  if (place === null) return;
  const made = document.createElement("template");
  made.innerHTML = markup;
  const fresh = made.content.firstElementChild;
  if (fresh !== null) patch(place, fresh);
}
