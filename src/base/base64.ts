// Base64 (RFC 4648 section 4 and the URL form of section 5), which the bare language does not have.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const group = a * 65_536 + b * 256 + c;
    const left = bytes.length - at;
    text += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63);
    text += left > 1 ? ALPHABET.charAt((group >> 6) & 63) : "=";
    text += left > 2 ? ALPHABET.charAt(group & 63) : "=";
  }
  return text;
}

/** The bytes, or `undefined` if the text is not whole and canonical Base64. */
export function parseBase64(text: string): Uint8Array | undefined {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if (text.length % 4 !== 0) return undefined;
  const bytes = new Uint8Array((text.length / 4) * 3);
  let written = 0;
  for (let at = 0; at < text.length; at += 4) {
    let group = 0;
    for (let i = at; i < at + 4; i++) {
      const value = i >= text.length - padding ? 0 : sextet(text.charCodeAt(i));
      if (value < 0) return undefined;
      group = group * 64 + value;
    }
    bytes[written++] = group >> 16;
    bytes[written++] = (group >> 8) & 255;
    bytes[written++] = group & 255;
  }
  const whole = bytes.subarray(0, written - padding);
  return toBase64(whole) === text ? whole : undefined;
}

export const toBase64Url = (bytes: Uint8Array): string =>
  toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export function parseBase64Url(text: string): Uint8Array | undefined {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4);
  return parseBase64(padded);
}

function sextet(code: number): number {
  if (code >= 65 && code <= 90) return code - 65;
  if (code >= 97 && code <= 122) return code - 71;
  if (code >= 48 && code <= 57) return code + 4;
  if (code === 43) return 62;
  return code === 47 ? 63 : -1;
}
