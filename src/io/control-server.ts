// Answers the command line and the agent over a Unix socket in the data directory. Whoever may open the
// socket may do everything: its mode is 0600, and that is the whole of its access control.

import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { seconds } from "../base/time.ts";
import type { ControlRefusal, ControlReply, ControlRequest } from "../peer/control.ts";
import { parseRequestFrame, REQUEST_MAX_BYTES, readLines, replyLine } from "./control-frames.ts";
import { type ControlSocketPath, controlSocketPath } from "./control-socket.ts";
import { ListenError } from "./listen-error.ts";

/** Connections at once; beyond it the newest is closed unread. */
const CONNECTIONS_MAX = 32;
/** Questions of one connection without an answer; beyond it no more is read until one is answered. */
const QUESTIONS_MAX = 64;
/** A connection on which nothing is asked and nothing awaited. */
const IDLE = seconds(60);

export interface ControlServerSettings {
  /** The data directory; its lock is held by this process, so that a socket found there is nobody's. */
  readonly directory: string;
  /** Puts one question to the box. `answer` is called once, now or later. */
  readonly ask: (request: ControlRequest, answer: (reply: ControlReply) => void) => void;
}

export class ControlServer {
  readonly #ask: ControlServerSettings["ask"];
  readonly #server: Server;
  readonly #name: ControlSocketPath;
  /** BOUNDED: by CONNECTIONS_MAX. */
  readonly #connections = new Set<Socket>();

  /** Rejects with a `ListenError`. */
  static async open(settings: ControlServerSettings): Promise<ControlServer> {
    try {
      const server = new ControlServer(settings);
      await server.#listen();
      return server;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ListenError(`The control socket in ${settings.directory} cannot be opened: ${reason}`);
    }
  }

  private constructor({ directory, ask }: ControlServerSettings) {
    this.#ask = ask;
    this.#name = controlSocketPath(directory);
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** What was answered before goes out; what was not is not answered any more. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#connections) socket.end(() => socket.destroy());
    await closed;
    this.#name.close();
  }

  async #listen(): Promise<void> {
    rmSync(this.#name.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      // The socket is bound before `listen` returns, and nobody else may open it, not even for a moment.
      const mask = process.umask(0o177);
      this.#server.listen(this.#name.path, resolve);
      process.umask(mask);
    });
    chmodSync(this.#name.path, 0o600);
  }

  #accept(socket: Socket): void {
    let awaited = 0;
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(IDLE, () => {
      if (awaited === 0) socket.destroy();
    });
    const answer = (id: number, reply: ControlReply): void => {
      awaited -= 1;
      if (awaited < QUESTIONS_MAX) socket.resume();
      if (socket.writable) socket.write(replyLine(id, reply));
    };
    const onLine = (line: string): void => {
      const frame = parseRequestFrame(line);
      if (frame === undefined) return void socket.destroy();
      awaited += 1;
      if (awaited >= QUESTIONS_MAX) socket.pause();
      if (frame.request === undefined) answer(frame.id, NOT_UNDERSTOOD);
      else this.#ask(frame.request, once((reply) => answer(frame.id, reply)));
    };
    readLines(socket, REQUEST_MAX_BYTES, onLine, () => socket.destroy());
  }
}

const NOT_UNDERSTOOD: ControlRefusal = {
  ok: false,
  fault: "invalid",
  text: "This box does not understand the question; is `ringbox` of the same version?",
};

/** A second answer to one question would count its connection wrong. */
function once(answer: (reply: ControlReply) => void): (reply: ControlReply) => void {
  let answered = false;
  return (reply) => {
    if (answered) return;
    answered = true;
    answer(reply);
  };
}
