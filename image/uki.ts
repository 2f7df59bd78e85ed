// A unified kernel image: the stub of systemd-boot with kernel, initial RAM disk and command line as sections of one
// PE file (UAPI.5). Written here and not by ukify, which Debian 12 does not have: no more than a table of sections.

import { BuildError } from "./steps.ts";

export interface UkiSection {
  /** At most eight characters, with the dot. */
  readonly name: string;
  readonly content: Uint8Array;
}

const SECTION_HEADER_BYTES = 40;
/** Initialized data, readable. */
const CHARACTERISTICS = 0x4000_0040;
const align = (value: number, to: number): number => Math.ceil(value / to) * to;

/** The stub with the sections behind its own, in the order given. */
export function unifiedKernelImage(stub: Buffer, sections: readonly UkiSection[]): Buffer {
  const header = stub.readUInt32LE(0x3c);
  if (stub.toString("latin1", header, header + 4) !== "PE\0\0") throw new BuildError("The stub of systemd-boot is not a PE file.");
  const optional = header + 24;
  const count = stub.readUInt16LE(header + 6);
  const table = optional + stub.readUInt16LE(header + 20);
  const sectionAlignment = stub.readUInt32LE(optional + 32);
  const fileAlignment = stub.readUInt32LE(optional + 36);
  if (table + (count + sections.length) * SECTION_HEADER_BYTES > stub.readUInt32LE(optional + 60)) {
    throw new BuildError("The stub of systemd-boot has no room for more sections.");
  }
  const head = Buffer.from(stub);
  const parts: Buffer[] = [head, Buffer.alloc(align(stub.length, fileAlignment) - stub.length)];
  let raw = align(stub.length, fileAlignment);
  let virtual = stub.readUInt32LE(optional + 56);
  let dataSize = stub.readUInt32LE(optional + 8);
  for (const [index, { name, content }] of sections.entries()) {
    const at = table + (count + index) * SECTION_HEADER_BYTES;
    const rawSize = align(content.length, fileAlignment);
    head.fill(0, at, at + SECTION_HEADER_BYTES);
    head.write(name, at, 8, "latin1");
    head.writeUInt32LE(content.length, at + 8);
    head.writeUInt32LE(virtual, at + 12);
    head.writeUInt32LE(rawSize, at + 16);
    head.writeUInt32LE(raw, at + 20);
    head.writeUInt32LE(CHARACTERISTICS, at + 36);
    parts.push(Buffer.from(content), Buffer.alloc(rawSize - content.length));
    raw += rawSize;
    dataSize += rawSize;
    virtual = align(virtual + content.length, sectionAlignment);
  }
  head.writeUInt16LE(count + sections.length, header + 6);
  head.writeUInt32LE(dataSize, optional + 8);
  head.writeUInt32LE(virtual, optional + 56);
  return Buffer.concat(parts);
}
