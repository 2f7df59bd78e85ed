import type { Terminal } from "../../src/cli/terminal.ts";

/** A terminal that types what it was given beforehand and remembers what was written. */
export class RecordedTerminal implements Terminal {
  readonly printed: string[] = [];
  readonly noted: string[] = [];
  readonly interactive: boolean;
  readonly #secrets: string[];
  readonly #input: string;

  constructor(typed: { readonly secrets?: readonly string[]; readonly input?: string } = {}) {
    this.interactive = typed.secrets !== undefined;
    this.#secrets = [...(typed.secrets ?? [])];
    this.#input = typed.input ?? "";
  }

  print(text: string): void {
    this.printed.push(text);
  }
  note(text: string): void {
    this.noted.push(text);
  }
  progress(): void {
    // Nobody watches.
  }
  askSecret(): Promise<string> {
    return Promise.resolve(this.#secrets.shift() ?? "");
  }
  readInput(): Promise<Uint8Array> {
    return Promise.resolve(new TextEncoder().encode(this.#input));
  }
}
