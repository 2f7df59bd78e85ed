// Boxes without a ticket that wait at this member for somebody to type their code, at whichever member.
// While one waits here, the ring is asked every second which codes were typed.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import { BoundedMap } from "../base/bounded-map.ts";
import { after, type Instant, minutes, seconds } from "../base/time.ts";
import type { AdmissionAnswer, AdmissionRequest } from "../peer/admission-office.ts";
import type { Clock } from "./clock.ts";
import { isNonce, isProof, prove, stretchCode } from "./code-proof.ts";

/** A box asks whether its code was typed; a member proves that it knows it. */
export const WAIT_PATH = "/wait";
/** The box, having believed it, proves the same and asks to be enrolled. */
export const ADMIT_PATH = "/admit";
/** What one answer to a waiting box holds at most. */
export const PROOFS_AT_ONCE = 4;

/** A box is answered after so long in any case, and asks again. */
const ANSWER_AFTER = seconds(10);
const LOOK = seconds(1);
const MAX_WAITING = 32;
const MAX_WAITING_OF_SOURCE = 3;
/** Wrong proofs of one source in a minute; then its connections are refused until the minute is over. */
const WRONG_PROOFS_A_MINUTE = 5;

interface Connection {
  readonly socket: TLSSocket;
  readonly source: string;
  nonce: Uint8Array;
  /** Keys of the codes that were proved to it. BOUNDED: by the codes of the ring, five a minute for ten minutes at each box. */
  readonly shown: Map<string, Buffer>;
  response: ServerResponse | undefined;
  answerAt: Instant;
}

export interface WaitingLineSettings {
  readonly clock: Clock;
  readonly askOffice: (request: AdmissionRequest) => Promise<AdmissionAnswer>;
}

export class WaitingLine {
  readonly #settings: WaitingLineSettings;
  /** BOUNDED: beyond it a box is told to come again. */
  readonly #connections = new BoundedMap<TLSSocket, Connection>(MAX_WAITING, "refuse");
  /** BOUNDED: the oldest goes and begins anew. */
  readonly #wrong = new BoundedMap<string, readonly Instant[]>(1_024, "evict");
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(settings: WaitingLineSettings) {
    this.#settings = settings;
  }

  /** Whether the box may wait; it is then answered later. */
  wait(request: IncomingMessage, response: ServerResponse, source: string, nonce: Uint8Array): boolean {
    const socket = request.socket as TLSSocket;
    if (!isNonce(nonce) || this.#isBarred(source)) return false;
    const known = this.#connections.get(socket);
    if (known === undefined && [...this.#connections.values()].filter((other) => other.source === source).length >= MAX_WAITING_OF_SOURCE) return false;
    const connection: Connection = known ?? { socket, source, nonce, shown: new Map(), response, answerAt: this.#settings.clock.now() };
    if (!this.#connections.set(socket, connection)) return false;
    if (known === undefined) socket.once("close", () => this.#connections.delete(socket));
    if (!Buffer.from(nonce).equals(Buffer.from(connection.nonce))) connection.shown.clear();
    connection.nonce = nonce;
    connection.response = response;
    connection.answerAt = after(this.#settings.clock.now(), ANSWER_AFTER);
    this.#timer ??= setInterval(() => void this.#look(), LOOK);
    return true;
  }

  /** The code that the box has proved to know, on the connection on which this member has. */
  codeOf(request: IncomingMessage, source: string, certificateRequest: Uint8Array, proof: Uint8Array): string | undefined {
    const connection = this.#connections.get(request.socket as TLSSocket);
    if (connection === undefined || this.#isBarred(source)) return undefined;
    for (const [code, key] of connection.shown) {
      if (isProof(proof, prove(key, "box", connection.socket, certificateRequest))) return code;
    }
    this.#wrong.set(source, [...(this.#wrong.get(source) ?? []), this.#settings.clock.now()].slice(-WRONG_PROOFS_A_MINUTE));
    return undefined;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #isBarred(source: string): boolean {
    const now = this.#settings.clock.now();
    return (this.#wrong.get(source) ?? []).filter((at) => after(at, minutes(1)) > now).length >= WRONG_PROOFS_A_MINUTE;
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    if (this.#connections.size === 0) return this.close();
    this.#looking = true;
    try {
      const answer = await this.#settings.askOffice({ op: "codes" });
      const codes = answer.outcome === "codes" ? answer.codes : [];
      for (const connection of [...this.#connections.values()]) await this.#tell(connection, codes);
    } finally {
      this.#looking = false;
    }
  }

  /** One after the other: to stretch a code takes memory and time. */
  async #tell(connection: Connection, codes: readonly string[]): Promise<void> {
    if (connection.response === undefined) return;
    const fresh = codes.filter((code) => !connection.shown.has(code)).slice(0, PROOFS_AT_ONCE);
    for (const code of fresh) connection.shown.set(code, await stretchCode(code, connection.nonce));
    const { response, socket } = connection;
    if (socket.destroyed || (fresh.length === 0 && connection.answerAt > this.#settings.clock.now())) return;
    connection.response = undefined;
    const proofs = fresh.flatMap((code) => {
      const key = connection.shown.get(code);
      return key === undefined ? [] : [prove(key, "member", socket, new Uint8Array(0))];
    });
    response?.writeHead(proofs.length === 0 ? 204 : 200, proofs.length === 0 ? {} : { "content-type": "application/octet-stream" });
    response?.end(Buffer.concat(proofs));
  }
}
