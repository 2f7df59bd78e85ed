// Reading and writing big-endian binary structures, and the two text forms of bytes we use:
// lower-case hex (identifiers) and octet strings (one character per byte; SIP messages).

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Character codes of the two digits of each byte. */
const DIGITS = Uint8Array.from({ length: 512 }, (_, i) => (HEX[i >> 1] as string).charCodeAt(i & 1));

/** 16 digits in one call: half the time of adding them up, and identifiers are made of these. */
function hexOf8(bytes: Uint8Array, at: number): string {
  const a = 2 * (bytes[at] as number);
  const b = 2 * (bytes[at + 1] as number);
  const c = 2 * (bytes[at + 2] as number);
  const d = 2 * (bytes[at + 3] as number);
  const e = 2 * (bytes[at + 4] as number);
  const f = 2 * (bytes[at + 5] as number);
  const g = 2 * (bytes[at + 6] as number);
  const h = 2 * (bytes[at + 7] as number);
  // biome-ignore format: eight bytes, eight pairs
  return String.fromCharCode(
    DIGITS[a] as number, DIGITS[a + 1] as number, DIGITS[b] as number, DIGITS[b + 1] as number,
    DIGITS[c] as number, DIGITS[c + 1] as number, DIGITS[d] as number, DIGITS[d + 1] as number,
    DIGITS[e] as number, DIGITS[e + 1] as number, DIGITS[f] as number, DIGITS[f + 1] as number,
    DIGITS[g] as number, DIGITS[g + 1] as number, DIGITS[h] as number, DIGITS[h + 1] as number,
  );
}

export function toHex(bytes: Uint8Array): string {
  return hexBetween(bytes, 0, bytes.length);
}

function hexBetween(bytes: Uint8Array, start: number, end: number): string {
  let hex = "";
  let at = start;
  for (; at + 8 <= end; at += 8) hex += hexOf8(bytes, at);
  for (; at < end; at++) hex += HEX[bytes[at] as number];
  return hex;
}

const nibble = (code: number): number =>
  code >= 48 && code <= 57 ? code - 48 : code >= 97 && code <= 102 ? code - 87 : code >= 65 && code <= 70 ? code - 55 : -1;

/** The same for digits known to be such. */
const NIBBLES = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, nibble(code)));

/** The bytes of a hex string, or `undefined` if it is not one. */
export function parseHex(hex: string): Uint8Array | undefined {
  if (hex.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = nibble(hex.charCodeAt(2 * i));
    const low = nibble(hex.charCodeAt(2 * i + 1));
    if (high < 0 || low < 0) return undefined;
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

/** The bytes of a hex string that this program made itself. */
export function fromHex(hex: string): Uint8Array {
  const bytes = parseHex(hex);
  if (bytes === undefined) throw new RangeError(`not hex: ${hex}`);
  return bytes;
}

/** Bytes of an octet string. */
export function fromOctets(octets: string): Uint8Array {
  const bytes = new Uint8Array(octets.length);
  for (let i = 0; i < octets.length; i++) bytes[i] = octets.charCodeAt(i);
  return bytes;
}

export function toOctets(bytes: Uint8Array): string {
  if (bytes.length <= 4096) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let octets = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    octets += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096) as unknown as number[]);
  }
  return octets;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** UTF-8 octets of a text, as an octet string. */
export const utf8Octets = (text: string): string =>
  isAscii(text) ? text : unescapeOctets(encodeURIComponent(text.toWellFormed()));

const unescapeOctets = (escaped: string): string =>
  escaped.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** The text of UTF-8 octets; malformed input reads as Latin-1. */
export function fromUtf8Octets(octets: string): string {
  if (isAscii(octets)) return octets;
  try {
    return decodeURIComponent(octets.replace(/[^A-Za-z0-9]/g, (char) => `%${HEX[char.charCodeAt(0) & 0xff]}`));
  } catch {
    return octets;
  }
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Thrown by `ByteReader` on input that ends too early or breaks a stated limit; caught by each `decode`. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);

// Texts of 16 bytes that were read before. BOUNDED: one for each slot, the new one stays.
const KNOWN_SLOTS = 1_024;
const knownWords = new Int32Array(4 * KNOWN_SLOTS);
const knownTexts: string[] = Array.from({ length: KNOWN_SLOTS }, () => "0".repeat(32));

function knownHexOf16(bytes: Uint8Array, at: number): string {
  const a = wordAt(bytes, at);
  const b = wordAt(bytes, at + 4);
  const c = wordAt(bytes, at + 8);
  const d = wordAt(bytes, at + 12);
  const slot = (a ^ (a >>> 10) ^ (a >>> 20) ^ d) & (KNOWN_SLOTS - 1);
  const word = 4 * slot;
  if (knownWords[word] === a && knownWords[word + 1] === b && knownWords[word + 2] === c && knownWords[word + 3] === d) {
    return knownTexts[slot] as string;
  }
  knownWords[word] = a;
  knownWords[word + 1] = b;
  knownWords[word + 2] = c;
  knownWords[word + 3] = d;
  const text = hexBetween(bytes, at, at + 16);
  knownTexts[slot] = text;
  return text;
}

/** Reads big-endian fields from a view of bytes without copying. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#at;
  }
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(length: number): number {
    if (length > this.remaining) throw new DecodeError(`${length} bytes wanted at ${this.#at}, ${this.remaining} left`);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }
  u16(): number {
    const at = this.#take(2);
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number);
  }
  u24(): number {
    const at = this.#take(3);
    return ((this.#bytes[at] as number) << 16) | ((this.#bytes[at + 1] as number) << 8) | (this.#bytes[at + 2] as number);
  }
  u32(): number {
    return wordAt(this.#bytes, this.#take(4)) >>> 0;
  }
  /** A 64-bit field that this program keeps as a number; above 2^53 it is refused. */
  u64(): number {
    const at = this.#take(8);
    const value = (wordAt(this.#bytes, at) >>> 0) * 2 ** 32 + (wordAt(this.#bytes, at + 4) >>> 0);
    if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError(`64-bit value too large: ${value}`);
    return value;
  }
  u64Big(): bigint {
    const at = this.#take(8);
    return (BigInt(wordAt(this.#bytes, at) >>> 0) << 32n) | BigInt(wordAt(this.#bytes, at + 4) >>> 0);
  }
  /** A view of the next `length` bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }
  /** The next `length` bytes as lower-case hex. */
  hex(length: number): string {
    const at = this.#take(length);
    return hexBetween(this.#bytes, at, at + length);
  }
  /** The next 16 bytes as lower-case hex, of identifiers that come again and again: seldom a new string. */
  knownHex16(): string {
    return knownHexOf16(this.#bytes, this.#take(16));
  }
  skip(length: number): void {
    this.#take(length);
  }
  /** A reader of the next `length` bytes. */
  sub(length: number): ByteReader {
    return new ByteReader(this.bytes(length));
  }
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }
  end(): void {
    if (this.remaining !== 0) throw new DecodeError(`${this.remaining} bytes too many`);
  }
}

/** Writes big-endian fields into a buffer that grows. */
export class ByteWriter {
  #bytes: Uint8Array;
  #at = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#at;
  }

  #room(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#at, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }
  u16(value: number): this {
    return this.u16At(this.#room(2), value);
  }
  u24(value: number): this {
    return this.u8(Math.floor(value / 65_536) & 0xff).u16(value & 0xffff);
  }
  u32(value: number): this {
    return this.u32At(this.#room(4), value);
  }
  u64(value: number | bigint): this {
    const at = this.#room(8);
    if (typeof value === "bigint") return this.u32At(at, Number((value >> 32n) & 0xffffffffn)).u32At(at + 4, Number(value & 0xffffffffn));
    return this.u32At(at, Math.floor(value / 2 ** 32)).u32At(at + 4, value >>> 0);
  }
  /** The bytes of hex digits that this program made or checked itself. */
  hex(value: string): this {
    const length = value.length >> 1;
    const at = this.#room(length);
    for (let i = 0; i < length; i++) {
      this.#bytes[at + i] = ((NIBBLES[value.charCodeAt(2 * i)] as number) << 4) | (NIBBLES[value.charCodeAt(2 * i + 1)] as number);
    }
    return this;
  }
  /** The bytes of an octet string. */
  octets(value: string): this {
    const at = this.#room(value.length);
    for (let i = 0; i < value.length; i++) this.#bytes[at + i] = value.charCodeAt(i);
    return this;
  }
  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }
  /**
   * Writes a length prefix of `width` bytes, then what `body` writes; the prefix counts its bytes.
   * This is RFC 6940's `x<0..2^n-1>` (section 6.3.1).
   */
  prefixed(width: 1 | 2 | 3 | 4, body: (writer: this) => void): this {
    const at = this.#room(width);
    body(this);
    const length = this.#at - at - width;
    if (length >= 2 ** (8 * width)) throw new RangeError(`${length} bytes behind a prefix of ${width}`);
    for (let i = 0; i < width; i++) this.#bytes[at + i] = Math.floor(length / 2 ** (8 * (width - 1 - i))) & 0xff;
    return this;
  }
  /** Overwrites four bytes written before: a length that counts what came after it. */
  u32At(at: number, value: number): this {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
    return this;
  }
  /** Overwrites two bytes written before. */
  u16At(at: number, value: number): this {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
    return this;
  }
  /** Forgets what was written and keeps the room: for a writer used again and again. */
  reset(): this {
    this.#at = 0;
    return this;
  }
  /** Copies what was written to `target` at `offset`. */
  copyTo(target: Uint8Array, offset: number): void {
    target.set(this.#bytes.subarray(0, this.#at), offset);
  }
  /** A view of bytes written before; the next write may change or move them. */
  view(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }
  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }
}
