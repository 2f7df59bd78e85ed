// What the agent's JSON looks like (health/report.ts), as a schema: printed into docs/schema, and a test holds the
// agent to it. Fields are only ever added.

import * as z from "zod/mini";
import { ladderSchema } from "../cli/ladder-schema.ts";
import type { BoxHealth, BoxName, CallEntry, Condition, Fact, HealthReport, Phone, PhoneFlow, Proof, RecentCall, Series, TimeLineEvent } from "../health/report.ts";

const described = <Schema extends z.ZodMiniType>(schema: Schema, description: string): Schema => schema.check(z.describe(description));

const time = described(z.number(), "milliseconds since 1970 by the agent's clock");
const verdict = described(z.enum(["works", "impaired", "broken", "not-known"]), "`works` only of what was proved within two intervals");
const severity = z.enum(["notice", "warning", "alarm"]);
const transport = z.enum(["UDP", "TCP", "TLS", "WS", "WSS"]);
const milliseconds = z.nullable(z.number());

const nameFields = {
  nodeId: described(z.nullable(z.string()), "32 hex digits; null for a box that has none yet"),
  words: described(z.string(), "the box as people name it"),
};
const boxName = z.object(nameFields) satisfies z.ZodMiniType<BoxName>;

const condition = z.object({ code: z.string(), severity, text: z.string(), next: z.string(), since: time }) satisfies z.ZodMiniType<Condition>;

const proof = z.object({
  what: z.enum(["call", "ring", "page"]),
  transport: z.nullable(transport),
  by: described(boxName, "the box whose agent did it"),
  outside: described(z.boolean(), "whether it is another box than the one proved"),
  verdict,
  at: z.nullable(time),
  tookMs: milliseconds,
  detail: described(z.string(), "where it ended"),
  signature: described(z.nullable(z.string()), "of the box that did it, over its whole word to this one, base64; null for a box's own"),
}) satisfies z.ZodMiniType<Proof>;

const box = z.object({
  ...nameFields,
  self: z.boolean(),
  state: z.string(),
  verdict,
  provedAt: z.nullable(time),
  share: z.number(),
  zone: z.string(),
  software: z.string(),
  sip: z.string(),
  page: z.nullable(z.string()),
  roundTripMs: milliseconds,
}) satisfies z.ZodMiniType<BoxHealth>;

const flow = z.object({
  contact: z.string(),
  transport,
  received: z.string(),
  box: boxName,
  model: z.string(),
  registeredUntil: time,
  answeredAt: z.nullable(time),
  answeredTo: z.nullable(boxName),
  roundTripMs: milliseconds,
  nat: z.enum(["none", "translated", "rewritten", "not-known"]),
  verdict: described(verdict, "`broken`: registered, but does not answer"),
}) satisfies z.ZodMiniType<PhoneFlow>;
const phone = z.object({ aor: z.string(), displayName: z.string(), flows: z.array(flow), verdict }) satisfies z.ZodMiniType<Phone>;

const event = z.object({ id: z.string(), at: time, box: boxName, severity, text: z.string() }) satisfies z.ZodMiniType<TimeLineEvent>;
const fact = z.object({ name: z.string(), label: z.string(), value: z.nullable(z.union([z.number(), z.string()])), unit: z.string(), at: time }) satisfies z.ZodMiniType<Fact>;
const callFields = {
  id: described(z.string(), "`/api/calls/ID` has its messages"), from: z.string(), to: z.string(), startedAt: time,
  endedAt: described(z.nullable(time), "null: it goes on"), outcome: described(z.string(), "how it stands or ended, in words"),
};
const call = z.object(callFields) satisfies z.ZodMiniType<RecentCall>;

const report = z.object({
  at: time,
  firstLine: described(z.string(), "how things stand, in words"),
  verdict,
  box: boxName,
  fleet: z.string(),
  domain: z.string(),
  software: z.string(),
  listens: z.array(z.object({ transport, host: z.string(), port: z.number() })),
  peer: z.object({
    state: z.enum(["answering", "silent", "not-running", "waiting-for-admission"]),
    answeredAt: z.nullable(time),
    code: described(z.nullable(z.string()), "the code that admits this box, while it waits"),
  }),
  conditions: described(z.array(condition), "most pressing first; without those that another one explains"),
  proofs: z.array(proof),
  ring: z.object({
    canLose: z.number(),
    copies: z.number(),
    copiesWanted: z.number(),
    inSync: z.boolean(),
    comparedAt: z.nullable(time),
    moving: z.nullable(z.object({ received: z.number(), expected: z.number() })),
  }),
  boxes: z.array(box),
  phones: z.object({ registered: z.number(), proved: z.number(), list: z.array(phone) }),
  facts: z.array(fact),
  timeLine: described(z.array(event), "newest first"),
  calls: described(z.array(call), "newest first"),
  callsUnderWay: described(z.number(), "calls that ring or are talked on, of those that this box remembers"),
}) satisfies z.ZodMiniType<HealthReport>;

const series = z.object({
  name: z.enum(["registrations", "latency", "calls", "cpu", "temperature"]),
  label: z.string(),
  unit: z.string(),
  points: z.array(z.tuple([time, z.nullable(z.number())])),
}) satisfies z.ZodMiniType<Series>;

const callEntry = z.object({ ...callFields, kind: described(z.enum(["call", "registration"]), "`registration`: how a phone registered last") }) satisfies z.ZodMiniType<CallEntry>;

/** By the path that answers it. */
export const AGENT_SCHEMAS = {
  "api/report": report,
  "api/phones": z.array(phone),
  "api/series": z.array(series),
  "api/calls": z.array(callEntry),
  "api/call": ladderSchema,
} as const;
