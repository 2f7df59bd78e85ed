// Enrollment, the newcomer's side: an HTTPS POST of multipart/form-data (RFC 6940 section 11.3) to any
// member's overlay port. The password is the token of the ticket; the user name is the overlay's.
//
// RFC 6940 answers with the certificate alone. A member of a fleet also needs the issuing credential, so
// that it can admit others: who accepts multipart/mixed gets the certificate, the issuing certificate
// (both application/pkix-cert) and the issuing key (application/pkcs8); who does not gets what the RFC says.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { assert } from "../base/assert.ts";
import type { Random } from "../base/random.ts";
import { wallTime } from "../base/time.ts";
import type { NodeId } from "../overlay/ports.ts";
import { CLOCK_FLOOR } from "../overlay/storage/clock.ts";
import type { Hint } from "../provision/hint.ts";
import { chooseNodeId } from "../provision/placement.ts";
import type { AdmissionTicket } from "../provision/ticket.ts";
import type { Clock } from "./clock.ts";
import type { Enrolled } from "./enrolled.ts";
import { describeSocketError } from "./link-connection.ts";
import { formatMultipart, parseMultipart, type Part } from "./multipart.ts";
import { certificateEnd, issueBoxCertificate, makeCertificateRequest, publicKeyOf } from "./pki.ts";
import { ENROLLMENT_ALPN } from "./tls-identity.ts";
import { CertificateTrust } from "./trust.ts";

export const ENROLLMENT_PATH = "/enroll";
/** Of a configuration document (RFC 6940 section 14.3). */
export const CONFIGURATION_TYPE = "application/p2p-overlay+xml";
/** Where anybody may read it (section 11.2). */
export const CONFIGURATION_PATH = "/.well-known/reload-config";
const ANSWER_BYTES_MAX = 262_144;
const TIMEOUT_MS = 8_000;
const GOODBYE_MS = 500;
/** A certificate of ours begins in 1970. Whoever has no time of its own cannot say of another that it is too early. */
const ANY_TIME = wallTime(Number.MAX_SAFE_INTEGER);

export type EnrollmentAnswer =
  | { readonly outcome: "granted"; readonly enrolled: Enrolled }
  /** A member said no: the ticket is not good. */
  | { readonly outcome: "declined"; readonly reason: string }
  /** Nobody there, not a member, or too busy: worth another try. */
  | { readonly outcome: "unreachable"; readonly reason: string };

export interface EnrollmentRequest {
  readonly address: Hint;
  readonly ticket: AdmissionTicket;
  readonly privateKeyPem: string;
  /** DER of a certificate that this key had before: with it the box gets its place on the ring again. */
  readonly previousCertificate?: Uint8Array | undefined;
}

export async function requestEnrollment(request: EnrollmentRequest): Promise<EnrollmentAnswer> {
  const csr = await makeCertificateRequest(request.privateKeyPem);
  try {
    const { status, contentType, body } = await post(request, formOf(request, csr));
    if (status === 200) return grantedOf({ ...request.ticket, ...request }, { contentType, body });
    const sentence = printable(body.toString("latin1"));
    return status === 403 ? { outcome: "declined", reason: sentence } : { outcome: "unreachable", reason: `it answered ${status}: ${sentence}` };
  } catch (error) {
    return { outcome: "unreachable", reason: error instanceof Error ? describeSocketError(error) : String(error) };
  }
}

/** Issues this box's own certificate: the first box of a fleet, from a fleet ticket. */
export async function foundFleet(request: {
  readonly ticket: AdmissionTicket;
  readonly privateKeyPem: string;
  readonly random: Random;
  readonly clock: Clock;
}): Promise<Enrolled> {
  const { ticket, privateKeyPem, random } = request;
  assert(ticket.kind === "fleet", "only a fleet ticket founds a fleet");
  const issuing = { certificate: ticket.issuingCertificate, privateKeyPem: ticket.issuingKeyPem };
  const nodeId = chooseNodeId([], "", random) as NodeId;
  const publicKey = await publicKeyOf(privateKeyPem);
  const notAfter = certificateEnd(issuing, wallTime(Math.max(CLOCK_FLOOR, request.clock.wall())));
  const certificate = await issueBoxCertificate(issuing, { publicKey, nodeId, overlayName: ticket.overlayName, notAfter });
  return { nodeId, issuing, document: ticket.configuration, certificate };
}

function formOf({ ticket, previousCertificate }: EnrollmentRequest, csr: Uint8Array): readonly Part[] {
  const text = (name: string, value: string): Part => ({ name, contentType: "text/plain", body: Buffer.from(value) });
  const form = [
    { name: "csr", contentType: "application/pkcs10", body: csr },
    text("username", ticket.overlayName),
    text("password", ticket.token),
  ];
  if (previousCertificate !== undefined) form.push({ name: "previous", contentType: "application/pkix-cert", body: previousCertificate });
  return form;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** The form leaves only after the member's certificate was checked: the token is a secret. */
function post(request: EnrollmentRequest, form: readonly Part[]): Promise<Answer> {
  const boundary = `ringbox-${crypto.randomUUID()}`;
  const body = formatMultipart(form, boundary);
  return new Promise((resolve, reject) => {
    const message = httpsRequest({
      host: request.address.host,
      port: request.address.port,
      path: ENROLLMENT_PATH,
      method: "POST",
      agent: false,
      minVersion: "TLSv1.3",
      ...{ ALPNProtocols: [ENROLLMENT_ALPN] }, // goes through to tls.connect, though the types do not say so
      rejectUnauthorized: false, // checkMember decides, and says why
      checkServerIdentity: () => undefined,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        host: request.ticket.overlayName,
        accept: "multipart/mixed, application/pkix-cert",
        "content-type": `multipart/form-data; boundary=${boundary}`,
        "content-length": body.length,
        connection: "close",
      },
    });
    message.on("error", (error) => reject(error.name === "AbortError" || error.name === "TimeoutError" ? new Error("no answer") : error));
    message.on("socket", (socket) => {
      socket.once("secureConnect", () => {
        const refused = checkMember(socket as TLSSocket, request);
        if (refused === undefined) return void message.end(body);
        reject(new Error(`it is not believed: ${refused}`));
        socket.end(); // closed in good order, or the member sees a reset and cannot say who came
        setTimeout(() => message.destroy(), GOODBYE_MS).unref();
      });
    });
    message.on("response", (response) => {
      readAnswer(response).then(resolve, reject);
    });
  });
}

/** A newcomer knows the root alone, and not what time it is; the member shows the issuing certificate with its own. */
function checkMember(socket: TLSSocket, { ticket }: EnrollmentRequest): string | undefined {
  // Asked once: on a client's socket Node 24 has nothing to give the second time.
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return "it showed no certificate";
  const issuing = shown.issuerCertificate;
  const inspected = new CertificateTrust({
    root: ticket.rootCertificate, issuing: issuing === undefined ? [] : [issuing.raw], overlayName: ticket.overlayName, wall: () => CLOCK_FLOOR, latest: () => ANY_TIME,
  }).inspect(shown.raw);
  return "refused" in inspected ? inspected.refused : undefined;
}

export async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) throw new Error("its answer is too long");
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, contentType: response.headers["content-type"] ?? "", body: Buffer.concat(chunks) };
}

/** What a member granted, if it is a certificate of the fleet for the key, and the issuing credential. */
export function grantedOf(
  box: { readonly rootCertificate: Uint8Array; readonly overlayName: string; readonly privateKeyPem: string },
  { contentType, body }: Pick<Answer, "contentType" | "body">,
): EnrollmentAnswer {
  const { privateKeyPem } = box;
  const parts = parseMultipart(body, contentType);
  const [certificate, issuingCertificate] = (parts ?? []).filter((part) => part.contentType === "application/pkix-cert");
  const document = parts?.find((part) => part.contentType === CONFIGURATION_TYPE)?.body;
  const key = parts?.find((part) => part.contentType === "application/pkcs8");
  const unusable: EnrollmentAnswer = { outcome: "unreachable", reason: "its answer is not a certificate for this box" };
  if (certificate === undefined || issuingCertificate === undefined || key === undefined) return unusable;
  const issuingKeyPem = matchingKey(key.body, issuingCertificate.body);
  if (issuingKeyPem === undefined || !isFor(certificate.body, privateKeyPem)) return unusable;
  const inspected = new CertificateTrust({
    root: box.rootCertificate, issuing: [issuingCertificate.body], overlayName: box.overlayName, wall: () => CLOCK_FLOOR, latest: () => ANY_TIME,
  }).inspect(certificate.body);
  if ("refused" in inspected) return { outcome: "unreachable", reason: `the certificate it issued is not good: ${inspected.refused}` };
  const issuing = { certificate: Uint8Array.from(issuingCertificate.body), privateKeyPem: issuingKeyPem };
  return { outcome: "granted", enrolled: { nodeId: inspected.nodeId, certificate: Uint8Array.from(certificate.body), issuing, document } };
}

/** The key as PEM if it is the certificate's. */
function matchingKey(pkcs8: Uint8Array, certificate: Uint8Array): string | undefined {
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
    if (!new X509Certificate(certificate).checkPrivateKey(key)) return undefined;
    return key.export({ type: "pkcs8", format: "pem" }).toString();
  } catch {
    return undefined; // the other side's fault, a value
  }
}

function isFor(certificate: Uint8Array, privateKeyPem: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch {
    return false;
  }
}

/** The last line of what a stranger said, fit for a terminal: the RFC's word comes before the sentence. */
export function printable(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  return Array.from(line.slice(0, 300), (char) => (char >= " " && char <= "~" ? char : "?")).join("");
}
