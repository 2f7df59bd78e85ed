// Waiting for approval, the side of a box without a ticket: it asks a member again and again whether its
// code was typed, and believes the member that proves to know it. From then on this is an enrollment, in which
// the member also says what fleet it is.

import { Agent, request as httpRequest } from "node:http";
import { connect, type TLSSocket } from "node:tls";
import { setTimeout as pause } from "node:timers/promises";
import * as z from "zod/mini";
import { after, minutes, seconds } from "../base/time.ts";
import type { Hint } from "../provision/hint.ts";
import { isProof, makeNonce, PROOF_BYTES, prove, stretchCode } from "./code-proof.ts";
import { type Answer, type EnrollmentAnswer, grantedOf, readAnswer } from "./enrollment.ts";
import { systemClock } from "./clock.ts";
import { describeSocketError } from "./link-connection.ts";
import { formatMultipart, parseMultipart } from "./multipart.ts";
import { makeCertificateRequest } from "./pki.ts";
import { ENROLLMENT_ALPN } from "./tls-identity.ts";
import { ADMIT_PATH, PROOFS_AT_ONCE, WAIT_PATH } from "./waiting-line.ts";

/** What a ticket would have told. */
export interface FleetDescription {
  readonly fleetName: string;
  readonly overlayName: string;
  readonly domain: string;
  /** DER. */
  readonly rootCertificate: Uint8Array;
}

export type ApprovalAnswer =
  | (Extract<EnrollmentAnswer, { outcome: "granted" }> & { readonly fleet: FleetDescription })
  | Exclude<EnrollmentAnswer, { outcome: "granted" }>;

/** A box that waits: its code, and the nonce that makes the stretched code its own. */
export class Waiting {
  readonly code: string;
  readonly privateKeyPem: string;
  readonly #nonce = makeNonce();
  #key: Promise<Buffer> | undefined;

  constructor(box: { readonly code: string; readonly privateKeyPem: string }) {
    this.code = box.code;
    this.privateKeyPem = box.privateKeyPem;
  }

  /** Waits at one address. Ends, to be tried again, when the member is no more there, or to let another have its turn. */
  async at(address: Hint, signal: AbortSignal): Promise<ApprovalAnswer> {
    let line: Line | undefined;
    try {
      line = await Line.open(address, signal);
      const until = after(systemClock.now(), TURN);
      while (systemClock.now() < until) {
        const { status, body } = await line.post(WAIT_PATH, "application/octet-stream", this.#nonce);
        if (status !== 204 && status !== 200) return unreachable(`it answered ${status}`);
        if (await this.#believes(line, body)) return await this.#enroll(line);
        // Five guesses a minute are all that a false member has.
        if (body.length > 0) await pause((body.length / PROOF_BYTES) * TRY_EVERY, undefined, { signal });
      }
      return unreachable("nobody has typed this box's code there yet");
    } catch (error) {
      return unreachable(error instanceof Error ? describeSocketError(error) : String(error));
    } finally {
      line?.close();
    }
  }

  async #believes(line: Line, proofs: Buffer): Promise<boolean> {
    if (proofs.length === 0 || proofs.length > PROOFS_AT_ONCE * PROOF_BYTES) return false;
    this.#key ??= stretchCode(this.code, this.#nonce);
    const expected = prove(await this.#key, "member", line.socket, new Uint8Array(0));
    for (let at = 0; at < proofs.length; at += PROOF_BYTES) {
      if (isProof(proofs.subarray(at, at + PROOF_BYTES), expected)) return true;
    }
    return false;
  }

  async #enroll(line: Line): Promise<ApprovalAnswer> {
    const csr = await makeCertificateRequest(this.privateKeyPem);
    this.#key ??= stretchCode(this.code, this.#nonce);
    const boundary = `ringbox-${crypto.randomUUID()}`;
    const form = [
      { name: "csr", contentType: "application/pkcs10", body: csr },
      { name: "proof", contentType: "application/octet-stream", body: prove(await this.#key, "box", line.socket, csr) },
    ];
    const answer = await line.post(ADMIT_PATH, `multipart/form-data; boundary=${boundary}`, formatMultipart(form, boundary));
    if (answer.status !== 200) return unreachable(`it answered ${answer.status}`);
    const fleet = descriptionIn(answer);
    if (fleet === undefined) return unreachable("it does not say what fleet it is of");
    const granted = grantedOf({ ...fleet, privateKeyPem: this.privateKeyPem }, answer);
    return granted.outcome === "granted" ? { ...granted, fleet } : granted;
  }
}

/** At one address, before another candidate has its turn. */
const TURN = minutes(2);
const TRY_EVERY = seconds(12);
const DIAL_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 20_000;

const unreachable = (reason: string): ApprovalAnswer => ({ outcome: "unreachable", reason });

const Description = z.object({ fleet: z.string(), overlay: z.string(), domain: z.string() });

function descriptionIn({ body, contentType }: Answer): FleetDescription | undefined {
  const parts = parseMultipart(body, contentType) ?? [];
  const json = parts.find((part) => part.contentType === "application/json");
  const [, , root] = parts.filter((part) => part.contentType === "application/pkix-cert");
  if (json === undefined || root === undefined) return undefined;
  try {
    const parsed = Description.safeParse(JSON.parse(Buffer.from(json.body).toString("utf8")));
    if (!parsed.success) return undefined;
    const { fleet, overlay, domain } = parsed.data;
    return { fleetName: fleet, overlayName: overlay, domain, rootCertificate: Uint8Array.from(root.body) };
  } catch {
    return undefined; // the other side's fault, a value
  }
}

/** One TLS connection, on which every request goes: the proofs are good on it alone. Nobody's certificate is believed yet. */
class Line {
  readonly socket: TLSSocket;
  readonly #agent: Agent;
  readonly #host: string;

  static open({ host, port }: Hint, signal: AbortSignal): Promise<Line> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, minVersion: "TLSv1.3", ALPNProtocols: [ENROLLMENT_ALPN], rejectUnauthorized: false, checkServerIdentity: () => undefined });
      const stop = (): void => void socket.destroy(new Error("this box has been admitted elsewhere"));
      signal.addEventListener("abort", stop);
      socket.setTimeout(DIAL_TIMEOUT_MS, () => socket.destroy(new Error("no answer")));
      socket.on("error", reject);
      socket.once("close", () => signal.removeEventListener("abort", stop));
      socket.once("secureConnect", () => {
        socket.setTimeout(ANSWER_TIMEOUT_MS);
        if (socket.alpnProtocol === ENROLLMENT_ALPN) return resolve(new Line(socket, host));
        socket.destroy(new Error("the other side does not speak this protocol"));
      });
    });
  }

  private constructor(socket: TLSSocket, host: string) {
    this.socket = socket;
    this.#host = host;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#agent.createConnection = () => socket;
  }

  post(path: string, contentType: string, body: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error("the connection was closed"));
      const message = httpRequest({
        agent: this.#agent, method: "POST", path,
        headers: { host: this.#host, "content-type": contentType, "content-length": body.length, accept: "multipart/mixed" },
      });
      message.on("error", reject);
      message.on("response", (response) => {
        readAnswer(response).then(resolve, reject);
      });
      message.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
    this.socket.destroy();
  }
}
