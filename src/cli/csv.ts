/** One row of a CSV file (RFC 4180), with the line on which it starts. */
export interface CsvRow {
  readonly line: number;
  readonly fields: readonly string[];
}

export interface CsvFault {
  readonly line: number;
  readonly text: string;
}

/** Reads fields with or without quotes; empty lines and lines that start with `#` are left out. */
export function parseCsv(text: string): { readonly rows: readonly CsvRow[]; readonly faults: readonly CsvFault[] } {
  const reader = new CsvReader(text);
  const rows: CsvRow[] = [];
  const faults: CsvFault[] = [];
  while (!reader.atEnd) {
    const line = reader.line;
    if (reader.skipBlankLine()) continue;
    const row = reader.readRow();
    if (typeof row === "string") faults.push({ line, text: row });
    else rows.push({ line, fields: row });
  }
  return { rows, faults };
}

class CsvReader {
  readonly #text: string;
  #at = 0;
  line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  skipBlankLine(): boolean {
    const end = this.#lineEnd();
    const content = this.#text.slice(this.#at, end).trim();
    if (content !== "" && !content.startsWith("#")) return false;
    this.#goTo(end + 1);
    return true;
  }

  /** The fields up to the end of the row, or what is wrong with it; then the rest of the line is skipped. */
  readRow(): readonly string[] | string {
    const fields: string[] = [];
    for (;;) {
      const field = this.#text[this.#at] === '"' ? this.#readQuoted() : this.#readPlain();
      if (field === undefined) return this.#giveUp();
      fields.push(field);
      const next = this.#text[this.#at];
      if (next === "\r" && this.#text[this.#at + 1] === "\n") this.#at += 1;
      if (this.atEnd || this.#text[this.#at] === "\n") {
        this.#goTo(this.#at + 1);
        return fields;
      }
      if (next !== ",") return this.#giveUp();
      this.#at += 1;
    }
  }

  #readPlain(): string {
    const rest = this.#text.slice(this.#at, this.#lineEnd());
    const comma = rest.indexOf(",");
    const field = comma === -1 ? withoutReturn(rest) : rest.slice(0, comma);
    this.#at += field.length;
    return field;
  }

  /** `undefined` if the closing quote is missing. */
  #readQuoted(): string | undefined {
    let field = "";
    let start = this.#at + 1;
    for (;;) {
      const quote = this.#text.indexOf('"', start);
      if (quote === -1) return undefined;
      field += this.#text.slice(start, quote);
      if (this.#text[quote + 1] !== '"') {
        this.#goTo(quote + 1);
        return field;
      }
      field += '"';
      start = quote + 2;
    }
  }

  #giveUp(): string {
    this.#goTo(this.#lineEnd() + 1);
    return "a quote is not closed, or something follows a closing quote";
  }

  #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end === -1 ? this.#text.length : end;
  }

  #goTo(at: number): void {
    for (let i = this.#at; i < at && i < this.#text.length; i++) if (this.#text[i] === "\n") this.line += 1;
    this.#at = Math.min(at, this.#text.length);
  }
}

const withoutReturn = (text: string): string => (text.endsWith("\r") ? text.slice(0, -1) : text);
