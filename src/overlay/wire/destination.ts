// Destinations of the via and destination lists (RFC 6940 section 6.3.2.2).

import type { ByteReader, ByteWriter } from "../../base/bytes.ts";
import type { NodeId, ResourceId } from "../ports.ts";
import { endAt, readItems, readOpaqueHex, writeOpaqueHex } from "./fields.ts";
import { ID_LENGTH, readNodeId, readResourceId } from "./identifiers.ts";

export type Destination =
  | { readonly type: "node"; readonly nodeId: NodeId }
  | { readonly type: "resource"; readonly resource: ResourceId }
  /** Bytes only the peer that made them understands, hex. */
  | { readonly type: "opaque"; readonly id: string }
  /** The two-byte form of an opaque id: 15 bits. */
  | { readonly type: "compressed"; readonly id: number }
  /** A type we do not know, hex of its data; passed on as it came. */
  | { readonly type: "unknown"; readonly code: number; readonly contents: string };

const NODE = 1;
const RESOURCE = 2;
const OPAQUE = 3;
const COMPRESSED = 0x80;

/** BOUNDED: entries of a via or destination list; a longer one is refused. */
export const MAX_DESTINATIONS = 64;

export function readDestination(reader: ByteReader): Destination {
  const first = reader.u8();
  if (first >= COMPRESSED) return { type: "compressed", id: (first - COMPRESSED) * 256 + reader.u8() };
  const length = reader.u8();
  const end = reader.position + length;
  const destination = readTyped(reader, first, length);
  endAt(reader, end);
  return destination;
}

function readTyped(reader: ByteReader, code: number, length: number): Destination {
  if (code === NODE) return { type: "node", nodeId: readNodeId(reader) };
  if (code === RESOURCE) return { type: "resource", resource: readResourceId(reader) };
  if (code === OPAQUE) return { type: "opaque", id: readOpaqueHex(reader, 1) };
  return { type: "unknown", code, contents: reader.hex(length) };
}

export function writeDestination(writer: ByteWriter, destination: Destination): void {
  switch (destination.type) {
    case "node":
      writer.u8(NODE).u8(ID_LENGTH).hex(destination.nodeId);
      return;
    case "resource":
      writer.u8(RESOURCE).u8(ID_LENGTH + 1).u8(ID_LENGTH).hex(destination.resource);
      return;
    case "opaque":
      writer.u8(OPAQUE).u8((destination.id.length >> 1) + 1);
      writeOpaqueHex(writer, 1, destination.id);
      return;
    case "compressed":
      writer.u8(COMPRESSED + (destination.id >> 8)).u8(destination.id & 0xff);
      return;
    case "unknown":
      writer.u8(destination.code);
      writeOpaqueHex(writer, 1, destination.contents);
  }
}

export function writeDestinations(writer: ByteWriter, destinations: readonly Destination[]): void {
  for (const destination of destinations) writeDestination(writer, destination);
}

/** Destinations that fill exactly the next `length` bytes. */
export const readDestinations = (reader: ByteReader, length: number): Destination[] =>
  readItems(reader, length, readDestination, MAX_DESTINATIONS);
