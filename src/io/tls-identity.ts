// What both ends of the overlay port show and check.

import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { NodeId, Trust } from "../overlay/ports.ts";
import { certificatePem } from "./pki.ts";

export const LINK_ALPN = "reload/1";
export const ENROLLMENT_ALPN = "http/1.1";

/** A box's certificate with the issuing one, and its key; TLS 1.3 and nothing else. */
export function tlsIdentity(identity: {
  readonly certificate: Uint8Array;
  readonly issuingCertificate: Uint8Array;
  readonly privateKeyPem: string;
}): SecureContextOptions {
  return {
    minVersion: "TLSv1.3",
    cert: certificatePem(identity.certificate) + certificatePem(identity.issuingCertificate),
    key: identity.privateKeyPem,
  };
}

/**
 * Who is at the other end, by our own check and not by host names. OpenSSL's check is switched off
 * because it would end the connection before either side can say why.
 */
export function identifyPeer(
  socket: TLSSocket,
  trust: Trust & { learnIssuing?(issuing: Uint8Array): void },
  inspect: (certificate: Uint8Array) => ReturnType<Trust["inspect"]> = (certificate) => trust.inspect(certificate),
): { readonly nodeId: NodeId; readonly certificate: Uint8Array; readonly key: string | undefined; readonly isClient: boolean } | { readonly refused: string } {
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return { refused: "it showed no certificate" };
  const certificate = shown.raw;
  if (shown.issuerCertificate !== undefined) trust.learnIssuing?.(shown.issuerCertificate.raw);
  const inspected = inspect(certificate);
  return "refused" in inspected ? inspected : { nodeId: inspected.nodeId, certificate, key: inspected.key, isClient: inspected.isClient === true };
}

/**
 * A box that refuses a link says why in one line of text before it closes. Frames begin with 80 or 81
 * (hex), so that the line cannot be taken for one; what it says is shown to people and never acted on.
 */
const REFUSAL = "refused: ";
const MAX_REFUSAL = 200;

export const refusalLine = (reason: string): string => `${REFUSAL}${reason}\n`;

/** The reason in the first bytes that came over a link, if they are a refusal. */
export function parseRefusal(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.subarray(0, REFUSAL.length + MAX_REFUSAL)).toString("latin1");
  if (!text.startsWith(REFUSAL)) return undefined;
  return Array.from(text.slice(REFUSAL.length).trimEnd(), (char) => (char >= " " && char <= "~" ? char : "?")).join("");
}
