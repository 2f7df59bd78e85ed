// A phone of a few lines that keeps every request it hears, whole and with its time, and answers as it is told.

import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { PATIENCE, within } from "../lab/until.ts";
import { type BuiltBox, DOMAIN, SIP_PORT } from "./built-ring.ts";

const AGAIN_MS = 500;

export interface Heard {
  readonly text: string;
  readonly method: string;
  readonly callId: string;
  /** `performance.now()`. */
  readonly at: number;
}

export interface Asked {
  readonly status: number;
  readonly text: string;
}

export const field = (text: string, name: string): string =>
  text.split("\r\n").find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))?.slice(name.length + 1).trim() ?? "";
const fields = (text: string, name: string): readonly string[] =>
  text.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));

export class RawPhone {
  readonly #socket: Socket;
  readonly user: string;
  box: BuiltBox;
  readonly heard: Heard[] = [];
  /** Statuses to answer a request with, in order. */
  answers: (method: string) => readonly number[] = (method) => (method === "ACK" ? [] : [200]);
  readonly #waiting = new Map<string, (answer: Asked) => void>();
  readonly #seen = new Map<string, readonly string[]>();
  #cseq = 0;

  private constructor(socket: Socket, user: string, box: BuiltBox) {
    this.#socket = socket;
    this.user = user;
    this.box = box;
    socket.on("message", (bytes, { address, port }) => this.#receive(bytes.toString("latin1"), address, port));
  }

  static async at(t: TestContext, user: string, box: BuiltBox): Promise<RawPhone> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    t.after(() => socket.close());
    return new RawPhone(socket, user, box);
  }

  get contact(): string {
    return `<sip:${this.user}@127.0.0.1:${this.#socket.address().port}>`;
  }
  of(method: string): readonly Heard[] {
    return this.heard.filter((one) => one.method === method);
  }

  register(): Promise<Asked> {
    return this.ask("REGISTER", this.user, ["Expires: 600"], { uri: `sip:${DOMAIN}` });
  }

  /** Sends a request to its box until there is a final answer. */
  async ask(method: string, to: string, more: readonly string[] = [], options: { uri?: string; callId?: string; toTag?: string; body?: string } = {}): Promise<Asked> {
    const callId = options.callId ?? randomBytes(8).toString("hex");
    const body = options.body ?? "";
    this.#cseq += 1;
    const cseq = this.#cseq;
    const text = [
      `${method} ${options.uri ?? `sip:${to}@${DOMAIN}`} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.#socket.address().port};rport;branch=z9hG4bK${randomBytes(6).toString("hex")}`,
      "Max-Forwards: 70",
      `From: <sip:${this.user}@${DOMAIN}>;tag=${this.user}`,
      `To: <sip:${to}@${DOMAIN}>${options.toTag === undefined ? "" : `;tag=${options.toTag}`}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: ${this.contact}`,
      ...more,
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n");
    const answered = new Promise<Asked>((resolve) => this.#waiting.set(`${callId} ${cseq}`, resolve));
    const send = (): void => this.#socket.send(Buffer.from(text, "latin1"), SIP_PORT, this.box.address);
    send();
    const again = setInterval(send, AGAIN_MS);
    try {
      return await within(`an answer to ${method} from ${this.box.name}`, PATIENCE, answered);
    } finally {
      clearInterval(again);
    }
  }

  /** Sends a text that wants no answer here. */
  send(text: string): void {
    this.#socket.send(Buffer.from(text, "latin1"), SIP_PORT, this.box.address);
  }

  /** ACK and BYE of a call whose 2xx this is, along its route set. */
  async hangUp(answer: Asked): Promise<Asked> {
    const routes = fields(answer.text, "record-route").map((line) => line.slice(line.indexOf(":") + 1).trim()).toReversed().map((value) => `Route: ${value}`);
    const toTag = /;tag=(\S+)/.exec(field(answer.text, "to"))?.[1] ?? "";
    const to = /sip:([^@]+)@/.exec(field(answer.text, "to"))?.[1] ?? "";
    const uri = /<([^>]+)>/.exec(field(answer.text, "contact"))?.[1] ?? "";
    return await this.ask("BYE", to, routes, { uri, callId: field(answer.text, "call-id"), toTag });
  }

  #receive(text: string, address: string, port: number): void {
    const callId = field(text, "call-id");
    if (text.startsWith("SIP/2.0 ")) {
      const status = Number(text.slice(8, 11));
      const key = `${callId} ${Number.parseInt(field(text, "cseq"), 10)}`;
      if (status >= 200) this.#waiting.get(key)?.({ status, text });
      return;
    }
    const method = text.slice(0, text.indexOf(" "));
    const transaction = `${field(text, "via")} ${method}`;
    const before = this.#seen.get(transaction);
    if (before === undefined) this.heard.push({ text, method, callId, at: performance.now() });
    const replies = before ?? this.answers(method).map((status) => this.#reply(text, status));
    this.#seen.set(transaction, replies);
    for (const reply of replies) this.#socket.send(Buffer.from(reply, "latin1"), port, address);
  }

  #reply(request: string, status: number): string {
    const kept = request.split("\r\n").filter((line) => /^(via|from|to|call-id|cseq|record-route)\s*:/i.test(line));
    const named = kept.map((line) => (/^to\s*:/i.test(line) && !line.includes(";tag=") ? `${line};tag=${this.user}` : line));
    return [`SIP/2.0 ${status} Said`, ...named, `Contact: ${this.contact}`, "Content-Length: 0", "", ""].join("\r\n");
  }
}
