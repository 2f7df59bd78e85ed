// One agent asks another what its box remembers of a call. Question and answer are signed as everything between agents
// is; the answer is also encrypted under the fleet's secret, for the way is plain HTTP and who is not signed in may not read it.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import * as z from "zod/mini";
import type { CallView, MessageView } from "../../health/ports.ts";
import { parseJson } from "../control-frames.ts";
import { seal, type SignedText, unseal } from "./envelope.ts";
import { type Partner, postEnvelope } from "./fleet-talk.ts";
import type { OwnIdentity } from "./own-identity.ts";

export const CALL_PATH = "/fleet/call";
/** A call with all its messages, unpacked. */
const LEG_MAX_BYTES = 4 * 1_048_576;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface CallLeg {
  readonly call: CallView;
  readonly messages: readonly MessageView[];
}

const nodeId = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const Question = z.object({ kind: z.literal("call"), to: nodeId, token: z.string().check(z.maxLength(64)), name: z.string().check(z.maxLength(1_024)) });
const Reply = z.object({ kind: z.literal("call-reply"), to: nodeId, token: z.string(), sealed: z.string() });

const words = z.string().check(z.maxLength(1_024));
const moment = z.nullable(z.number());
const Leg = z.nullable(z.object({
  call: z.object({
    kind: z.enum(["call", "registration"]), id: words, callId: words, from: words, to: words, startedAt: z.number(), ringingAt: moment, answeredAt: moment,
    endedAt: moment, status: z.nullable(z.number()), reason: words, endedBy: z.nullable(z.enum(["caller", "callee"])), leftOut: z.number(),
  }),
  messages: z.array(z.object({
    at: z.number(), direction: z.enum(["in", "out"]), remote: z.object({ host: words, port: z.number() }), transport: words, startLine: z.string(), text: z.string(),
  })).check(z.maxLength(128)),
}));

/** `undefined`: no answer, or not one of that box. */
export async function askLeg(identity: OwnIdentity, { nodeId: to, page }: Partner, name: string): Promise<CallLeg | null | undefined> {
  const token = randomBytes(12).toString("hex");
  const question: z.infer<typeof Question> = { kind: "call", to, token, name };
  const body = await postEnvelope(`${page.slice(0, -1)}${CALL_PATH}`, JSON.stringify(seal(identity, JSON.stringify(question))));
  const said = body === undefined ? undefined : unseal(identity, parseJson(body));
  const reply = said === undefined ? undefined : Reply.safeParse(said.content);
  if (said?.nodeId !== to || reply?.success !== true || reply.data.to !== identity.nodeId || reply.data.token !== token) return undefined;
  const leg = Leg.safeParse(parseJson(decrypted(identity, reply.data.sealed) ?? ""));
  return leg.success ? leg.data : undefined;
}

/** `undefined`: it is none of the fleet that asks, or this box is not meant. */
export async function answerLeg(
  identity: OwnIdentity, envelope: unknown, isMember: (nodeId: string) => boolean, find: (name: string) => Promise<CallLeg | null>,
): Promise<SignedText | undefined> {
  const said = unseal(identity, envelope);
  const question = said === undefined ? undefined : Question.safeParse(said.content);
  if (said === undefined || question?.success !== true || question.data.to !== identity.nodeId || !isMember(said.nodeId)) return undefined;
  const reply: z.infer<typeof Reply> = { kind: "call-reply", to: said.nodeId, token: question.data.token, sealed: encrypted(identity, JSON.stringify(await find(question.data.name))) };
  return seal(identity, JSON.stringify(reply));
}

const keyOf = ({ fleetSecret }: OwnIdentity): Buffer => Buffer.from(hkdfSync("sha256", fleetSecret, "", "ringbox agents: calls", 32));

function encrypted(identity: OwnIdentity, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", keyOf(identity), nonce);
  const sealed = Buffer.concat([cipher.update(gzipSync(text)), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
}

/** `undefined`: not under this fleet's secret, or too much. */
function decrypted(identity: OwnIdentity, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, "base64");
  try {
    const decipher = createDecipheriv("aes-256-gcm", keyOf(identity), bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const packed = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    return gunzipSync(packed, { maxOutputLength: LEG_MAX_BYTES }).toString("utf8");
  } catch {
    return undefined;
  }
}
