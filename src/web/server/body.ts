// Reads what a POST brings, up to a bound.

import type { IncomingMessage } from "node:http";
import type { Refusal } from "./door.ts";

/** Every question of the page is smaller. */
const BODY_MAX_BYTES = 4_096;

export interface Body {
  readonly values: Readonly<Record<string, unknown>>;
}

/** The JSON object of a POST, or why there is none. A body above the bound is not read on: the connection ends with the answer. */
export async function readBody(request: IncomingMessage): Promise<Body | Refusal> {
  if (request.headers["content-type"]?.split(";", 1)[0]?.trim() !== "application/json") return { status: 415, text: "The body must be JSON." };
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > BODY_MAX_BYTES) return { status: 413, text: "The body is too long." };
      chunks.push(chunk);
    }
  } catch {
    return { status: 400, text: "The body broke off." };
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { values: { ...value } };
  } catch {
    // Told below, as for a value that is no object.
  }
  return { status: 400, text: "The body is no JSON object." };
}

/** A string of it; empty if it is not there or is something else. */
export const textIn = ({ values }: Body, name: string): string => {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  return typeof value === "string" ? value.slice(0, 256) : "";
};
