// So many octets of a stream at a time.

import type { Socket } from "node:net";

export class OctetReader {
  /** BOUNDED: the socket is paused while somebody has enough. */
  #waiting: Buffer[] = [];
  #length = 0;
  #wanted = 0;
  #resolve: (() => void) | undefined;
  #reject: ((error: Error) => void) | undefined;
  #ended: Error | undefined;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (part: Buffer) => {
      this.#waiting.push(part);
      this.#length += part.length;
      if (this.#length >= this.#wanted) {
        socket.pause();
        this.#resolve?.();
      }
    });
    const end = (error?: Error): void => {
      this.#ended = error ?? Object.assign(new Error("the stream has ended"), { code: "ENDED" });
      this.#reject?.(this.#ended);
    };
    socket.on("error", end);
    socket.on("close", () => end());
  }

  async take(length: number): Promise<Buffer> {
    this.#wanted = length;
    if (this.#length < length) {
      if (this.#ended !== undefined) throw this.#ended;
      await new Promise<void>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
        this.#socket.resume();
      });
      this.#resolve = undefined;
      this.#reject = undefined;
    }
    const all = this.#waiting.length === 1 ? (this.#waiting[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#waiting);
    this.#waiting = all.length > length ? [all.subarray(length)] : [];
    this.#length = all.length - length;
    return all.subarray(0, length);
  }
}
