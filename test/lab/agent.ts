// The health agent of a box in the lab, and its page as somebody sees it who has it open.

import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { HealthReport } from "../../src/health/report.ts";
import { type Box, DIST } from "./box.ts";
import type { Host } from "./network.ts";
import { until } from "./until.ts";

export const PAGE_PORT = 8080;

export class Agent {
  readonly box: Box;
  readonly #program: ChildProcess;

  constructor(box: Box, parameters: readonly string[] = []) {
    this.box = box;
    const command = [join(DIST, "ringbox-agent"), "--data", box.dataDirectory, "--listen", box.address, ...parameters];
    this.#program = box.host.start(command, { file: `${box.dataDirectory}-agent.log` });
  }

  get page(): string {
    return `http://${this.box.address}:${PAGE_PORT}/`;
  }

  get pid(): number | undefined {
    return this.#program.pid;
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#program.kill(signal);
  }
}

/** The page of an agent, open at a host: every report that it was sent, the last one first. */
export class OpenPage {
  readonly #program: ChildProcess;
  #text = "";
  #last: HealthReport | undefined;

  constructor(host: Host, agent: Agent) {
    this.#program = host.start(["curl", "-sN", `${agent.page}api/events`], "pipe");
    this.#program.stdout?.setEncoding("utf8").on("data", (chunk: string) => this.#take(chunk));
  }

  close(): void {
    this.#program.kill("SIGKILL");
  }

  get report(): HealthReport {
    assert(this.#last !== undefined, "the page has shown nothing yet");
    return this.#last;
  }

  /** Seconds from `since` until the page shows it. */
  async shows(what: string, seconds: number, isShown: (report: HealthReport) => boolean, since = performance.now()): Promise<number> {
    const found = await until(what, seconds, () => assert(isShown(this.report), `it shows ${this.report.verdict}: ${this.report.firstLine}`), since);
    return found.seconds;
  }

  #take(chunk: string): void {
    this.#text += chunk;
    for (let end = this.#text.indexOf("\n\n"); end >= 0; end = this.#text.indexOf("\n\n")) {
      const data = this.#text.slice(0, end).split("\n").find((line) => line.startsWith("data: "));
      this.#text = this.#text.slice(end + 2);
      if (data !== undefined) this.#last = JSON.parse(data.slice("data: ".length));
    }
  }
}
