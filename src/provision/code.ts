// The short code by which a box without a ticket is admitted: forty random bits, as eight characters of
// an alphabet in which none is taken for another (no 0 and O, no 1 and I).

const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/** Bytes of luck in a code. */
export const CODE_BYTES = 5;
const CODE_CHARACTERS = 8;

/** Eight characters, no dash. */
export function makeCode(luck: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of luck.subarray(0, CODE_BYTES)) {
    value = value * 256 + byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt(Math.floor(value / 2 ** bits));
      value %= 2 ** bits;
    }
  }
  return text;
}

/** `ABCD-EFGH`, as people read it. */
export const formatCode = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`;

/** The eight characters of what a person typed: any case, with or without dash and spaces; `undefined` if it is no code. */
export function parseCode(text: string): string | undefined {
  if (text.length > 32) return undefined;
  const code = text.toUpperCase().replaceAll("-", "").replaceAll(" ", "");
  return code.length === CODE_CHARACTERS && [...code].every((char) => ALPHABET.includes(char)) ? code : undefined;
}
