// The report as lines of text, for any terminal: the same words as on the page.

import * as z from "zod/mini";
import { shownText } from "../../health/access/shown-text.ts";

const wall = z.nullable(z.number());

/** What a screen shows of the report; the rest is passed over. */
export const ScreenReport = z.object({
  at: z.number(),
  firstLine: z.string(),
  verdict: z.enum(["works", "impaired", "broken", "not-known"]),
  box: z.object({ words: z.string() }),
  fleet: z.string(),
  domain: z.string(),
  peer: z.object({ state: z.string(), code: z.nullable(z.string()) }),
  conditions: z.array(z.object({ severity: z.string(), text: z.string(), next: z.string() })),
  proofs: z.array(z.object({ transport: z.nullable(z.string()), by: z.object({ words: z.string() }), outside: z.boolean(), verdict: z.string(), at: wall, tookMs: z.nullable(z.number()), detail: z.string() })),
  boxes: z.array(z.object({ words: z.string(), self: z.boolean(), state: z.string(), verdict: z.string(), provedAt: wall, share: z.number(), sip: z.string(), roundTripMs: z.nullable(z.number()) })),
  phones: z.object({ registered: z.number(), proved: z.number(), list: z.array(z.object({ aor: z.string(), verdict: z.string(), flows: z.array(z.object({ contact: z.string(), model: z.string(), roundTripMs: z.nullable(z.number()), answeredAt: wall })) })) }),
  facts: z.array(z.object({ label: z.string(), value: z.union([z.number(), z.string(), z.null()]), unit: z.string() })),
  timeLine: z.array(z.object({ at: z.number(), severity: z.string(), text: z.string(), box: z.object({ words: z.string() }) })),
  calls: z.array(z.object({ id: z.string(), from: z.string(), to: z.string(), startedAt: z.number(), endedAt: wall, outcome: z.string() })),
});
export type ScreenReport = z.infer<typeof ScreenReport>;

const VERDICTS: Readonly<Record<string, string>> = { works: "works", impaired: "WARN", broken: "BROKEN", "not-known": "?" };

/** At most `height` lines of at most `width` characters. */
export function reportLines(report: ScreenReport, width: number, height: number): string[] {
  const lines = [...wrapped(report.firstLine, width), "", ...conditionLines(report, width), ...boxLines(report), ...proofLines(report), ...callLines(report), ...eventLines(report)];
  return lines.slice(0, height).map((line) => cut(line, width));
}

export function conditionLines({ conditions }: ScreenReport, width: number): string[] {
  return conditions.flatMap(({ severity, text, next }) => wrapped(`${severity === "alarm" ? "!!" : severity === "warning" ? "! " : "- "} ${text}${next === "" ? "" : ` ${next}`}`, width));
}

export function boxLines({ boxes, at }: ScreenReport): string[] {
  if (boxes.length === 0) return [];
  const rows = boxes.map(({ words, self, state, verdict, provedAt, share, roundTripMs }) => {
    const proved = provedAt === null ? "not proved" : `proved ${age(at - provedAt)} ago`;
    const link = self ? "this box" : roundTripMs === null ? "" : `${roundTripMs.toFixed(1)} ms`;
    return `  ${column(words, 22)}${column(state, 10)}${column(VERDICTS[verdict] ?? verdict, 8)}${column(`${(share * 100).toFixed(0)} %`, 6)}${column(link, 10)}${proved}`;
  });
  return ["Boxes", ...rows, ""];
}

function proofLines({ proofs, at }: ScreenReport): string[] {
  if (proofs.length === 0) return [];
  const rows = proofs.map(({ transport, by, outside, verdict, at: when, tookMs, detail }) => {
    const how = when === null ? "never tried" : `${age(at - when)} ago, ${tookMs === null ? "no end" : `${tookMs} ms`}`;
    return `  ${column(transport ?? "", 6)}${column(VERDICTS[verdict] ?? verdict, 8)}${column(outside ? `from ${by.words}` : "by itself", 28)}${how}${verdict === "works" ? "" : `  ${detail}`}`;
  });
  return ["Trial calls", ...rows, ""];
}

export function callLines({ calls, at }: ScreenReport): string[] {
  if (calls.length === 0) return [];
  return ["Calls", ...calls.slice(0, 10).map(({ from, to, startedAt, outcome }) => `  ${column(`${age(at - startedAt)} ago`, 10)}${column(`${from} to ${to}`, 40)}${outcome}`), ""];
}

export function eventLines({ timeLine }: ScreenReport): string[] {
  if (timeLine.length === 0) return [];
  return ["What happened", ...timeLine.slice(0, 50).map(({ at, box, text }) => `  ${new Date(at).toISOString().slice(11, 19)}  ${column(box.words, 22)}${text}`)];
}

export function phoneLines({ phones, at }: ScreenReport): string[] {
  return [
    `${phones.registered} phones are registered, ${phones.proved} proved lately.`,
    ...phones.list.flatMap(({ aor, verdict, flows }) =>
      flows.map(({ contact, model, roundTripMs, answeredAt }) => {
        const answered = answeredAt === null ? "has not answered yet" : `answered ${age(at - answeredAt)} ago${roundTripMs === null ? "" : ` in ${roundTripMs} ms`}`;
        return `  ${column(aor, 28)}${column(VERDICTS[verdict] ?? verdict, 8)}${answered}  ${model}  ${contact}`;
      }),
    ),
  ];
}

export const factLines = ({ facts }: ScreenReport): string[] => facts.map(({ label, value, unit }) => `  ${column(label, 24)}${value === null ? "?" : typeof value === "number" ? Math.round(value * 10) / 10 : value} ${unit}`);

function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

const column = (text: string, width: number): string => `${cut(text, width - 1).padEnd(width)}`;

/** Whatever is shown came from somewhere else. */
const cut = (text: string, width: number): string => shownText(text, 1_000).slice(0, width);

/** Lines of at most `width` characters, broken between words. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [""];
  for (const word of shownText(text, 1_000).split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last === "") lines[lines.length - 1] = word.slice(0, width);
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word.slice(0, width));
  }
  return lines;
}
