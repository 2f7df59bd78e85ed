// The tools of a technician in the page's terminal: a menu by numbers. It needs no rights but to read what the page
// shows; what this user may not do is said, not hidden. A shell only where the session has the right to one.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { seconds } from "../../base/time.ts";
import { shownText } from "../../health/access/shown-text.ts";
import { ladderLines } from "../call-commands.ts";
import { ladderSchema } from "../ladder-schema.ts";
import { type ReportSource, reportSource } from "./report-source.ts";
import { boxLines, callLines, eventLines, factLines, phoneLines, type ScreenReport } from "./report-view.ts";
import { readKeys } from "./screen.ts";

export interface MenuOptions {
  readonly page?: string;
  readonly shell?: boolean;
}

const CAPTURE_SECONDS = 60;
const CAPTURE_PACKETS = 20_000;
const WATCHED_EVERY = seconds(1);

interface Tool {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const say = (line: string): void => void process.stdout.write(`${shownText(line, 1_000)}\r\n`);

/** Until 0 or the end of the input. */
export async function fieldMenu(directory: string, { page, shell }: MenuOptions): Promise<void> {
  const menu = new FieldMenu(directory, reportSource(directory, page), shell === true);
  await menu.run();
}

class FieldMenu {
  readonly #directory: string;
  readonly #source: ReportSource;
  readonly #tools: readonly Tool[];

  constructor(directory: string, source: ReportSource, mayShell: boolean) {
    this.#directory = directory;
    this.#source = source;
    this.#tools = [
      { name: "How this box is", run: () => this.#show((report) => [report.firstLine, ...report.conditions.map(({ text, next }) => `${text} ${next}`), "", ...factLines(report)]) },
      { name: "Boxes and links", run: () => this.#show(boxLines) },
      { name: "Phones", run: () => this.#show(phoneLines) },
      { name: "Ping a phone or an address", run: () => this.#ping() },
      { name: "Ring a phone", run: () => this.#ring() },
      { name: "Watch calls live", run: () => this.#watch() },
      { name: "What happened, over all boxes", run: () => this.#show(eventLines) },
      { name: "Journal of this box", run: () => this.#journal() },
      { name: "Capture SIP packets for the evidence pack", run: () => this.#capture() },
      ...(mayShell ? [{ name: "Shell", run: () => this.#run("/bin/bash", ["-i"], "there is no shell here") }] : []),
    ];
  }

  async run(): Promise<void> {
    for (;;) {
      process.stdout.write("\r\n");
      for (const [index, { name }] of this.#tools.entries()) say(`${String(index + 1).padStart(2)}  ${name}`);
      say(" 0  End");
      const answer = await this.#question("> ");
      if (answer === undefined || answer.trim() === "0") return;
      const tool = this.#tools[Number(answer) - 1];
      if (tool === undefined) {
        say("Type a number of the list.");
        continue;
      }
      try {
        await tool.run();
      } catch (error) {
        say(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** `undefined`: the input has ended. */
  async #question(prompt: string): Promise<string | undefined> {
    const lines = createInterface({ input: process.stdin, output: process.stdout });
    const ended = new Promise<undefined>((resolve) => lines.once("close", () => resolve(undefined)));
    try {
      return await Promise.race([lines.question(prompt), ended]);
    } finally {
      lines.close();
    }
  }

  async #show(lines: (report: ScreenReport) => readonly string[]): Promise<void> {
    for (const line of lines(await this.#source.report())) say(line);
  }

  async #ping(): Promise<void> {
    const wanted = ((await this.#question("Phone (its number) or address: ")) ?? "").trim();
    if (wanted === "") return;
    const host = /^[0-9a-fA-F.:]+$/.test(wanted) && /[.:]/.test(wanted) ? wanted : await this.#addressOf(wanted);
    if (host === undefined) return say(`${wanted} is not registered.`);
    await this.#run("ping", ["-c", "4", "-W", "2", host], "there is no ping on this box");
  }

  /** Where the packets of a phone come from. */
  async #addressOf(phone: string): Promise<string | undefined> {
    const found = JSON.stringify(await this.#source.read(`/api/phones?q=${encodeURIComponent(phone)}`));
    return /"received":"\[?([0-9a-fA-F.:]+?)\]?:[0-9]+"/.exec(found)?.[1];
  }

  async #ring(): Promise<void> {
    const phone = ((await this.#question("Phone (its number): ")) ?? "").trim();
    if (phone !== "") say(await this.#source.act("ring-phone", phone, false));
  }

  /** Calls as they come; any key ends it. */
  async #watch(): Promise<void> {
    say("Any key ends it.");
    let seen = "";
    let busy = false;
    await new Promise<void>((ended) => {
      const look = async (): Promise<void> => {
        if (busy) return;
        busy = true;
        try {
          const report = await this.#source.report();
          const now = report.calls.map(({ id, outcome }) => `${id} ${outcome}`).join();
          if (now !== seen) for (const line of [...callLines(report), ...(await this.#messagesOf(report.calls[0]?.id))]) say(line);
          seen = now;
        } catch (error) {
          say(error instanceof Error ? error.message : String(error));
        }
        busy = false;
      };
      const timer = setInterval(() => void look(), WATCHED_EVERY);
      void look();
      const keys = readKeys(process.stdin, () => {
        clearInterval(timer);
        keys.stop();
        ended();
      });
    });
  }

  /** The ladder of one call, for whoever may open the agent's socket. */
  async #messagesOf(id: string | undefined): Promise<string[]> {
    if (id === undefined) return [];
    const found = ladderSchema.safeParse(await this.#source.read(`/api/calls/${encodeURIComponent(id)}`).catch(() => undefined));
    return found.success ? ladderLines(found.data) : ["This user may not read the messages of calls; they are on the page at /calls."];
  }

  #journal(): Promise<void> {
    return this.#run("journalctl", ["--no-pager", "-n", "200", "-u", "ringboxd", "-u", "ringbox-agent"], "there is no journal on this machine; look at what the programs print");
  }

  async #capture(): Promise<void> {
    const folder = join(this.#directory, "captures");
    if (!existsSync("/usr/bin/tcpdump") && !existsSync("/usr/sbin/tcpdump")) return say("tcpdump is not on this box.");
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch {
      return say("This user may not write into the data directory.");
    }
    const file = join(folder, `${new Date().toISOString().replaceAll(/[-:.]/g, "")}.pcap`);
    say(`Capturing SIP for ${CAPTURE_SECONDS} seconds; Ctrl-C ends it sooner.`);
    await this.#run("timeout", ["-s", "INT", String(CAPTURE_SECONDS), "tcpdump", "-i", "any", "-c", String(CAPTURE_PACKETS), "-w", file, "port", "5060", "or", "port", "5061"], "it could not be started");
    say(existsSync(file) ? `It is in ${file}.` : "Nothing was captured: this user may not.");
  }

  /** A program that has the terminal until it ends. */
  #run(program: string, args: readonly string[], otherwise: string): Promise<void> {
    return new Promise((ended) => {
      const ignore = (): void => undefined;
      process.on("SIGINT", ignore); // it is meant for the program
      const child = spawn(program, [...args], { stdio: "inherit" });
      const end = (): void => {
        process.off("SIGINT", ignore);
        ended();
      };
      child.on("error", () => {
        say(`${otherwise.charAt(0).toUpperCase()}${otherwise.slice(1)}.`);
        end();
      });
      child.on("close", end);
    });
  }
}
