// What one agent says to another: text under the signature of its box, with the certificate that the fleet gave it.
// It goes over plain HTTP, as the page does: it holds no secrets, and nobody but a box of the fleet can say it.

import * as z from "zod/mini";
import { parseJson } from "../control-frames.ts";
import type { OwnIdentity } from "./own-identity.ts";

/** Longest envelope, bytes: the cards of a few hundred boxes. */
export const ENVELOPE_MAX_BYTES = 512 * 1_024;

const base64 = (most: number) => z.string().check(z.maxLength(most), z.regex(/^[A-Za-z0-9+/]*={0,2}$/));
const Envelope = z.object({ certificate: base64(8_192), issuing: base64(8_192), text: z.string(), signature: base64(256) });
export type SignedText = z.infer<typeof Envelope>;

/** Kept apart from everything else that a box's key signs. */
const CONTEXT = "ringbox agent 1\n";
const signed = (text: string): Uint8Array => Buffer.from(CONTEXT + text, "utf8");

export function seal(identity: OwnIdentity, text: string): SignedText {
  const { enrolled } = identity.membership;
  const base = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return { certificate: base(enrolled.certificate), issuing: base(enrolled.issuing.certificate), text, signature: base(identity.crypto.sign(signed(text))) };
}

/** Who said it and what; `undefined`: not a box of this fleet, or not its words. */
export function unseal(identity: OwnIdentity, envelope: unknown): { readonly nodeId: string; readonly content: unknown } | undefined {
  const parsed = Envelope.safeParse(envelope);
  if (!parsed.success) return undefined;
  const { certificate, issuing, text, signature } = parsed.data;
  const der = Buffer.from(certificate, "base64");
  try {
    identity.trust.learnIssuing(Buffer.from(issuing, "base64"));
    const inspected = identity.trust.inspect(der);
    if ("refused" in inspected) return undefined;
    if (!identity.crypto.verify(der, signed(text), Buffer.from(signature, "base64"))) return undefined;
    return { nodeId: inspected.nodeId, content: parseJson(text) };
  } catch {
    return undefined; // not a certificate at all
  }
}
