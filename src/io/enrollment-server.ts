// Enrollment, the member's side: any enrolled box admits who brings a good token.

import { hash, X509Certificate } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Crypto } from "../base/crypto.ts";
import type { Random } from "../base/random.ts";
import { hours, type Instant, milliseconds } from "../base/time.ts";
import type { NodeId } from "../overlay/ports.ts";
import type { AdmissionAnswer, AdmissionRequest } from "../peer/admission-office.ts";
import { type Placed, Placement } from "../provision/placement.ts";
import { checkToken, type TokenClaims } from "../provision/ticket.ts";
import type { Clock } from "./clock.ts";
import { CONFIGURATION_PATH, CONFIGURATION_TYPE, ENROLLMENT_PATH } from "./enrollment.ts";
import { formatMultipart, parseMultipart, type Part } from "./multipart.ts";
import { certificateEnd, checkCertificateRequest, type Credential, fingerprint, issueBoxCertificate, privateKeyDer } from "./pki.ts";
import type { RulesInForce } from "./rules-in-force.ts";
import { RENEWAL_PATH } from "./renewal.ts";
import { identifyPeer } from "./tls-identity.ts";
import type { BundleDoor } from "./updates/bundle-door.ts";
import { type CertificateTrust, nodeIdIn, readCertificate } from "./trust.ts";
import { ADMIT_PATH, WAIT_PATH, WaitingLine } from "./waiting-line.ts";

export interface EnrollmentServerSettings {
  readonly fleetName: string;
  readonly overlayName: string;
  /** The SIP domain. */
  readonly domain: string;
  /** DER. */
  readonly root: Uint8Array;
  readonly issuing: Credential;
  readonly crypto: Crypto;
  readonly random: Random;
  /** Its wall time is what tickets are judged by, and when certificates are issued. */
  readonly clock: Clock;
  /** Members now, whose Node-IDs are taken. */
  readonly members: () => readonly Placed[];
  readonly trust: CertificateTrust;
  /** What is in force now. */
  readonly rules: () => RulesInForce;
  /** Whether a box with this key (SHA-256 of it, hex) was revoked, under whatever Node-ID. */
  readonly isRevokedKey: (key: string) => boolean;
  /** What the ring knows of a ticket's uses. */
  readonly askOffice: (request: AdmissionRequest) => Promise<AdmissionAnswer>;
  readonly onReport: (level: "info" | "warning", text: string) => void;
  readonly onCount?: (event: "enrollment-refused") => void;
  /** Gives bundles to boxes of the fleet. */
  readonly bundles: BundleDoor;
}

const FORM_BYTES_MAX = 16_384;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;
/** Beyond a ticket's end. */
const USE_REMEMBERED = hours(24);
/** Longer than a code is good. */
const CODE_REMEMBERED = hours(1);
/** Requests one source may make at once, and then each second. */
const BURST = 20;
const PER_SECOND = 1;

/** A refusal as RFC 6940 section 11.3 has it: status, its word, and a sentence for people. */
class Refusal extends Error {
  readonly status: number;
  readonly word: string;
  constructor(status: number, word: string, sentence: string) {
    super(sentence);
    this.status = status;
    this.word = word;
  }
}

export class EnrollmentServer {
  #settings: EnrollmentServerSettings;
  readonly #server: Server;
  readonly #placement: Placement;
  readonly #line: WaitingLine;
  /** Connections on which a request has come. */
  readonly #asked = new WeakSet<object>();
  readonly #connections = new Set<TLSSocket>(); // BOUNDED: MAX_CONNECTIONS, then they are closed unread
  /** By SHA-256 of the public key: who asks twice gets one Node-ID. BOUNDED: the oldest goes. */
  readonly #granted = new BoundedMap<string, NodeId>(1_024, "evict");
  /** Requests left by source. BOUNDED: the oldest goes and begins anew. */
  readonly #budgets = new BoundedMap<string, { left: number; at: Instant }>(1_024, "evict");

  constructor(settings: EnrollmentServerSettings) {
    this.#settings = settings;
    this.#placement = new Placement(settings.random);
    this.#line = new WaitingLine(settings);
    this.#server = createServer({
      maxHeaderSize: 8_192,
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 2_000,
    });
    this.#server.on("request", (request, response) => {
      this.#asked.add(request.socket);
      this.#answer(request, response).catch(() => response.destroy()); // the connection broke
    });
  }

  /** Serves one connection that chose `http/1.1`. */
  accept(socket: TLSSocket): void {
    if (this.#connections.size >= MAX_CONNECTIONS) return void socket.destroy();
    this.#connections.add(socket);
    const source = sourceOf(socket);
    socket.on("close", () => {
      this.#connections.delete(socket);
      if (!this.#asked.has(socket)) {
        this.#settings.onReport("info", `the box at ${source} came to enroll and left without asking: its ticket may be of another fleet`);
      }
    });
    socket.setTimeout(2 * REQUEST_TIMEOUT_MS, () => socket.destroy());
    this.#server.emit("connection", socket);
  }

  /** From here on certificates are issued with this. */
  issueWith(issuing: Credential): void {
    this.#settings = { ...this.#settings, issuing };
  }

  close(): void {
    for (const socket of this.#connections) socket.destroy();
    this.#line.close();
    this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const source = sourceOf(request.socket);
    try {
      this.#checkBudget(source);
      if (request.method === "GET" && request.url === CONFIGURATION_PATH) return this.#showConfiguration(response);
      if (request.url === WAIT_PATH) return await this.#wait(request, response, source);
      response.setHeader("connection", "close");
      if (this.#settings.bundles.isFor(request)) return await this.#giveBundle(request, response);
      this.#checkCredential();
      if (request.url === ADMIT_PATH) return await this.#admit(request, response, source);
      if (request.method === "POST" && request.url === RENEWAL_PATH) {
        const { certificate, isClient } = await this.#renew(request);
        return this.#grant(response, certificate, isClient);
      }
      const form = await readForm(request, ENROLLMENT_PATH);
      const isClient = !asksForAll(request);
      const { nodeId, certificate } = await this.#enroll(form, isClient);
      this.#settings.onReport("info", `enrolled the ${isClient ? "client" : "box"} at ${source} as ${nodeId}`);
      this.#grant(response, certificate, isClient);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#settings.onCount?.("enrollment-refused");
      if (error.status === 403) this.#settings.onReport("warning", `refused to enroll the box at ${source}: ${error.message}`);
      response.writeHead(error.status, { "content-type": "text/plain" });
      response.end(`${error.word}\n${error.message}\n`);
    }
  }

  #showConfiguration(response: ServerResponse): void {
    const { document } = this.#settings.rules().stored;
    if (document === undefined) throw new Refusal(404, "not_found", "this box has no configuration document yet");
    response.writeHead(200, { "content-type": CONFIGURATION_TYPE });
    response.end(document);
  }

  #checkCredential(): void {
    const { rules, issuing, clock } = this.#settings;
    const end = rules().configuration?.expiration;
    if (end !== undefined && Date.parse(end) < clock.wall()) {
      throw new Refusal(503, "try_again", `the fleet's configuration ended on ${end.slice(0, 10)}: its operator has to sign a new one`);
    }
    if (rules().isOut) throw new Refusal(503, "try_again", "this box was revoked, and admits nobody");
    if (rules().isRetired(fingerprint(issuing.certificate))) throw new Refusal(503, "try_again", "this box waits for the fleet's new issuing credential");
  }

  /**
   * Who holds the key of a certificate that this fleet issued gets a new one for the same key and Node-ID, however long
   * ago the old one ended: unless it was revoked, or a credential that was retired since issued it and it is not kept.
   */
  async #renew(request: IncomingMessage): Promise<{ readonly certificate: Uint8Array; readonly isClient: boolean }> {
    const { trust, rules, isRevokedKey } = this.#settings;
    const peer = identifyPeer(request.socket as TLSSocket, trust, (shown) => trust.inspect(shown, "returning"));
    if ("refused" in peer) throw new Refusal(403, "failed_authentication", peer.refused);
    const publicKey = new X509Certificate(peer.certificate).publicKey.export({ type: "spki", format: "der" });
    if (rules().isRevoked(peer.nodeId) || isRevokedKey(hash("sha256", publicKey, "hex"))) throw new Refusal(403, "failed_authentication", "this box was revoked");
    this.#settings.onReport("info", `renewed the certificate of ${peer.nodeId}`);
    // A client stays one, whatever it says that it accepts.
    const isClient = peer.isClient || !asksForAll(request);
    return { certificate: await this.#issue(publicKey, peer.nodeId, isClient), isClient };
  }

  async #giveBundle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { trust, rules, bundles } = this.#settings;
    const peer = identifyPeer(request.socket as TLSSocket, trust);
    if ("refused" in peer) throw new Refusal(403, "failed_authentication", peer.refused);
    if (peer.isClient || rules().isRevoked(peer.nodeId)) throw new Refusal(403, "failed_authentication", "bundles are for the boxes of the fleet");
    await bundles.answer(request, response);
  }

  #issue(publicKey: Uint8Array, nodeId: NodeId, isClient = false): Promise<Uint8Array> {
    const { issuing, overlayName, clock } = this.#settings;
    return issueBoxCertificate(issuing, { publicKey, nodeId, overlayName, isClient, notAfter: certificateEnd(issuing, clock.wall()) });
  }

  async #enroll(form: readonly Part[], isClient: boolean): Promise<{ readonly nodeId: NodeId; readonly certificate: Uint8Array }> {
    const { overlayName, root, crypto, clock, rules } = this.#settings;
    const field = (name: string): Uint8Array => form.find((part) => part.name === name)?.body ?? new Uint8Array(0);
    const token = checkToken(Buffer.from(field("password")).toString("latin1"), { crypto, rootCertificate: root, overlayName, wall: clock.wall() });
    if (!token.ok) throw new Refusal(403, "failed_authentication", token.fault);
    if (rules().refusesTicket(token.value.serial)) throw new Refusal(403, "failed_authentication", "the ticket was withdrawn; ask for a new one");
    const publicKey = await checkCertificateRequest(field("csr"));
    if (!publicKey.ok) throw new Refusal(403, "bad_CSR", `the certificate request is not good: ${publicKey.fault}`);
    const nodeId = this.#nodeIdFor(publicKey.value, field("previous"), token.value.zone);
    await this.#countUse(token.value, hash("sha256", publicKey.value, "hex")); // last, so that a revoked box uses none up
    return { nodeId, certificate: await this.#issue(publicKey.value, nodeId, isClient) };
  }

  async #wait(request: IncomingMessage, response: ServerResponse, source: string): Promise<void> {
    const nonce = await readBody(request, WAIT_PATH);
    if (!this.#line.wait(request, response, source, nonce)) throw new Refusal(503, "try_again", "too many boxes wait here already");
  }

  /** A box whose code an operator has typed; both have proved that they know it. */
  async #admit(request: IncomingMessage, response: ServerResponse, source: string): Promise<void> {
    const { askOffice, onReport } = this.#settings;
    const form = await readForm(request, ADMIT_PATH);
    const field = (name: string): Uint8Array => form.find((part) => part.name === name)?.body ?? new Uint8Array(0);
    const code = this.#line.codeOf(request, source, field("csr"), field("proof"));
    if (code === undefined) throw new Refusal(403, "failed_authentication", "it does not know the code that was typed");
    const publicKey = await checkCertificateRequest(field("csr"));
    if (!publicKey.ok) throw new Refusal(403, "bad_CSR", `the certificate request is not good: ${publicKey.fault}`);
    const applicant = hash("sha256", publicKey.value, "hex");
    const nodeId = this.#nodeIdFor(publicKey.value, field("previous"), "");
    const { outcome } = await askOffice({ op: "use", name: `code ${code}`, uses: 1, applicant, remember: CODE_REMEMBERED });
    if (outcome !== "allowed") throw new Refusal(503, "try_again", "the ring cannot say now whether the code was used");
    const certificate = await this.#issue(publicKey.value, nodeId);
    await askOffice({ op: "admitted", code, nodeId });
    onReport("info", `enrolled the box at ${source} as ${nodeId}, by its code`);
    this.#grant(response, certificate, false, this.#describeFleet());
  }

  /** What its ticket tells another box. */
  #describeFleet(): readonly Part[] {
    const { fleetName, overlayName, domain, root } = this.#settings;
    const json = Buffer.from(JSON.stringify({ fleet: fleetName, overlay: overlayName, domain }));
    return [
      { name: "", contentType: "application/pkix-cert", body: root },
      { name: "", contentType: "application/json", body: json },
    ];
  }

  /** A key that asks again has its use already. */
  async #countUse({ serial, uses, expiresAt }: TokenClaims, applicant: string): Promise<void> {
    if (uses === undefined || expiresAt === undefined) return;
    const { clock, askOffice } = this.#settings;
    // Ours may be the slow clock: a use is remembered for longer than any member takes the ticket.
    const remember = milliseconds(Math.max(expiresAt - clock.wall(), 0) + USE_REMEMBERED);
    const { outcome } = await askOffice({ op: "use", name: serial, uses, applicant, remember });
    if (outcome === "used-up") {
      throw new Refusal(403, "failed_authentication", uses === 1 ? "the ticket has admitted another box, and was for one" : `the ticket has admitted the ${uses} boxes it was for`);
    }
    if (outcome !== "allowed") throw new Refusal(503, "try_again", "the ring cannot say now how often the ticket was used");
  }

  #nodeIdFor(publicKey: Uint8Array, previous: Uint8Array, zone: string): NodeId {
    const { clock, members, rules, isRevokedKey } = this.#settings;
    const keyHash = hash("sha256", publicKey, "hex");
    if (isRevokedKey(keyHash)) throw new Refusal(403, "failed_authentication", "this box was revoked");
    const known = this.#previousNodeId(previous, publicKey) ?? this.#granted.get(keyHash);
    if (known !== undefined && rules().isRevoked(known)) throw new Refusal(403, "failed_authentication", "this box was revoked");
    const nodeId = known ?? (this.#placement.choose(clock.now(), members(), zone) as NodeId);
    this.#granted.set(keyHash, nodeId);
    return nodeId;
  }

  /** The Node-ID of a certificate that this fleet once issued for the same key, expired or not. */
  #previousNodeId(der: Uint8Array, publicKey: Uint8Array): NodeId | undefined {
    const { issuing, overlayName } = this.#settings;
    const certificate = der.length === 0 ? undefined : readCertificate(der);
    if (certificate === undefined || !certificate.verify(new X509Certificate(issuing.certificate).publicKey)) return undefined;
    if (!certificate.publicKey.export({ type: "spki", format: "der" }).equals(publicKey)) return undefined;
    return nodeIdIn(certificate.subjectAltName ?? "", overlayName);
  }

  /** What makes it able to admit others, a box gets and a client does not. */
  #grant(response: ServerResponse, certificate: Uint8Array, isClient: boolean, more: readonly Part[] = []): void {
    const { issuing, rules } = this.#settings;
    if (isClient) {
      response.writeHead(200, { "content-type": "application/pkix-cert" });
      response.end(certificate);
      return;
    }
    const boundary = `ringbox-${globalThis.crypto.randomUUID()}`;
    const pkix = { name: "", contentType: "application/pkix-cert" };
    const key = { name: "", contentType: "application/pkcs8", body: privateKeyDer(issuing.privateKeyPem) };
    response.writeHead(200, { "content-type": `multipart/mixed; boundary=${boundary}` });
    const parts = [{ ...pkix, body: certificate }, { ...pkix, body: issuing.certificate }, key, ...more];
    const { document } = rules().stored;
    if (document !== undefined) parts.push({ name: "", contentType: CONFIGURATION_TYPE, body: document });
    response.end(formatMultipart(parts, boundary));
  }

  #checkBudget(source: string): void {
    const now = this.#settings.clock.now();
    const before = this.#budgets.get(source) ?? { left: BURST, at: now };
    const left = Math.min(BURST, before.left + ((now - before.at) / 1_000) * PER_SECOND) - 1;
    this.#budgets.set(source, { left: Math.max(left, 0), at: now });
    if (left < 0) throw new Refusal(429, "too_many_requests", "too many requests from this address; try again in a moment");
  }
}

/** A box: a client accepts the certificate alone, as RFC 6940 section 11.3 has it. */
const asksForAll = ({ headers }: IncomingMessage): boolean => (headers.accept ?? "").includes("multipart/mixed");

const sourceOf = ({ remoteAddress }: Socket): string => (remoteAddress ?? "").replace(/^::ffff:/, "");

async function readForm(request: IncomingMessage, path: string): Promise<readonly Part[]> {
  const form = parseMultipart(await readBody(request, path), request.headers["content-type"] ?? "");
  if (form === undefined) throw new Refusal(400, "bad_request", "the body is not whole multipart/form-data");
  return form;
}

async function readBody(request: IncomingMessage, path: string): Promise<Buffer> {
  if (request.url !== path) throw new Refusal(404, "not_found", `enrollment is at ${ENROLLMENT_PATH}`);
  if (request.method !== "POST") throw new Refusal(405, "method_not_allowed", "enrollment is a POST");
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > FORM_BYTES_MAX) throw new Refusal(413, "too_large", `an enrollment has at most ${FORM_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
