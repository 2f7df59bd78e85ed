// The characters of RFC 3261 section 25 and the few scanning steps that all parsers of this folder share.
// Everything takes and gives positions, looks at each character once, and uses no regular expression.

/** token (25.1). */
export const TOKEN = 1;
export const DIGIT = 2;
export const HEX = 4;
/** user, without "%": unreserved and user-unreserved, `#` and octets above 127, which phones send unescaped. */
export const USER = 8;
export const HOST = 16;
/** paramchar without "%", and "=" within values. */
export const URI_PARAMETER = 32;
/** What may stand in a header parameter without quotes; wider than token and host, for `received=::1` and UTF-8. */
export const BARE_VALUE = 64;
/** Any character of a URI (RFC 3986) and octets above 127: nothing that could end or split it. */
export const URI_CHARACTER = 128;

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const MARK = "-_.!~*'()";

const CLASSES = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const mark = (bit: number, characters: string): void => {
    for (let i = 0; i < characters.length; i++) {
      const code = characters.charCodeAt(i);
      table[code] = (table[code] ?? 0) | bit;
    }
  };
  mark(TOKEN, `${ALPHANUMERIC}-.!%*_+\`'~`);
  mark(DIGIT, "0123456789");
  mark(HEX, "0123456789abcdefABCDEF");
  mark(USER, `${ALPHANUMERIC}${MARK}&=+$,;?/#`);
  mark(HOST, `${ALPHANUMERIC}-._`);
  mark(URI_PARAMETER, `${ALPHANUMERIC}${MARK}[]/:&+$=`);
  mark(URI_CHARACTER, `${ALPHANUMERIC}${MARK}%;/?:@&=+$,[]#`);
  for (let code = 0x21; code < 0x100; code++) {
    if (code !== 0x7f && !';,"<>'.includes(String.fromCharCode(code))) table[code] = (table[code] ?? 0) | BARE_VALUE;
    if (code > 0x7f) table[code] = (table[code] ?? 0) | USER | URI_CHARACTER;
  }
  return table;
}

/** Whether the character code is in one of the classes. */
export const isIn = (code: number, classBits: number): boolean => ((CLASSES[code] ?? 0) & classBits) !== 0;

/** The first position in [at, end) whose character is not in the classes; `end` if all are. */
export function skipClass(text: string, at: number, end: number, classBits: number): number {
  let position = at;
  while (position < end && isIn(text.charCodeAt(position), classBits)) position++;
  return position;
}

/** Whether the characters of [at, end) are all in the classes, and there is at least one. */
export const isAll = (text: string, at: number, end: number, classBits: number): boolean =>
  at < end && skipClass(text, at, end, classBits) === end;

export const isToken = (text: string): boolean => isAll(text, 0, text.length, TOKEN);

export const SPACE = 0x20;
export const TAB = 0x09;
export const CR = 0x0d;
export const LF = 0x0a;
export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const COMMA = 0x2c;
export const EQUALS = 0x3d;
export const LEFT_ANGLE = 0x3c;
export const RIGHT_ANGLE = 0x3e;
export const PERCENT = 0x25;

export const isBlank = (code: number): boolean => code === SPACE || code === TAB;

/** Past spaces and tabs. */
export function skipBlank(text: string, at: number): number {
  let position = at;
  while (isBlank(text.charCodeAt(position))) position++;
  return position;
}

/** Past the quoted string that begins at `at`; -1 if it does not end. */
export function skipQuoted(text: string, at: number): number {
  for (let position = at + 1; position < text.length; position++) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) return position + 1;
    if (code === BACKSLASH) position++;
  }
  return -1;
}

/** A quoted string without its quotes and backslashes; other text as it is. */
export function unquote(text: string): string {
  if (text.charCodeAt(0) !== QUOTE) return text;
  const inner = text.slice(1, -1);
  if (!inner.includes("\\")) return inner;
  let plain = "";
  for (let i = 0; i < inner.length; i++) {
    if (inner.charCodeAt(i) === BACKSLASH) i++;
    plain += inner.charAt(i);
  }
  return plain;
}

/** As a quoted-string; control characters do not survive. */
export function quote(text: string): string {
  let quoted = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < SPACE || code === 0x7f) continue;
    if (code === QUOTE || code === BACKSLASH) quoted += "\\";
    quoted += text.charAt(i);
  }
  return `${quoted}"`;
}

/** 1*DIGIT up to `maximum`; `undefined` if it is anything else. */
export function parseUnsigned(text: string, maximum: number): number | undefined {
  if (text.length === 0) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
    if (value > maximum) return undefined;
  }
  return value;
}

const lower = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code);

/** Equal but for the case of ASCII letters. */
export function equalIgnoringCase(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (lower(a.charCodeAt(i)) !== lower(b.charCodeAt(i))) return false;
  return true;
}

/** Whether `word`, which is in lower case, stands at `at` in any case. */
export function standsAt(text: string, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (lower(text.charCodeAt(at + i)) !== word.charCodeAt(i)) return false;
  return true;
}

/** ASCII lower case: unlike toLowerCase it leaves octets above 127 alone. */
export function lowerCase(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code >= 65 && code <= 90) || code > 0x7f) return lowerFrom(text, i);
  }
  return text;
}

function lowerFrom(text: string, at: number): string {
  let result = text.slice(0, at);
  for (let i = at; i < text.length; i++) result += String.fromCharCode(lower(text.charCodeAt(i)));
  return result;
}

/** Whether each `%` in [at, end) begins an escape (25.1 escaped). */
export function hasSoundEscapes(text: string, at: number, end: number): boolean {
  for (let i = text.indexOf("%", at); i >= 0 && i < end; i = text.indexOf("%", i + 3)) {
    if (i + 2 >= end || !isIn(text.charCodeAt(i + 1), HEX) || !isIn(text.charCodeAt(i + 2), HEX)) return false;
  }
  return true;
}

/**
 * The members of a comma-separated list, trimmed: commas in quoted strings and angle brackets do not count.
 * Empty members stay (whoever reads them refuses them). At most `limit` commas divide; the last member holds the rest.
 */
export function splitList(text: string, limit: number): string[] {
  const members: string[] = [];
  let start = 0;
  let inAngles = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COMMA && !inAngles) {
      if (members.length === limit) break;
      members.push(trim(text, start, at));
      start = at + 1;
    } else if (code === LEFT_ANGLE) inAngles = true;
    else if (code === RIGHT_ANGLE) inAngles = false;
    else if (code === QUOTE && !inAngles) {
      const after = skipQuoted(text, at);
      if (after < 0) break;
      at = after - 1;
    }
  }
  members.push(trim(text, start, text.length));
  return members;
}

/** [at, end) without spaces and tabs around. */
export function trim(text: string, at: number, end: number): string {
  let first = at;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first++;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
  return text.slice(first, last);
}
