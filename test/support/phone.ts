// A phone of a few lines: raw SIP over UDP, enough to register, to call and to be called.

import { createSocket, type Socket } from "node:dgram";
import assert from "node:assert/strict";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { PATIENCE, within } from "../lab/until.ts";
import { type BuiltBox, DOMAIN, SIP_PORT } from "./built-ring.ts";

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** RFC 3261 T1 is 500 ms; a datagram is sent again at this pace until there is an answer. */
const AGAIN_MS = 500;

export class Phone {
  readonly #socket: Socket;
  readonly #box: { readonly host: string; readonly port: number };
  readonly #answers = new Map<string, (answer: Answer) => void>();
  /** Methods of the requests that came, in order. */
  readonly requests: string[] = [];
  #count = 0;

  private constructor(socket: Socket, host: string, port: number) {
    this.#socket = socket;
    this.#box = { host, port };
    socket.on("message", (bytes) => this.#received(bytes.toString("latin1")));
  }

  /** A phone that knows the box at an address. */
  static async at(t: TestContext, host: string, port: number): Promise<Phone> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    t.after(() => socket.close());
    return new Phone(socket, host, port);
  }

  register(user: string): Promise<Answer> {
    return this.request("REGISTER", `sip:${DOMAIN}`, user, user, [`Contact: <sip:${user}@127.0.0.1:${this.#socket.address().port}>`, "Expires: 600"]);
  }

  options(): Promise<Answer> {
    return this.request("OPTIONS", `sip:${this.#box.host}:${this.#box.port}`, "probe", "probe", []);
  }

  /** Ends with the final answer. */
  async call(from: string, to: string): Promise<Answer> {
    return await this.request("INVITE", `sip:${to}@${DOMAIN}`, from, to, [`Contact: <sip:${from}@127.0.0.1:${this.#socket.address().port}>`]);
  }

  async request(method: string, uri: string, from: string, to: string, more: readonly string[]): Promise<Answer> {
    const callId = randomBytes(8).toString("hex");
    const text = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${this.#socket.address().port};rport;branch=z9hG4bK${callId}`,
      "Max-Forwards: 70",
      `From: <sip:${from}@${DOMAIN}>;tag=${callId}`,
      `To: <sip:${to}@${DOMAIN}>`,
      `Call-ID: ${callId}`,
      `CSeq: ${++this.#count} ${method}`,
      ...more,
      "Content-Length: 0",
      "\r\n",
    ].join("\r\n");
    const { host, port } = this.#box;
    const answered = new Promise<Answer>((resolve) => this.#answers.set(callId, resolve));
    const send = (): void => this.#socket.send(Buffer.from(text, "latin1"), port, host);
    send();
    const again = setInterval(send, AGAIN_MS);
    try {
      return await within(`an answer to ${method} from ${host}`, PATIENCE, answered);
    } finally {
      clearInterval(again);
      this.#answers.delete(callId);
    }
  }

  #received(text: string): void {
    if (!text.startsWith("SIP/2.0 ")) return this.#accept(text);
    const status = Number(text.slice(8, 11));
    const callId = /^Call-ID: *(\S+)/im.exec(text)?.[1] ?? "";
    if (status >= 200) this.#answers.get(callId)?.({ status, text });
  }

  /** Whatever is asked of this phone, it says yes. */
  #accept(request: string): void {
    const method = request.slice(0, request.indexOf(" "));
    this.requests.push(method);
    if (method === "ACK") return;
    const kept = request.split("\r\n").filter((line) => /^(via|from|to|call-id|cseq|record-route)\s*:/i.test(line));
    const named = kept.map((line) => (/^to\s*:/i.test(line) && !line.includes(";tag=") ? `${line};tag=phone` : line));
    const contact = `Contact: <sip:phone@127.0.0.1:${this.#socket.address().port}>`;
    const answer = ["SIP/2.0 200 OK", ...named, contact, "Content-Length: 0", "\r\n"].join("\r\n");
    this.#socket.send(Buffer.from(answer, "latin1"), this.#box.port, this.#box.host);
  }
}

/** A phone registers at a box, and is called by another one. */
export async function phonesWork(t: TestContext, box: BuiltBox, users: readonly [string, string]): Promise<void> {
  const [caller, callee] = [await Phone.at(t, box.address, SIP_PORT), await Phone.at(t, box.address, SIP_PORT)];
  assert.equal((await caller.register(users[0])).status, 200);
  assert.equal((await callee.register(users[1])).status, 200);
  assert.equal((await caller.call(users[0], users[1])).status, 200);
  assert.deepEqual(callee.requests.slice(0, 1), ["INVITE"]);
}
