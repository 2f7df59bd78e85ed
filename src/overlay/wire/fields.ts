// The repeated forms of RFC 6940 section 6.3.1: prefixed bytes, lists, Booleans. A prefix counts
// bytes, never items; a list must end exactly where its prefix says.

import { type ByteReader, type ByteWriter, DecodeError } from "../../base/bytes.ts";
import type { NodeId } from "../ports.ts";
import { ID_LENGTH, readNodeId } from "./identifiers.ts";

export type PrefixWidth = 1 | 2 | 3 | 4;

/** BOUNDED: items of any list of one message that states no smaller limit; one more is a malformed message. */
export const MAX_ITEMS = 4096;

export function readLength(reader: ByteReader, width: PrefixWidth): number {
  if (width === 1) return reader.u8();
  if (width === 2) return reader.u16();
  return width === 3 ? reader.u24() : reader.u32();
}

/** A view, not a copy. */
export const readOpaque = (reader: ByteReader, width: PrefixWidth): Uint8Array =>
  reader.bytes(readLength(reader, width));

export const readOpaqueHex = (reader: ByteReader, width: PrefixWidth): string => reader.hex(readLength(reader, width));

export function writeOpaque(writer: ByteWriter, width: PrefixWidth, value: Uint8Array): void {
  if (value.length >= 2 ** (8 * width)) throw new RangeError(`${value.length} bytes behind a prefix of ${width}`);
  if (width === 1) writer.u8(value.length);
  else if (width === 2) writer.u16(value.length);
  else if (width === 3) writer.u24(value.length);
  else writer.u32(value.length);
  writer.bytes(value);
}

export const writeOpaqueHex = (writer: ByteWriter, width: 1 | 2, value: string): void => {
  if (value.length >= 2 ** (8 * width + 1)) throw new RangeError(`${value.length / 2} bytes behind a prefix of ${width}`);
  if (width === 1) writer.u8(value.length >> 1);
  else writer.u16(value.length >> 1);
  writer.hex(value);
};

export const readList = <Item>(
  reader: ByteReader,
  width: PrefixWidth,
  read: (reader: ByteReader) => Item,
  most = MAX_ITEMS,
): Item[] => readItems(reader, readLength(reader, width), read, most);

/** Items that fill exactly the next `length` bytes. */
export function readItems<Item>(
  reader: ByteReader,
  length: number,
  read: (reader: ByteReader) => Item,
  most = MAX_ITEMS,
): Item[] {
  const items: Item[] = [];
  if (length > reader.remaining) throw new DecodeError(`list of ${length} bytes, ${reader.remaining} left`);
  const end = reader.position + length;
  while (reader.position < end) {
    if (items.length === most) throw new DecodeError(`list of more than ${most} items`);
    items.push(read(reader));
  }
  endAt(reader, end);
  return items;
}

/** That what was read reached exactly `end`. */
export function endAt(reader: ByteReader, end: number): void {
  if (reader.position !== end) throw new DecodeError(`structure ends at ${reader.position}, its length says ${end}`);
}

export function writeList<Item>(
  writer: ByteWriter,
  width: PrefixWidth,
  items: readonly Item[],
  write: (writer: ByteWriter, item: Item) => void,
): void {
  writer.prefixed(width, () => {
    for (const item of items) write(writer, item);
  });
}

export function readBoolean(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw new DecodeError(`Boolean ${value}`);
  return value === 1;
}

export const writeBoolean = (writer: ByteWriter, value: boolean): void => {
  writer.u8(value ? 1 : 0);
};

/** Raw Node-IDs behind a two-byte prefix. */
export const readNodeIds = (reader: ByteReader): NodeId[] => readList(reader, 2, readNodeId);

export function writeNodeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.u16(ids.length * ID_LENGTH);
  for (const id of ids) writer.hex(id);
}
