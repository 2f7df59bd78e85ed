// A tar archive (POSIX ustar) of small text files, packed by gzip: readable on every machine without a tool of ours.

import { gzipSync } from "node:zlib";

export interface PackedFile {
  /** Of letters that every system takes, at most 99 octets. */
  readonly name: string;
  readonly content: string;
}

const BLOCK = 512;
const NAME_OCTETS = 99;

/** `at`: milliseconds since 1970, the time of all files. */
export function tarGz(files: readonly PackedFile[], at: number): Buffer {
  const blocks = files.flatMap(({ name, content }) => {
    const bytes = Buffer.from(content, "utf8");
    return [header(name, bytes.length, at), bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]));
}

function header(name: string, size: number, at: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number, offset: number): void => void block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, offset, "latin1");
  block.write(name.slice(0, NAME_OCTETS), 0, "utf8");
  octal(0o600, 8, 100);
  octal(0, 8, 108);
  octal(0, 8, 116);
  octal(size, 12, 124);
  octal(Math.floor(at / 1_000), 12, 136);
  block.write("        0", 148, "latin1"); // the sum counts itself as blanks; an ordinary file
  block.write("ustar\0" + "00", 257, "latin1");
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
