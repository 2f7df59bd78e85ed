// Asks a running box over the control socket in its data directory.

import { existsSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { resolve } from "node:path";
import * as z from "zod/mini";
import { type Duration, minutes, seconds } from "../base/time.ts";
import { parseJson, readLines, REPLY_MAX_BYTES, requestLine } from "../io/control-frames.ts";
import { type ControlSocketPath, controlSocketPath } from "../io/control-socket.ts";
import type { ControlAnswers, ControlFault, ControlOperation, ControlRequest } from "../peer/control.ts";
import { CliError } from "./cli-error.ts";
import { plainReason } from "./plain-reason.ts";
import { ANSWER_SCHEMAS } from "./schemas.ts";

/** Longer than the ring's own time for an operation, so that its word comes first. */
const ANSWER_WAIT = seconds(15);
/** Handing a share over, and gathering a list from every box, may move a lot. */
const LONG_WAIT = minutes(3);
const WAITS: Partial<Record<ControlOperation, Duration>> = {
  leave: LONG_WAIT,
  "subscriber-list": LONG_WAIT,
  "registration-list": LONG_WAIT,
};

/** The box answered that it will not or cannot. */
export class ControlRefused extends CliError {
  readonly fault: ControlFault;

  constructor(fault: ControlFault, text: string) {
    super(text);
    this.fault = fault;
  }
}

interface Waiting {
  readonly answered: (object: unknown) => void;
  readonly failed: (error: CliError) => void;
}

export class ControlClient {
  readonly #socket: Socket;
  readonly #name: ControlSocketPath;
  readonly #directory: string;
  /** BOUNDED: by the caller, who awaits what it asks. */
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** Rejects with a `CliError` if no box is running on the directory. */
  static async connect(directory: string): Promise<ControlClient> {
    const whole = resolve(directory);
    if (!existsSync(whole)) throw notRunning(whole, "there is no such directory");
    let name: ControlSocketPath;
    try {
      name = controlSocketPath(whole);
    } catch (error) {
      throw notRunning(whole, reasonOf(error));
    }
    return await new Promise((connected, failed) => {
      const socket = createConnection(name.path);
      socket.once("error", (error) => {
        name.close();
        failed(notRunning(whole, reasonOf(error)));
      });
      socket.once("connect", () => {
        socket.removeAllListeners("error");
        connected(new ControlClient(socket, name, whole));
      });
    });
  }

  private constructor(socket: Socket, name: ControlSocketPath, directory: string) {
    this.#socket = socket;
    this.#name = name;
    this.#directory = directory;
    socket.on("error", (error) => this.#end(`the connection to the box broke: ${error.message}`));
    socket.on("close", () => this.#end(`the box on ${directory} stopped before it answered`));
    readLines(
      socket,
      REPLY_MAX_BYTES,
      (line) => this.#receive(line),
      () => this.#end("the answer of the box is too long"),
    );
  }

  /** The box's answer. Rejects with `ControlRefused` if it refuses, with another `CliError` if none comes. */
  async ask<Op extends ControlOperation>(request: Extract<ControlRequest, { op: Op }>): Promise<ControlAnswers[Op]> {
    const object = await this.#exchange(request);
    const refused = REFUSAL.safeParse(object);
    if (refused.success) throw new ControlRefused(refused.data.fault, refused.data.text);
    const answer = ANSWER_SCHEMAS[request.op as Op].safeParse(object);
    if (!answer.success) {
      throw new CliError(`the box on ${this.#directory} answers in a way that this ringbox does not know; are they of the same version?`);
    }
    return answer.data;
  }

  close(): void {
    this.#socket.destroy();
    this.#name.close();
  }

  #exchange(request: ControlRequest): Promise<unknown> {
    const id = ++this.#lastId;
    const wait = WAITS[request.op] ?? ANSWER_WAIT;
    return new Promise((answered, failed) => {
      if (this.#socket.destroyed) return failed(new CliError(`the box on ${this.#directory} is gone`));
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        failed(new CliError(`the box on ${this.#directory} did not answer within ${wait / 1_000} seconds`));
      }, wait);
      const finish = <Value>(settle: (value: Value) => void) => (value: Value): void => {
        clearTimeout(timer);
        settle(value);
      };
      this.#waiting.set(id, { answered: finish(answered), failed: finish(failed) });
      this.#socket.write(requestLine(id, request));
    });
  }

  #receive(line: string): void {
    const object = parseJson(line);
    const frame = FRAME.safeParse(object);
    if (!frame.success) return this.#end("what answers on the control socket is not a box");
    const waiting = this.#waiting.get(frame.data.id);
    this.#waiting.delete(frame.data.id);
    waiting?.answered(object);
  }

  #end(reason: string): void {
    this.#socket.destroy();
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { failed } of all) failed(new CliError(reason));
  }
}

const FRAME = z.object({ id: z.int(), ok: z.boolean() });
const REFUSAL = z.object({
  ok: z.literal(false),
  fault: z.enum(["not-serving", "unavailable", "not-durable", "exists", "absent", "invalid"]),
  text: z.string(),
}) satisfies z.ZodMiniType<{ ok: false; fault: ControlFault; text: string }>;

const notRunning = (directory: string, reason: string): CliError =>
  new CliError(`no box is running on ${directory} (${reason})`);

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "it has no control socket",
  ECONNREFUSED: "nobody answers on its control socket",
  EACCES: "this user may not open its control socket",
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  return REASONS[code] ?? plainReason(error);
}
