// A RELOAD client (RFC 6940 section 3.2.1) as a softphone would be one: a certificate by the enrollment POST, one
// TLS link to a member, requests over it, and nothing of the ring to be responsible for.

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import type { Address } from "../../src/base/address.ts";
import { systemClock } from "../../src/io/clock.ts";
import { NodeCrypto } from "../../src/io/crypto.ts";
import { formatMultipart } from "../../src/io/multipart.ts";
import { certificatePem, makeCertificateRequest, makePrivateKey } from "../../src/io/pki.ts";
import { SystemRandom } from "../../src/io/random.ts";
import { LINK_ALPN } from "../../src/io/tls-identity.ts";
import { nodeIdIn } from "../../src/io/trust.ts";
import { type LinkInput, LinkMachine } from "../../src/overlay/link/link-machine.ts";
import type { KindId, NodeId, ResourceId } from "../../src/overlay/ports.ts";
import type { Destination } from "../../src/overlay/wire/destination.ts";
import { type ForwardingHeader, INITIAL_TTL } from "../../src/overlay/wire/forwarding-header.ts";
import { newTransactionId, overlayHash } from "../../src/overlay/wire/identifiers.ts";
import { decodeMessage, type DecodedMessage, encodeSignedMessage, type MessageExtension } from "../../src/overlay/wire/message.ts";
import type { MessageBody } from "../../src/overlay/wire/message-body.ts";
import { makeSigner, type Signer } from "../../src/overlay/wire/security-block.ts";
import type { AdmissionTicket } from "../../src/provision/ticket.ts";
import { ALL_OF, type DataModel, encodeSelection, signStoredData, type StoredData } from "../../src/overlay/wire/stored-data.ts";

export interface ClientIdentity {
  readonly overlayName: string;
  readonly nodeId: NodeId;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly privateKeyPem: string;
}

export interface MessageWishes {
  readonly header?: Partial<ForwardingHeader>;
  readonly extensions?: readonly MessageExtension[];
}

/** The enrollment POST as RFC 6940 section 11.3 has it: the answer is the certificate alone. */
export async function enrollClient(to: Address, ticket: AdmissionTicket): Promise<ClientIdentity> {
  const privateKeyPem = makePrivateKey();
  const text = (name: string, value: string) => ({ name, contentType: "text/plain", body: Buffer.from(value) });
  const csr = { name: "csr", contentType: "application/pkcs10", body: await makeCertificateRequest(privateKeyPem) };
  const body = formatMultipart([csr, text("username", ticket.overlayName), text("password", ticket.token)], "b");
  const answer = await postAs(to, "/enroll", {}, body, { "content-type": "multipart/form-data; boundary=b", accept: "application/pkix-cert" });
  if (answer.type !== "application/pkix-cert") throw new Error(`${answer.type}: ${answer.body.toString()}`);
  const nodeId = nodeIdIn(new X509Certificate(answer.body).subjectAltName ?? "", ticket.overlayName);
  if (nodeId === undefined) throw new Error("a certificate without a Node-ID");
  return { overlayName: ticket.overlayName, nodeId, certificate: Uint8Array.from(answer.body), privateKeyPem };
}

/** An HTTPS POST to the overlay port, perhaps with a certificate of one's own. */
export async function postAs(to: Address, path: string, identity: { readonly cert?: string; readonly key?: string }, body: Uint8Array, headers: Record<string, string>) {
  const request = httpsRequest({ ...to, path, method: "POST", agent: false, headers, rejectUnauthorized: false, ...identity, ...{ ALPNProtocols: ["http/1.1"] } });
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", body: Buffer.concat(chunks) };
}

/** An unanswered request fails after this. */
const PATIENCE_MS = 5_000;

export class ReloadClient {
  readonly nodeId: NodeId;
  readonly #socket: TLSSocket;
  readonly #machine: LinkMachine;
  readonly #signer: Signer;
  readonly #overlay: number;
  readonly #random = new SystemRandom();
  readonly #waiting = new Map<string, (answer: DecodedMessage) => void>();
  readonly #ticking: NodeJS.Timeout;
  /** configuration_sequence of the fleet: a member says so when it is another. */
  sequence = 1;

  private constructor(socket: TLSSocket, remote: NodeId, { overlayName, nodeId, certificate, privateKeyPem }: ClientIdentity) {
    const crypto = new NodeCrypto(privateKeyPem);
    this.nodeId = nodeId;
    this.#socket = socket;
    this.#signer = makeSigner(certificate, crypto);
    this.#overlay = overlayHash(overlayName, crypto);
    this.#machine = new LinkMachine({ overlay: this.#overlay, remote, maxMessageBytes: 262_144, random: this.#random }, systemClock.now());
    // A link may be cut off in the middle of anything; that it is closed is what counts.
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => this.#step({ type: "bytes", bytes, wall: systemClock.wall() }));
    this.#ticking = setInterval(() => this.#step({ type: "tick" }), 50);
    this.#step({ type: "greet" });
  }

  /** Over a link to a member whose Node-ID is known. */
  static async open(to: Address, remote: NodeId, identity: ClientIdentity): Promise<ReloadClient> {
    const socket = connect({
      ...to, minVersion: "TLSv1.3", cert: certificatePem(identity.certificate), key: identity.privateKeyPem,
      ALPNProtocols: [LINK_ALPN], rejectUnauthorized: false,
    });
    await once(socket, "secureConnect");
    return new ReloadClient(socket, remote, identity);
  }

  close(): void {
    clearInterval(this.#ticking);
    this.#socket.destroy();
  }

  /** What goes out is what one says: whole frames, or anything else. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }
  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.readable;
  }
  /** A signed message, as it would be sent. */
  message(destination: Destination, body: MessageBody, more: MessageWishes = {}): Uint8Array {
    const transactionId = more.header?.transactionId ?? newTransactionId(this.#random);
    const header = {
      overlay: this.#overlay, configurationSequence: this.sequence, ttl: INITIAL_TTL, transactionId, maxResponseLength: 0, via: [], destinations: [destination], options: [], ...more.header,
    };
    return encodeSignedMessage({ header, body, extensions: more.extensions ?? [] }, this.#signer);
  }

  /** To a node or to whoever is responsible for a resource, through the member this client is linked to. */
  async ask(destination: Destination, body: MessageBody, more: Omit<MessageWishes, "header"> = {}): Promise<MessageBody> {
    const transactionId = newTransactionId(this.#random);
    const answer = new Promise<DecodedMessage>((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`no answer to ${body.type}`)), PATIENCE_MS);
      const closed = (): void => {
        clearTimeout(patience);
        reject(new Error(`the link was closed, and ${body.type} is not answered`));
      };
      if (!this.isOpen) closed();
      this.#socket.once("close", closed);
      this.#waiting.set(transactionId, (message) => {
        clearTimeout(patience);
        this.#socket.off("close", closed);
        resolve(message);
      });
    });
    this.#step({ type: "send", message: this.message(destination, body, { ...more, header: { transactionId } }) });
    return (await answer).body;
  }

  attach(to: NodeId): Promise<MessageBody> {
    const none = new Uint8Array(0);
    const role = new TextEncoder().encode("passive");
    return this.ask({ type: "node", nodeId: to }, { type: "attach_req", ufrag: none, password: none, role, candidates: [], sendUpdate: false });
  }
  fetch(resource: ResourceId, kind: KindId, model: DataModel, type: "fetch_req" | "stat_req" = "fetch_req"): Promise<MessageBody> {
    return this.ask({ type: "resource", resource }, { type, resource, specifiers: [{ kind, generation: 0, selection: encodeSelection(ALL_OF[model]) }] });
  }
  store(resource: ResourceId, kind: KindId, stored: Omit<StoredData, "signature">): Promise<MessageBody> {
    const values = [signStoredData(resource, kind, stored, this.#signer)];
    return this.ask({ type: "resource", resource }, { type: "store_req", resource, replicaNumber: 0, kinds: [{ kind, generation: 0, values }] });
  }

  #step(input: LinkInput): void {
    for (const effect of this.#machine.step(systemClock.now(), input)) {
      if (effect.type === "write") this.#socket.write(effect.bytes);
      else if (effect.type === "message") this.#received(effect.message);
    }
    if (input.type !== "tick") this.#step({ type: "tick" });
  }
  #received(bytes: Uint8Array): void {
    const decoded = decodeMessage(bytes, this.#overlay);
    if (!decoded.ok) return;
    this.#waiting.get(decoded.value.header.transactionId)?.(decoded.value);
    this.#waiting.delete(decoded.value.header.transactionId);
  }
}
