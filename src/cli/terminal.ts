// The user's end of a command: what it reads and writes. Tests put their own in its place.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { CliError } from "./cli-error.ts";

export interface Terminal {
  /** What was asked for: standard output. */
  print(text: string): void;
  /** What is said beside it: standard error. */
  note(text: string): void;
  /** A line that the next one overwrites; nothing if nobody watches. */
  progress(text: string): void;
  /** Whether a person types the input. */
  readonly interactive: boolean;
  /** One line typed without echo. */
  askSecret(prompt: string): Promise<string>;
  /** All of standard input. Rejects with a `CliError` above `maxBytes`. */
  readInput(maxBytes: number): Promise<Uint8Array>;
}

export const processTerminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  progress: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  },
  get interactive() {
    return process.stdin.isTTY;
  },
  askSecret,
  readInput,
};

function askSecret(prompt: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  // Only now is the echo off.
  process.stderr.write(prompt);
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      lines.removeAllListeners("close");
      lines.close();
      process.stderr.write("\n");
      settle();
    };
    lines.once("line", (line) => finish(() => resolve(line)));
    lines.once("SIGINT", () => finish(() => reject(new CliError("stopped; nothing was changed"))));
    lines.once("close", () => finish(() => reject(new CliError("no password was typed; nothing was changed"))));
  });
}

async function readInput(maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    length += chunk.length;
    if (length > maxBytes) throw new CliError(`the input is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
