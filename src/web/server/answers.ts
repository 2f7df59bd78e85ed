// Plain answers over HTTP. Nothing that the agent says is kept by anybody: it is old the next moment.

import type { ServerResponse } from "node:http";

const ALWAYS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
} as const;

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, "application/json; charset=utf-8", JSON.stringify(value));
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, "text/plain; charset=utf-8", `${text}\n`);
}

export function send(response: ServerResponse, status: number, contentType: string, body: string | Buffer): void {
  response.writeHead(status, { ...ALWAYS, "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

export { ALWAYS as USUAL_HEADERS };
