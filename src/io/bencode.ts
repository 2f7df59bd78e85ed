// Bencoding, the language of rtpengine's ng protocol: octet strings, integers, lists, dictionaries.

export type Bencoded = string | number | readonly Bencoded[] | { readonly [key: string]: Bencoded };

/** Strings are octet strings, one character per byte. */
export function bencode(value: Bencoded): string {
  if (typeof value === "string") return `${value.length}:${value}`;
  if (typeof value === "number") return `i${value}e`;
  if (isList(value)) return `l${value.map(bencode).join("")}e`;
  const keys = Object.keys(value).sort();
  return `d${keys.map((key) => bencode(key) + bencode(value[key] ?? "")).join("")}e`;
}

const isList = (value: Bencoded): value is readonly Bencoded[] => Array.isArray(value);

export const isDictionary = (value: Bencoded): value is { readonly [key: string]: Bencoded } => typeof value === "object" && !isList(value);

/** Answers are flat: deeper ones are not read. */
const DEPTH_MAX = 8;

/** `undefined`: it is none, or more stands behind it. */
export function bdecode(text: string): Bencoded | undefined {
  const reader = new Reader(text);
  const value = reader.value(0);
  return reader.isAtEnd ? value : undefined;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  value(depth: number): Bencoded | undefined {
    if (depth > DEPTH_MAX) return undefined;
    switch (this.#text[this.#at]) {
      case "i":
        this.#at += 1;
        return this.#number("e");
      case "l":
        return this.#all(depth);
      case "d":
        return this.#dictionary(depth);
      default:
        return this.#string();
    }
  }

  #number(end: string): number | undefined {
    const last = this.#text.indexOf(end, this.#at);
    const digits = last < 0 ? "" : this.#text.slice(this.#at, last);
    if (digits.length > 15 || !/^-?\d+$/.test(digits)) return undefined;
    this.#at = last + 1;
    return Number(digits);
  }

  #string(): string | undefined {
    const length = this.#number(":");
    if (length === undefined || length < 0 || this.#at + length > this.#text.length) return undefined;
    this.#at += length;
    return this.#text.slice(this.#at - length, this.#at);
  }

  #all(depth: number): Bencoded[] | undefined {
    const values: Bencoded[] = [];
    for (this.#at += 1; this.#text[this.#at] !== "e"; ) {
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      values.push(value);
    }
    this.#at += 1;
    return values;
  }

  #dictionary(depth: number): { readonly [key: string]: Bencoded } | undefined {
    const values = this.#all(depth);
    if (values === undefined || values.length % 2 !== 0) return undefined;
    const found: [string, Bencoded][] = [];
    for (let index = 0; index < values.length; index += 2) {
      const [key, value] = [values[index], values[index + 1]];
      if (typeof key !== "string" || value === undefined) return undefined;
      found.push([key, value]);
    }
    return Object.fromEntries(found);
  }
}
