// What was shown in a terminal, kept in the data directory as asciicast v2: who opened it, when, and all that it said.
// What was typed is not in it but where the terminal echoed it: passwords are not echoed.

import { createWriteStream, mkdirSync, readdirSync, rmSync, statSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../clock.ts";

const FOLDER = "terminal-recordings";
/** Of one recording; what comes after is not in it, and its end says so. */
const RECORDING_MAX_BYTES = 2 * 1_048_576;
/** The oldest goes. */
const RECORDINGS_MAX = 40;
/** Not yet on the disk; above it the recording ends: a terminal does not wait for a card. */
const UNWRITTEN_MAX_BYTES = 1_048_576;
const SUFFIX = ".cast";

export interface RecordingEntry {
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

export class Recording {
  readonly #stream: WriteStream | undefined;
  readonly #startedAt = systemClock.now();
  #bytes = 0;
  #isFull = false;

  /** `undefined` stream: the directory takes none, and the terminal goes on without. */
  private constructor(stream: WriteStream | undefined) {
    this.#stream = stream;
    stream?.on("error", () => {
      this.#isFull = true;
    });
  }

  static start(directory: string, title: string, columns: number, rows: number): Recording {
    const folder = join(directory, FOLDER);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      for (const { name } of listRecordings(directory).slice(RECORDINGS_MAX - 1)) rmSync(join(folder, name), { force: true });
      const name = `${new Date(systemClock.wall()).toISOString().replaceAll(/[-:]/g, "").replace(".", "-")}${SUFFIX}`;
      const recording = new Recording(createWriteStream(join(folder, name), { flags: "wx", mode: 0o600 }));
      recording.#write(JSON.stringify({ version: 2, width: columns, height: rows, timestamp: Math.floor(systemClock.wall() / 1_000), title }));
      return recording;
    } catch {
      return new Recording(undefined); // a full or read-only disk: told as a condition of the box
    }
  }

  output(text: string): void {
    this.#event("o", text);
  }
  resized(columns: number, rows: number): void {
    this.#event("r", `${columns}x${rows}`);
  }

  end(): void {
    this.#stream?.end();
  }

  #event(kind: "o" | "r", text: string): void {
    if (this.#isFull) return;
    if (this.#bytes + text.length > RECORDING_MAX_BYTES || (this.#stream?.writableLength ?? 0) > UNWRITTEN_MAX_BYTES) {
      this.#isFull = true;
      return this.#write(JSON.stringify([this.#seconds(), "o", "\r\n(the recording ends here; the terminal went on)\r\n"]));
    }
    this.#write(JSON.stringify([this.#seconds(), kind, text]));
  }
  #write(line: string): void {
    this.#bytes += line.length + 1;
    this.#stream?.write(`${line}\n`);
  }
  #seconds(): number {
    return Math.round(systemClock.now() - this.#startedAt) / 1_000;
  }
}

/** The latest first. */
export function listRecordings(directory: string): RecordingEntry[] {
  const folder = join(directory, FOLDER);
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX)).sort().reverse();
    return names.map((name) => {
      const { size, mtimeMs } = statSync(join(folder, name));
      return { name, bytes: size, endedAt: Math.round(mtimeMs) };
    });
  } catch {
    return []; // there is none yet
  }
}

/** The file of a listed recording: a name that is not in the list is none. */
export const recordingFile = (directory: string, name: string): string | undefined =>
  listRecordings(directory).some((entry) => entry.name === name) ? join(directory, FOLDER, name) : undefined;
