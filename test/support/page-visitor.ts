// The health agent as it is shipped, and somebody who visits its page without a browser.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import { DIST } from "../lab/box.ts";
import { PATIENCE, until } from "../lab/until.ts";
import { atEnd } from "./built-ring.ts";

export const HTTP_PORT = 8_080;
export const HTTPS_PORT = 8_443;

/** For the `skip` of a suite. */
export const skipWithoutAgent: string | false = existsSync(join(DIST, "ringbox-agent")) ? false : "dist/ringbox-agent: not built (npm run build)";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
  /** Over plain HTTP. */
  readonly plain?: boolean;
  readonly ca?: string;
}

export interface SignedIn {
  readonly cookie: string;
  readonly token: string;
}

export class PageAgent {
  readonly address: string;
  readonly directory: string;
  readonly logFile: string;
  readonly process: ChildProcess;

  private constructor(address: string, directory: string, parameters: readonly string[]) {
    this.address = address;
    this.directory = directory;
    this.logFile = `${directory}-agent.log`;
    const log = openSync(this.logFile, "a");
    this.process = spawn(join(DIST, "ringbox-agent"), ["--data", directory, "--listen", address, ...parameters], { stdio: ["ignore", log, log] });
    closeSync(log);
  }

  static async start(t: TestContext, address: string, directory: string, parameters: readonly string[] = []): Promise<PageAgent> {
    const agent = new PageAgent(address, directory, parameters);
    atEnd(t, () => agent.process.kill("SIGKILL"));
    await until("the agent serves its page and its own socket", PATIENCE, async () => {
      assert(existsSync(join(directory, "agent.sock")), agent.log);
      assert.equal((await agent.ask("/healthz", { plain: true })).status, 200);
    });
    return agent;
  }

  get host(): string {
    return `${this.address}:${HTTPS_PORT}`;
  }
  get origin(): string {
    return `https://${this.host}`;
  }
  get log(): string {
    return readFileSync(this.logFile, "utf8");
  }

  /** The resident memory of the agent's process, bytes. */
  get memory(): number {
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.process.pid}/status`, "utf8"))?.[1];
    return Number(line) * 1_024;
  }

  /** Rejects if the connection is closed without an answer. */
  ask(path: string, { method = "GET", headers = {}, body, plain = false, ca }: Asking = {}): Promise<Answer> {
    const text = typeof body === "object" ? JSON.stringify(body) : body;
    const json = typeof body === "object" ? { "content-type": "application/json" } : {};
    const options = { host: this.address, port: plain ? HTTP_PORT : HTTPS_PORT, path, method, headers: { ...json, ...headers }, agent: false };
    return new Promise((answered, failed) => {
      const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
      const asked = (plain ? httpRequest(options) : httpsRequest({ ...options, ...trust })).on("error", failed);
      asked.on("response", (response) => {
        response.setEncoding("utf8");
        let received = "";
        response.on("data", (chunk: string) => {
          received += chunk;
        });
        response.on("error", failed);
        response.on("end", () => answered({ status: response.statusCode ?? 0, headers: response.headers, text: received }));
      });
      asked.end(text);
    });
  }

  /** A code as the box's owner gets it. */
  code(...parameters: readonly string[]): string {
    return execFileSync(join(DIST, "ringbox"), ["--data", this.directory, "web-code", ...parameters], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  }

  trySignIn(code: string): Promise<Answer> {
    return this.ask("/api/sign-in", { method: "POST", headers: { origin: this.origin }, body: { code } });
  }

  async signIn(...parameters: readonly string[]): Promise<SignedIn> {
    const answer = await this.trySignIn(this.code(...parameters));
    assert.equal(answer.status, 200, answer.text);
    const [cookie = ""] = [answer.headers["set-cookie"]].flat().map((value) => String(value).split(";")[0] ?? "");
    return { cookie, token: (JSON.parse(answer.text) as { token: string }).token };
  }

  post(path: string, { cookie, token }: SignedIn, body: object = {}): Promise<Answer> {
    return this.ask(path, { method: "POST", headers: { cookie, "x-ringbox-token": token, origin: this.origin }, body });
  }

  /** What a POST answers, as bytes. */
  download(path: string, { cookie, token }: SignedIn): Promise<Buffer> {
    const options = { host: this.address, port: HTTPS_PORT, path, method: "POST", agent: false, rejectUnauthorized: false, headers: { cookie, "x-ringbox-token": token, origin: this.origin, "content-type": "application/json" } };
    return new Promise((answered, failed) => {
      const asked = httpsRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", failed).on("end", () => answered(Buffer.concat(chunks)));
      });
      asked.on("error", failed).end("{}");
    });
  }

  /** A terminal of that session; rejects with the status if it is refused. */
  async terminal(signedIn: SignedIn, wishes: { readonly origin?: string; readonly token?: string } = {}): Promise<WebSocket> {
    const given = await this.post("/api/terminal", signedIn);
    assert.equal(given.status, 200, given.text);
    const path = wishes.token === undefined ? (JSON.parse(given.text) as { path: string }).path : `/terminal?token=${wishes.token}`;
    return await this.socket(path, { cookie: signedIn.cookie, origin: wishes.origin ?? this.origin });
  }

  socket(path: string, headers: Readonly<Record<string, string>>): Promise<WebSocket> {
    return new Promise((opened, failed) => {
      const socket = new WebSocket(`wss://${this.host}${path}`, { headers, rejectUnauthorized: false, perMessageDeflate: false });
      socket.on("open", () => opened(socket));
      socket.on("unexpected-response", (_, response) => {
        failed(new Error(`refused: ${response.statusCode}`));
        socket.terminate();
      });
      socket.on("error", failed);
    });
  }
}
