import { RollingHash } from "./rolling-hash.ts";
import { toHex } from "../../src/base/bytes.ts";

const REMEMBERED = 80;

interface Happening {
  readonly time: number;
  readonly box: string;
  readonly direction: "in" | "out" | "fault" | "phone";
  readonly what: { readonly type: string };
}

/**
 * What happened in a run: a fingerprint of all of it, the last of it in full, and, if asked for,
 * all of it as text. Effects are hashed whole, but for the long
 * lists of members; inputs follow from effects, so their kind and time do.
 */
export class Trace {
  readonly #hash = new RollingHash();
  readonly #last: Happening[] = [];
  readonly #write: ((line: string) => void) | undefined;
  #count = 0;

  constructor(write?: (line: string) => void) {
    this.#write = write;
  }

  note(time: number, box: string, direction: Happening["direction"], what: { readonly type: string }): void {
    this.#hash.number(time);
    this.#hash.text(box);
    if (direction === "in" || what.type === "members-changed") this.#hash.text(what.type);
    else this.#hash.value(what);
    const happening = { time, box, direction, what };
    this.#last[this.#count++ % REMEMBERED] = happening;
    this.#write?.(formatHappening(happening));
  }

  get count(): number {
    return this.#count;
  }
  digest(): string {
    return this.#hash.digest();
  }
  /** The last happenings, oldest first. */
  last(): readonly string[] {
    const start = this.#count % REMEMBERED;
    return [...this.#last.slice(start), ...this.#last.slice(0, start)].map(formatHappening);
  }
}

export function formatTime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const part = (value: number, width = 2): string => String(value).padStart(width, "0");
  return `${part(Math.floor(seconds / 3_600))}:${part(Math.floor(seconds / 60) % 60)}:${part(seconds % 60)}.${part(Math.floor(ms % 1_000), 3)}`;
}

const formatHappening = ({ time, box, direction, what }: Happening): string =>
  `${formatTime(time)} ${box} ${direction} ${JSON.stringify(what, (_, value: unknown) => (value instanceof Uint8Array ? shorten(value) : value))}`;

const shorten = (bytes: Uint8Array): string =>
  bytes.length <= 48 ? toHex(bytes) : `${toHex(bytes.subarray(0, 48))}… (${bytes.length} bytes)`;
