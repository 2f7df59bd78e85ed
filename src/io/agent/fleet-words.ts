// The words of the agents' conversation, as they cross it (docs/health.md). Everything is checked when it arrives.

import * as z from "zod/mini";
import type { SignedText } from "./envelope.ts";
import { BoxUpdateWords } from "../updates/update-words.ts";

const nodeId = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const words = z.string().check(z.maxLength(300));
const time = z.number().check(z.gte(0), z.lte(Number.MAX_SAFE_INTEGER));
const verdict = z.enum(["works", "impaired", "broken", "not-known"]);
const transport = z.enum(["UDP", "TCP", "TLS", "WS", "WSS"]);

/** Of one trial call by the box that signs, through the box that it is told to. */
export const Receipt = z.object({
  transport,
  succeeded: z.boolean(),
  tookMs: z.nullable(z.number()),
  detail: words,
});
export type Receipt = z.infer<typeof Receipt>;

const Event = z.object({ id: z.string().check(z.maxLength(100)), at: time, severity: z.enum(["notice", "warning", "alarm"]), text: words });

/** What an agent says of its own box to everybody. */
export const Card = z.object({
  kind: z.literal("card"),
  /** Its own count: a later card has a higher one. */
  at: time,
  verdict,
  /** Milliseconds since the newest proof that the verdict stands on. */
  provedAgo: z.nullable(z.number()),
  firstLine: words,
  page: z.string().check(z.maxLength(128), z.regex(/^(http:\/\/[0-9a-zA-Z.:[\]-]+\/)?$/)),
  listens: z.array(z.object({ transport, port: z.int().check(z.gte(1), z.lte(65_535)) })).check(z.maxLength(5)),
  phones: z.object({ registered: z.number(), proved: z.number() }),
  /** Contacts that answered lately: `aor contact`, milliseconds ago, round trip. */
  answers: z.array(z.tuple([z.string().check(z.maxLength(600)), z.number(), z.nullable(z.number())])).check(z.maxLength(500)),
  events: z.array(Event).check(z.maxLength(20)),
  /** On its way to another version; for each architecture of the fleet. An agent that knows no updates does not say it. */
  updates: z.optional(z.array(BoxUpdateWords).check(z.maxLength(2))),
});
export type Card = z.infer<typeof Card>;

const LooseEnvelope: z.ZodMiniType<SignedText> = z.object({ certificate: z.string(), issuing: z.string(), text: z.string(), signature: z.string() });

/** One agent asks another. */
export const Question = z.object({
  kind: z.literal("exchange"),
  /** Node-ID of the box that is meant. */
  to: nodeId,
  /** As the other one told: nobody can say again what was said before it was started. */
  run: z.string().check(z.maxLength(64)),
  /** Rises with every question of this agent. */
  count: time,
  receipts: z.array(Receipt).check(z.maxLength(16)),
  card: LooseEnvelope,
  /** Of which boxes it has cards, and which. */
  have: z.record(nodeId, time),
  /** Wants to take its box out of service for so many milliseconds; 0: has put it back. */
  slot: z.nullable(time),
  /** It takes its copies with it for a while: no is said while those of the one that is asked are not all there. */
  whole: z.optional(z.boolean()),
});
export type Question = z.infer<typeof Question>;

export const Reply = z.object({
  kind: z.literal("reply"),
  to: nodeId,
  run: z.string().check(z.maxLength(64)),
  /** Of the question that is answered. */
  count: time,
  /** The question was not of this run, and was not heard. */
  again: z.boolean(),
  /** Whether the box may go out of service, as far as this one has a say; `null`: it did not ask. */
  granted: z.nullable(z.boolean()),
  cards: z.array(LooseEnvelope).check(z.maxLength(512)),
});
export type Reply = z.infer<typeof Reply>;
