// The time line on disk, so that it outlives its agent: lines of JSON, appended now and then, and written anew when they
// have become many. What is lost with the power is the last few seconds; nothing waits for this disk.

import { appendFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { between, type Duration, type Instant, minutes, seconds } from "../../base/time.ts";
import type { TimeLineEvent } from "../../health/report.ts";
import { parseJson } from "../control-frames.ts";
import { replaceFile } from "../replace-file.ts";

const FILE = "time-line.jsonl";
/** Above it the file is written anew with what the time line has. */
const FILE_MAX_BYTES = 512 * 1_024;
/** Flash wears: so often at most… */
const WRITTEN_EVERY: Duration = seconds(5);
/** …and so much within an hour at most; what is above waits. */
const BYTES_PER_HOUR = 256 * 1_024;
const HOUR: Duration = minutes(60);
const WAITING_MAX = 500;

const Event = z.object({
  id: z.string().check(z.maxLength(200)),
  at: z.number(),
  box: z.object({ nodeId: z.nullable(z.string().check(z.maxLength(32))), words: z.string().check(z.maxLength(100)) }),
  severity: z.enum(["notice", "warning", "alarm"]),
  text: z.string().check(z.maxLength(2_000)),
});

export class TimeLineFile {
  readonly #path: string;
  /** At most WAITING_MAX: the oldest goes. */
  #waiting: TimeLineEvent[] = [];
  #writtenAt: Instant | undefined;
  #hourBegan: Instant | undefined;
  #bytesThisHour = 0;

  /** `directory`: of the box; it need not be there yet. */
  constructor(directory: string) {
    this.#path = join(directory, FILE);
  }

  /** What was written last, oldest first. A line that is damaged, or was cut off, is left out. */
  read(): readonly TimeLineEvent[] {
    return linesOf(this.#path).flatMap((line) => {
      const parsed = Event.safeParse(parseJson(line));
      return parsed.success ? [parsed.data] : [];
    });
  }

  /** `fresh`: what is new; `all`: what the time line has, for the file that has grown too long. */
  keep(now: Instant, fresh: readonly TimeLineEvent[], all: () => readonly TimeLineEvent[]): void {
    this.#waiting = [...this.#waiting, ...fresh].slice(-WAITING_MAX);
    if (this.#waiting.length === 0 || (this.#writtenAt !== undefined && between(this.#writtenAt, now) < WRITTEN_EVERY)) return;
    if (this.#hourBegan === undefined || between(this.#hourBegan, now) >= HOUR) {
      this.#hourBegan = now;
      this.#bytesThisHour = 0;
    }
    if (this.#bytesThisHour >= BYTES_PER_HOUR) return;
    this.#writtenAt = now;
    this.#write(all);
  }

  /** The agent ends. */
  close(all: () => readonly TimeLineEvent[]): void {
    if (this.#waiting.length > 0) this.#write(all);
  }

  #write(all: () => readonly TimeLineEvent[]): void {
    const text = linesFrom(this.#waiting);
    try {
      if (sizeOf(this.#path) + text.length > FILE_MAX_BYTES) replaceFile(this.#path, linesFrom([...all()].reverse()), 0o600);
      else appendFileSync(this.#path, text, { mode: 0o600 });
      this.#bytesThisHour += text.length;
      this.#waiting = [];
    } catch {
      // A disk that takes nothing has a condition of its own; what waits is tried again.
    }
  }
}

const linesFrom = (events: readonly TimeLineEvent[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join("");

function linesOf(path: string): string[] {
  try {
    if (sizeOf(path) > 2 * FILE_MAX_BYTES) return []; // not ours
    return readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
  } catch {
    return []; // there was none yet
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
