// The frames of the control socket: one JSON object a line, each with the `id` of its question.

import type { Socket } from "node:net";
import * as z from "zod/mini";
import type { ControlReply, ControlRequest } from "../peer/control.ts";

/** A question on one line. At the bound the connection is closed. */
export const REQUEST_MAX_BYTES = 256 * 1_024;
/** An answer on one line: some 200,000 subscribers. At the bound the client gives up. */
export const REPLY_MAX_BYTES = 64 * 1_024 * 1_024;

const hash = (digits: number) => z.string().check(z.length(digits), z.regex(/^[0-9a-f]*$/));
const text = z.string().check(z.maxLength(1_024));

/** Goes into SIP answers as it is. */
const pageAddress = z.string().check(z.maxLength(128), z.regex(/^(http:\/\/[0-9a-zA-Z.:[\]-]+\/)?$/));

const condition = z.object({ code: text, severity: z.enum(["notice", "warning", "alarm"]), text, next: text });

const newSubscriber = z.object({
  username: text,
  realm: text,
  displayName: text,
  ha1Md5: hash(32),
  ha1Sha256: hash(64),
});

const request = z.discriminatedUnion("op", [
  z.object({ op: z.literal("heartbeat"), proofs: z.enum(["works", "broken", "not-known"]), page: pageAddress, conditions: z.array(condition).check(z.maxLength(32)) }),
  z.object({ op: z.literal("status") }),
  z.object({ op: z.literal("drain"), on: z.boolean() }),
  z.object({ op: z.literal("restart") }),
  z.object({ op: z.literal("peers") }),
  z.object({ op: z.literal("leave") }),
  z.object({ op: z.literal("subscriber-add"), subscriber: newSubscriber, existing: z.enum(["refuse", "replace"]) }),
  z.object({ op: z.literal("subscriber-remove"), username: text }),
  z.object({ op: z.literal("subscriber-list") }),
  z.object({ op: z.literal("conflict-list") }),
  z.object({ op: z.literal("conflict-resolve"), username: text, version: text }),
  z.object({ op: z.literal("flows") }),
  z.object({ op: z.literal("calls"), life: text, revision: z.int().check(z.gte(0)) }),
  z.object({ op: z.literal("call-messages"), name: text }),
  z.object({ op: z.literal("registration-list"), aor: z.nullable(text) }),
  z.object({ op: z.literal("where"), aor: text }),
  z.object({ op: z.literal("configuration") }),
  z.object({ op: z.literal("published") }),
  z.object({ op: z.literal("configure"), document: z.string() }),
  z.object({ op: z.literal("revoke"), nodeId: text, statement: text }),
  z.object({ op: z.literal("known-boxes") }),
  z.object({ op: z.literal("rotate"), document: z.string(), issuingKeyPem: z.string().check(z.maxLength(1_000)) }),
  z.object({ op: z.literal("admit"), code: z.string().check(z.maxLength(16)) }),
]) satisfies z.ZodMiniType<ControlRequest>;

const identified = z.object({ id: z.int() });

export interface RequestFrame {
  readonly id: number;
  /** `undefined`: not a question that this version knows. */
  readonly request: ControlRequest | undefined;
}

/** `undefined` if the line is not even a frame. */
export function parseRequestFrame(line: string): RequestFrame | undefined {
  const object = parseJson(line);
  const frame = identified.safeParse(object);
  if (!frame.success) return undefined;
  const parsed = request.safeParse(object);
  return { id: frame.data.id, request: parsed.success ? parsed.data : undefined };
}

export const requestLine = (id: number, question: ControlRequest): string => `${JSON.stringify({ id, ...question })}\n`;
export const replyLine = (id: number, reply: ControlReply): string => `${JSON.stringify({ id, ...reply })}\n`;

export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Calls `onLine` with each whole line that arrives, and `onTooLong` once if one passes `maxBytes`. */
export function readLines(socket: Socket, maxBytes: number, onLine: (line: string) => void, onTooLong: () => void): void {
  let parts: Buffer[] = [];
  let waitingBytes = 0;
  socket.on("data", (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1 && !socket.destroyed; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      onLine(Buffer.concat(parts).toString("utf8"));
      parts = [];
      waitingBytes = 0;
      start = end + 1;
    }
    waitingBytes += chunk.length - start;
    if (waitingBytes > maxBytes) return onTooLong();
    if (start < chunk.length) parts.push(chunk.subarray(start));
  });
}
