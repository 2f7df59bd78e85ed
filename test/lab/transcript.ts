import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { until } from "./until.ts";

/** Kept in memory of what one program said; the file has all of it. */
const LONGEST = 1 << 20;

/** What a program that talks through pipes has said so far. */
export class Transcript {
  private text = "";
  /** Dropped from the front of `text`. */
  private dropped = 0;
  private gone: string | undefined;
  /** Held open until the program's last word: a test that ends may have removed its directory before. */
  private readonly file: number;

  constructor(program: ChildProcess, file: string) {
    this.file = openSync(file, "a");
    for (const stream of [program.stdout, program.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (piece: string) => this.append(piece));
    }
    program.on("exit", (code, signal) => {
      this.gone = `ended (${signal ?? `exit status ${code}`})`;
    });
    program.on("error", (error) => {
      this.gone = error.message;
    });
    program.on("close", () => closeSync(this.file));
    program.stdin?.on("error", (error) => this.keep(`[input: ${error.message}]\n`));
  }

  /** A place to read on from. */
  get end(): number {
    return this.dropped + this.text.length;
  }

  from(place: number): string {
    return this.text.slice(Math.max(0, place - this.dropped));
  }

  /** Waits until what was said after `place` matches. */
  async said(what: RegExp, place: number, seconds: number): Promise<RegExpExecArray> {
    const found = await until(`the words ${what}`, seconds, () => {
      const match = what.exec(this.from(place));
      if (match !== null) return match;
      throw new Error(`${this.gone ?? "running"}; it said ${JSON.stringify(this.from(place).slice(-600))}`);
    });
    return found.value;
  }

  private append(piece: string): void {
    writeSync(this.file, piece);
    this.keep(piece);
  }

  private keep(piece: string): void {
    this.text += piece;
    const excess = this.text.length - LONGEST;
    if (excess <= 0) return;
    this.text = this.text.slice(excess);
    this.dropped += excess;
  }
}
