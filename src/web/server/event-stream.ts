// Server-sent events: whoever looks at the page sees what changed, within a second.

import type { ServerResponse } from "node:http";
import { seconds } from "../../base/time.ts";
import type { HealthReport } from "../../health/report.ts";
import { USUAL_HEADERS } from "./answers.ts";

/** Pages at once; the next one is told to read `/api/report` by itself. */
const LISTENERS_MAX = 64;
const SENT_EVERY = seconds(1);
/** So that a page notices when nobody is there any more, and nothing between closes the connection. */
const HERE_EVERY = seconds(2);
/** A page that does not read is given up. */
const BUFFERED_MAX = 4 * 1_048_576;

export class EventStream {
  readonly #report: () => HealthReport;
  /** BOUNDED: by LISTENERS_MAX. */
  readonly #listeners = new Set<ServerResponse>();
  readonly #timers: readonly NodeJS.Timeout[];
  #last = "";

  constructor(report: () => HealthReport) {
    this.#report = report;
    this.#timers = [setInterval(() => this.#tell(), SENT_EVERY), setInterval(() => this.#write("event: here\ndata: {}\n\n"), HERE_EVERY)];
  }

  /** Whether there was room. */
  add(response: ServerResponse): boolean {
    if (this.#listeners.size >= LISTENERS_MAX) return false;
    response.writeHead(200, { ...USUAL_HEADERS, "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" });
    response.write(`retry: 2000\n\n${reportEvent(this.#report())}`);
    this.#listeners.add(response);
    response.on("close", () => this.#listeners.delete(response));
    return true;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const response of this.#listeners) response.end();
  }

  #tell(): void {
    if (this.#listeners.size === 0) return;
    const report = this.#report();
    const compared = JSON.stringify({ ...report, at: 0 });
    if (compared === this.#last) return;
    this.#last = compared;
    this.#write(reportEvent(report));
  }

  #write(text: string): void {
    for (const response of this.#listeners) {
      if (response.writableLength > BUFFERED_MAX) response.destroy();
      else response.write(text);
    }
  }
}

const reportEvent = (report: HealthReport): string => `event: report\ndata: ${JSON.stringify(report)}\n\n`;
