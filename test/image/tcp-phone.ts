// A phone of a few lines that speaks SIP over TCP: the emulator's closed network lets nothing else back out.

import assert from "node:assert/strict";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { DOMAIN } from "../support/built-ring.ts";
import { PATIENCE, until, within } from "../lab/until.ts";

/** An emulated machine that shares its processors is slow, and its agent may start a box afresh that is too slow for it. Seconds. */
const LONG_PATIENCE = 300;

class TcpPhone {
  readonly #socket: Socket;
  readonly #user: string;
  readonly #answers = new Map<string, (status: number) => void>();
  /** Methods of the requests that came, in order. */
  readonly requests: string[] = [];
  #rest = "";
  #count = 0;

  private constructor(socket: Socket, user: string) {
    this.#socket = socket;
    this.#user = user;
    socket.on("data", (bytes) => this.#took(bytes.toString("latin1")));
    socket.on("error", () => undefined);
  }

  /** Connected to the box behind a port of this machine, and registered there. */
  static async registered(t: TestContext, port: number, user: string): Promise<TcpPhone> {
    const socket = connect(port, "127.0.0.1");
    t.after(() => socket.destroy());
    await within("a connection to the box", PATIENCE, once(socket, "connect"));
    const phone = new TcpPhone(socket, user);
    assert.equal(await phone.#ask("REGISTER", `sip:${DOMAIN}`, user, ["Expires: 600"]), 200);
    return phone;
  }

  /** The final answer of whoever is called. */
  call(user: string): Promise<number> {
    return this.#ask("INVITE", `sip:${user}@${DOMAIN}`, user, []);
  }

  async #ask(method: string, uri: string, to: string, more: readonly string[]): Promise<number> {
    const id = randomBytes(8).toString("hex");
    const answered = new Promise<number>((resolve) => this.#answers.set(id, resolve));
    this.#send([
      `${method} ${uri} SIP/2.0`, `Via: SIP/2.0/TCP 127.0.0.1:${this.#port};rport;branch=z9hG4bK${id}`, "Max-Forwards: 70",
      `From: <sip:${this.#user}@${DOMAIN}>;tag=${id}`, `To: <sip:${to}@${DOMAIN}>`, `Call-ID: ${id}`, `CSeq: ${++this.#count} ${method}`,
      `Contact: <sip:${this.#user}@127.0.0.1:${this.#port};transport=tcp>`, ...more,
    ]);
    return await within(`an answer to ${method}`, PATIENCE, answered);
  }

  get #port(): number {
    return this.#socket.localPort ?? 0;
  }

  #send(lines: readonly string[]): void {
    this.#socket.write([...lines, "Content-Length: 0", "\r\n"].join("\r\n"));
  }

  /** Nothing here has a body: a message ends where its header ends. */
  #took(text: string): void {
    const messages = (this.#rest + text).split("\r\n\r\n");
    this.#rest = messages.pop() ?? "";
    for (const message of messages) this.#received(message.trimStart());
  }

  #received(message: string): void {
    if (!message.startsWith("SIP/2.0 ")) return this.#accept(message);
    const status = Number(message.slice(8, 11));
    if (status >= 200) this.#answers.get(/^Call-ID: *(\S+)/im.exec(message)?.[1] ?? "")?.(status);
  }

  /** Whatever is asked of this phone, it says yes. */
  #accept(request: string): void {
    const method = request.slice(0, request.indexOf(" "));
    this.requests.push(method);
    if (method === "ACK") return;
    const kept = request.split("\r\n").filter((line) => /^(via|from|to|call-id|cseq|record-route)\s*:/i.test(line));
    const named = kept.map((line) => (/^to\s*:/i.test(line) && !line.includes(";tag=") ? `${line};tag=phone` : line));
    this.#send(["SIP/2.0 200 OK", ...named, `Contact: <sip:${this.#user}@127.0.0.1:${this.#port};transport=tcp>`]);
  }
}

/** Two phones, each at the box behind its port, and a call from the one to the other that is taken; as phones do, they try again. */
export async function callGoesThrough(t: TestContext, from: number, to: number): Promise<void> {
  await until("a phone is called through the box", LONG_PATIENCE, async () => {
    const callee = await TcpPhone.registered(t, to, "201");
    const caller = await TcpPhone.registered(t, from, "202");
    assert.equal(await caller.call("201"), 200);
    assert.ok(callee.requests.includes("INVITE"));
  });
}
