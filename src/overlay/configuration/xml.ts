// Reads the small XML that configuration documents are written in: elements, attributes, text. No DTD, no
// processing instruction but the declaration, no entity but the five and numbers, no bytes above 7F: what a
// general parser would have to be told to refuse does not exist here. One pass, linear, limits first.

import { fault, ok, type Result } from "../../base/result.ts";

export interface XmlElement {
  /** As written, with its prefix. */
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** The text directly inside, without that of children. */
  readonly text: string;
  /** From its `<` to behind its `>` in the source. */
  readonly start: number;
  readonly end: number;
}

/** Characters of a document. */
export const MAX_DOCUMENT = 170_000;
const MAX_DEPTH = 8;
const MAX_ELEMENTS = 8_192;
const MAX_ATTRIBUTES = 16;

/** What is wrong, for the one who sent it; thrown and caught in this file. */
class XmlFault extends Error {}

/** The root element of an octet string, or what is wrong with it. */
export function parseXml(source: string): Result<XmlElement, string> {
  if (source.length > MAX_DOCUMENT) return fault(`it has more than ${MAX_DOCUMENT} characters`);
  try {
    return ok(new XmlReader(source).document());
  } catch (error) {
    if (error instanceof XmlFault) return fault(error.message);
    throw error;
  }
}

/** `text` as it stands between tags or in quotes. */
export function escapeXml(text: string): string {
  let escaped = "";
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 32 || code > 126 || char === "<" || char === ">" || char === "&" || char === '"') escaped += `&#${code};`;
    else escaped += char;
  }
  return escaped;
}

class XmlReader {
  readonly #source: string;
  #at = 0;
  #elements = 0;

  constructor(source: string) {
    this.#source = source;
  }

  document(): XmlElement {
    if (this.#source.startsWith("<?xml ")) this.#at = this.#find("?>") + 2;
    this.#space();
    const root = this.#element(1);
    this.#space();
    if (this.#at !== this.#source.length) throw new XmlFault("something follows its last element");
    return root;
  }

  #element(depth: number): XmlElement {
    if (depth > MAX_DEPTH) throw new XmlFault("it is nested too deeply");
    if (++this.#elements > MAX_ELEMENTS) throw new XmlFault("it has too many elements");
    const start = this.#at;
    this.#expect("<");
    const name = this.#name();
    const attributes = this.#attributes();
    if (this.#skip("/>")) return { name, attributes, children: [], text: "", start, end: this.#at };
    this.#expect(">");
    const { children, text } = this.#content(depth);
    this.#expect("</");
    if (this.#name() !== name) throw new XmlFault(`its element ${name} is not closed`);
    this.#space();
    this.#expect(">");
    return { name, attributes, children, text, start, end: this.#at };
  }

  #content(depth: number): { readonly children: XmlElement[]; readonly text: string } {
    const children: XmlElement[] = [];
    let text = "";
    for (;;) {
      const next = this.#source.indexOf("<", this.#at);
      if (next < 0) throw new XmlFault("it is cut short");
      text += unescaped(this.#source.slice(this.#at, next));
      this.#at = next;
      if (this.#source.startsWith("</", next)) return { children, text };
      if (this.#skip("<!--")) this.#at = this.#find("-->") + 3;
      else children.push(this.#element(depth + 1));
    }
  }

  #attributes(): ReadonlyMap<string, string> {
    const attributes = new Map<string, string>();
    for (;;) {
      const before = this.#at;
      this.#space();
      const char = this.#source[this.#at];
      if (char === ">" || char === "/") return attributes;
      if (this.#at === before) throw new XmlFault("a tag is malformed");
      const name = this.#name();
      this.#space();
      this.#expect("=");
      this.#space();
      if (attributes.size === MAX_ATTRIBUTES || attributes.has(name)) throw new XmlFault(`its attribute ${name} is one too many`);
      attributes.set(name, this.#quoted());
    }
  }

  #quoted(): string {
    const quote = this.#source[this.#at];
    if (quote !== '"' && quote !== "'") throw new XmlFault("an attribute is not in quotes");
    const end = this.#source.indexOf(quote, this.#at + 1);
    const value = this.#source.slice(this.#at + 1, end < 0 ? undefined : end);
    if (end < 0 || value.includes("<")) throw new XmlFault("an attribute is not closed");
    this.#at = end + 1;
    return unescaped(value);
  }

  #name(): string {
    const start = this.#at;
    while (isNameCode(this.#source.charCodeAt(this.#at))) this.#at++;
    if (this.#at === start || this.#at - start > 64) throw new XmlFault("a name is malformed");
    return this.#source.slice(start, this.#at);
  }

  #space(): void {
    while (isSpace(this.#source.charCodeAt(this.#at))) this.#at++;
  }
  #skip(token: string): boolean {
    if (!this.#source.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }
  #expect(token: string): void {
    if (!this.#skip(token)) throw new XmlFault(this.#at >= this.#source.length ? "it is cut short" : `it has something else where ${token} belongs`);
  }
  #find(token: string): number {
    const at = this.#source.indexOf(token, this.#at);
    if (at < 0) throw new XmlFault("it is cut short");
    return at;
  }
}

const isSpace = (code: number): boolean => code === 32 || code === 9 || code === 10 || code === 13;

/** Letters, digits and `-._:`. */
const isNameCode = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 58) || code === 45 || code === 46 || code === 95;

const ENTITIES: ReadonlyMap<string, string> = new Map([["lt", "<"], ["gt", ">"], ["amp", "&"], ["quot", '"'], ["apos", "'"]]);

function unescaped(raw: string): string {
  let text = "";
  for (let at = 0; at < raw.length; ) {
    const code = raw.charCodeAt(at);
    if (code > 126 || (code < 32 && !isSpace(code))) throw new XmlFault("it holds a character that does not belong there");
    if (code !== 38) {
      text += raw[at++];
      continue;
    }
    const end = raw.indexOf(";", at);
    const name = end < 0 || end - at > 10 ? "" : raw.slice(at + 1, end);
    const char = name.startsWith("#") ? numbered(name.slice(1)) : ENTITIES.get(name);
    if (char === undefined) throw new XmlFault("it uses an entity that is not known");
    text += char;
    at = end + 1;
  }
  return text;
}

function numbered(digits: string): string | undefined {
  const code = Number(digits);
  return String(code) === digits && Number.isInteger(code) && code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}
