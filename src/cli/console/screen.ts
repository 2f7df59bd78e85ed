// A screen of text that is drawn again when it changed. On a line that knows no cursor (a dumb serial terminal, a
// pipe) what changed is printed below; elsewhere only lines that differ are sent: 9600 baud is a thousand characters
// a second.

import type { ReadStream, WriteStream } from "node:tty";

const HOME = "\u001b[H";
const CLEAR = "\u001b[2J";
const CLEAR_LINE = "\u001b[K";
const HIDE = "\u001b[?25l";
const SHOW = "\u001b[?25h";

export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #isDumb: boolean;
  #drawn: readonly string[] | undefined;

  constructor(out: NodeJS.WriteStream, terminal: string | undefined) {
    this.#out = out;
    this.#isDumb = !out.isTTY || terminal === "dumb" || terminal === undefined;
    if (!this.#isDumb) out.write(HIDE);
    out.on("resize", () => this.forget());
  }

  /** A serial line does not tell its size. */
  get columns(): number {
    return Math.max(40, (this.#out as Partial<WriteStream>).columns || 80);
  }
  get rows(): number {
    return Math.max(10, (this.#out as Partial<WriteStream>).rows || 25);
  }

  /** Everything is drawn the next time: something else wrote on the screen, or it was switched on. */
  forget(): void {
    this.#drawn = undefined;
  }

  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.rows - 1).map((line) => line.slice(0, this.columns - 1));
    if (this.#isDumb) return this.#print(shown);
    const before = this.#drawn;
    let text = before === undefined ? HOME + CLEAR : "";
    for (let row = 0; row < Math.max(shown.length, before?.length ?? 0); row++) {
      const line = shown[row] ?? "";
      if (before === undefined || line !== (before[row] ?? "")) text += `\u001b[${row + 1};1H${line}${CLEAR_LINE}`;
    }
    this.#drawn = shown;
    if (text !== "") this.#out.write(text);
  }

  close(): void {
    if (!this.#isDumb) this.#out.write(`\u001b[${this.rows};1H${SHOW}\r\n`);
  }

  /** What changes each second (ages) is no news on paper. */
  #print(lines: readonly string[]): void {
    const [first = ""] = lines;
    if (this.#drawn?.[0] === first) return;
    this.#drawn = lines;
    this.#out.write(`${lines.join("\r\n")}\r\n`);
  }
}

/** Keys as they are pressed, until `stop`; a pipe has none. */
export function readKeys(input: NodeJS.ReadStream, onKey: (key: string) => void): { readonly stop: () => void } {
  const terminal = input as Partial<ReadStream>;
  const listener = (bytes: Buffer): void => {
    for (const key of bytes.toString("latin1")) onKey(key);
  };
  if (input.isTTY) terminal.setRawMode?.(true);
  input.on("data", listener);
  input.resume();
  return {
    stop: () => {
      input.off("data", listener);
      input.pause();
      if (input.isTTY) terminal.setRawMode?.(false);
    },
  };
}
