// A GUID partition table (UEFI 2.10 section 5.3), read and with some partitions named anew. Nothing else of it changes.

import { fault, ok, type Result } from "../base/result.ts";

export const SECTOR = 512;
const SIGNATURE = "EFI PART";
const HEADER_BYTES_MAX = SECTOR;
const ENTRY_BYTES = 128;
const TABLE_ENTRIES_MAX = 128;
const NAME_UNITS = 36;

export interface Partition {
  readonly index: number;
  /** GUIDs in their text form, lower case. */
  readonly type: string;
  readonly uuid: string;
  readonly name: string;
  /** Octets of the disk. */
  readonly offset: number;
  readonly length: number;
}

export interface PartitionTable {
  /** Octets of the disk at which the header and the entries lie. */
  readonly headerAt: number;
  readonly entriesAt: number;
  /** Where the other copy's header is. */
  readonly otherHeaderAt: number;
  readonly header: Uint8Array;
  readonly entries: Uint8Array;
  readonly partitions: readonly Partition[];
}

export interface NewName {
  readonly index: number;
  readonly name: string;
  readonly uuid: string;
}

/** The copy whose header is at `headerAt`. `read`: octets of the disk. */
export function readTable(headerAt: number, read: (position: number, length: number) => Uint8Array): Result<PartitionTable, string> {
  const header = read(headerAt, SECTOR);
  if (header.length < SECTOR || ascii(header, 0, 8) !== SIGNATURE) return fault("there is no GUID partition table");
  const view = viewOf(header);
  const size = view.getUint32(12, true);
  const [count, entryBytes] = [view.getUint32(80, true), view.getUint32(84, true)];
  const [own, other, entriesSector] = [24, 32, 72].map((at) => Number(view.getBigUint64(at, true)));
  if (size < 92 || size > HEADER_BYTES_MAX || entryBytes !== ENTRY_BYTES || count > TABLE_ENTRIES_MAX) return fault("the partition table is not of a form that we know");
  if (own !== headerAt / SECTOR || headerSum(header) !== view.getUint32(16, true)) return fault("the partition table's header is damaged");
  const entriesAt = (entriesSector ?? 0) * SECTOR;
  const entries = read(entriesAt, count * ENTRY_BYTES);
  if (crc32(entries) !== view.getUint32(88, true)) return fault("the partition table's entries are damaged");
  return ok({ headerAt, entriesAt, otherHeaderAt: (other ?? 0) * SECTOR, header, entries, partitions: partitionsOf(entries) });
}

/** Entries and header as they are to be written. */
export function renamed({ header, entries }: PartitionTable, names: readonly NewName[]): { readonly header: Uint8Array; readonly entries: Uint8Array } {
  const [newHeader, newEntries] = [new Uint8Array(header), new Uint8Array(entries)];
  for (const { index, name, uuid } of names) {
    newEntries.set(guidBytes(uuid), index * ENTRY_BYTES + 16);
    const view = viewOf(newEntries);
    for (let unit = 0; unit < NAME_UNITS; unit++) view.setUint16(index * ENTRY_BYTES + 56 + 2 * unit, unit < name.length ? name.charCodeAt(unit) : 0, true);
  }
  const view = viewOf(newHeader);
  view.setUint32(88, crc32(newEntries), true);
  view.setUint32(16, headerSum(newHeader), true);
  return { header: newHeader, entries: newEntries };
}

function partitionsOf(entries: Uint8Array): readonly Partition[] {
  const view = viewOf(entries);
  const partitions: Partition[] = [];
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    const type = guidText(entries.subarray(at, at + 16));
    if (type === "00000000-0000-0000-0000-000000000000") continue;
    const [first, last] = [Number(view.getBigUint64(at + 32, true)), Number(view.getBigUint64(at + 40, true))];
    let name = "";
    for (let unit = 0; unit < NAME_UNITS; unit++) {
      const code = view.getUint16(at + 56 + 2 * unit, true);
      if (code === 0) break;
      name += String.fromCharCode(code);
    }
    partitions.push({ index: at / ENTRY_BYTES, type, uuid: guidText(entries.subarray(at + 16, at + 32)), name, offset: first * SECTOR, length: (last - first + 1) * SECTOR });
  }
  return partitions;
}

/** Over the header with its own sum as zero. */
function headerSum(header: Uint8Array): number {
  const copy = new Uint8Array(header.subarray(0, viewOf(header).getUint32(12, true)));
  viewOf(copy).setUint32(16, 0, true);
  return crc32(copy);
}

/** The first three groups of a GUID are little-endian. */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

function guidText(bytes: Uint8Array): string {
  const hex = GUID_ORDER.map((at) => (bytes[at] ?? 0).toString(16).padStart(2, "0")).join("");
  return guidOf(hex);
}

/** 32 hex digits as a GUID is written. */
export const guidOf = (hex: string): string => [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");

function guidBytes(guid: string): Uint8Array {
  const hex = guid.replaceAll("-", "");
  const bytes = new Uint8Array(16);
  for (const [index, at] of GUID_ORDER.entries()) bytes[at] = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16);
  return bytes;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const ascii = (bytes: Uint8Array, at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));

/** CRC-32 as in IEEE 802.3, reflected. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb8_8320 : sum >>> 1;
  }
  return (sum ^ 0xffff_ffff) >>> 0;
}
