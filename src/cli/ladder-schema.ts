// What a call with its messages looks like (health/report.ts): the agent's answer, and `ringbox call --json`.

import * as z from "zod/mini";
import type { CallLadder } from "../health/report.ts";

const described = <Schema extends z.ZodMiniType>(schema: Schema, description: string): Schema => schema.check(z.describe(description));
const time = described(z.number(), "milliseconds since 1970 by the ring's clock");

const message = z.object({
  at: time,
  receivedAt: described(z.nullable(z.number()), "at the box it was sent to; null: a phone, or a box that does not tell"),
  from: described(z.string(), "name of a column"),
  to: z.string(),
  transport: z.enum(["UDP", "TCP", "TLS", "WS", "WSS"]),
  startLine: z.string(),
  text: described(z.string(), "the whole message, secrets removed"),
});

export const ladderSchema = z.object({
  kind: described(z.enum(["call", "registration"]), "`registration`: how a phone registered last"),
  id: described(z.string(), "names the call at every box, 16 hex digits"),
  callId: described(z.string(), "the Call-ID of its messages"),
  from: z.string(),
  to: z.string(),
  startedAt: time,
  endedAt: described(z.nullable(z.number()), "null: it goes on"),
  outcome: described(z.string(), "how it stands or ended, in words"),
  columns: described(z.array(z.object({ name: z.string(), isBox: z.boolean(), label: z.string() })), "who takes part, the caller first"),
  messages: described(z.array(message), "in order, merged over the boxes"),
  leftOut: described(z.number(), "messages that there was no room for"),
  silent: described(z.array(z.object({ nodeId: z.nullable(z.string()), words: z.string() })), "boxes that carried it and did not tell"),
}) satisfies z.ZodMiniType<CallLadder>;
