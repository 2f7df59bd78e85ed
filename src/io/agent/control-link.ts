// The agent's connection to the peer: kept open, opened anew whenever the peer is there again. It tells apart a peer
// that is not there, one that does not answer, and one that refuses: each means another thing for the box.

import { createConnection, type Socket } from "node:net";
import type { Duration } from "../../base/time.ts";
import type { ControlAnswers, ControlOperation, ControlRequest } from "../../peer/control.ts";
import { parseJson, readLines, REPLY_MAX_BYTES, requestLine } from "../control-frames.ts";
import { type ControlSocketPath, controlSocketPath } from "../control-socket.ts";

/** What an answer must look like; `undefined`: it does not. */
export type AnswerReader = <Op extends ControlOperation>(op: Op, object: unknown) => ControlAnswers[Op] | undefined;

export type Asked<Op extends ControlOperation> =
  | { readonly outcome: "answered"; readonly answer: ControlAnswers[Op] }
  | { readonly outcome: "refused"; readonly text: string }
  /** Somebody has the socket open, and says nothing. */
  | { readonly outcome: "silent" }
  /** Nobody has it open. */
  | { readonly outcome: "absent" };

type Reply = { readonly outcome: "line"; readonly object: unknown } | { readonly outcome: "silent" } | { readonly outcome: "absent" };

/** Questions without an answer; above it a question counts as not answered. */
const WAITING_MAX = 32;

export class ControlLink {
  readonly #directory: string;
  readonly #readAnswer: AnswerReader;
  /** BOUNDED: by WAITING_MAX. */
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #socket: Socket | undefined;
  #lastId = 0;

  constructor(directory: string, readAnswer: AnswerReader) {
    this.#directory = directory;
    this.#readAnswer = readAnswer;
  }

  async ask<Op extends ControlOperation>(request: Extract<ControlRequest, { op: Op }>, patience: Duration): Promise<Asked<Op>> {
    const reply = await this.#exchange(request, patience);
    if (reply.outcome !== "line") return reply;
    const { object } = reply;
    if (isRefusal(object)) return { outcome: "refused", text: object.text };
    const answer = this.#readAnswer(request.op as Op, object);
    return answer === undefined ? { outcome: "refused", text: "ringboxd answers in a way that this ringbox-agent does not know" } : { outcome: "answered", answer };
  }

  close(): void {
    this.#drop(this.#socket);
  }

  #exchange(request: ControlRequest, patience: Duration): Promise<Reply> {
    if (this.#waiting.size >= WAITING_MAX) return Promise.resolve({ outcome: "silent" });
    return new Promise((settle) => {
      const id = ++this.#lastId;
      const timer = setTimeout(() => finish({ outcome: "silent" }), patience);
      const finish = (reply: Reply): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        settle(reply);
      };
      this.#waiting.set(id, finish);
      this.#open()?.write(requestLine(id, request));
    });
  }

  /** `undefined`: it could not even be tried, and those who wait have been told. */
  #open(): Socket | undefined {
    if (this.#socket !== undefined) return this.#socket;
    let name: ControlSocketPath;
    try {
      name = controlSocketPath(this.#directory);
    } catch {
      this.#drop(undefined); // there is no such directory: nobody is there
      return undefined;
    }
    const socket = createConnection(name.path);
    this.#socket = socket;
    socket.on("error", () => this.#drop(socket));
    socket.on("close", () => {
      name.close();
      this.#drop(socket);
    });
    readLines(socket, REPLY_MAX_BYTES, (line) => this.#receive(line), () => this.#drop(socket));
    return socket;
  }

  #receive(line: string): void {
    const object = parseJson(line);
    if (typeof object !== "object" || object === null || !("id" in object) || typeof object.id !== "number") return;
    this.#waiting.get(object.id)?.({ outcome: "line", object });
  }

  #drop(socket: Socket | undefined): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    socket?.destroy();
    for (const finish of [...this.#waiting.values()]) finish({ outcome: "absent" });
  }
}

const isRefusal = (object: unknown): object is { readonly text: string } =>
  typeof object === "object" && object !== null && "ok" in object && object.ok === false && "text" in object && typeof object.text === "string";
