// What a POST of the page brings: one small JSON object.

import type { IncomingMessage } from "node:http";
import { parseJson } from "../../io/control-frames.ts";
import type { Refusal } from "./door.ts";
import { readBody } from "./read-body.ts";

/** Every question of the page is smaller. */
const BODY_MAX_BYTES = 4_096;

export interface JsonBody {
  readonly values: Readonly<Record<string, unknown>>;
}

/** The object, or why there is none. A body above the bound is not read on: the connection ends with the answer. */
export async function readJson(request: IncomingMessage): Promise<JsonBody | Refusal> {
  if (request.headers["content-type"]?.split(";", 1)[0]?.trim() !== "application/json") return { status: 415, text: "The body must be JSON." };
  const text = await readBody(request, BODY_MAX_BYTES);
  if (text === undefined) return { status: 413, text: "The body is too long, or broke off." };
  const value = parseJson(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { values: { ...value } } : { status: 400, text: "The body is no JSON object." };
}

/** A string of it; empty if it is not there or is something else. */
export const textIn = ({ values }: JsonBody, name: string): string => {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  return typeof value === "string" ? value.slice(0, 256) : "";
};
