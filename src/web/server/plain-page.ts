// The page without anything: readable in any browser, with no script and no style.

import type { ServerResponse } from "node:http";
import type { HealthReport } from "../../health/report.ts";
import { send } from "./answers.ts";

export function sendPlainPage(response: ServerResponse, { firstLine, conditions, boxes, box }: HealthReport): void {
  const matters = conditions.map(({ text, next }) => `<li>${escape(text)} ${escape(next)}</li>`).join("");
  const rows = boxes.map(({ words, state, verdict }) => `<tr><td>${escape(words)}<td>${escape(state)}<td>${escape(verdict)}`).join("");
  const body = `<h1>${escape(firstLine)}</h1><ul>${matters}</ul><table>${rows}</table>`;
  const head = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(box.words)}</title>`;
  send(response, 200, "text/html; charset=utf-8", `${head}${body}</html>`);
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
