// Bodies of Store, Fetch, Stat and Find (RFC 6940 section 7.4).

import { type ByteReader, type ByteWriter, DecodeError, toHex } from "../../base/bytes.ts";
import type { KindId, ResourceId } from "../ports.ts";
import { readList, readNodeIds, readOpaque, writeList, writeNodeIds, writeOpaque } from "./fields.ts";
import { ID_LENGTH, readResourceId, writeResourceId } from "./identifiers.ts";
import type {
  FetchAns,
  FetchReq,
  FetchSpecifier,
  FindAns,
  FindReq,
  StatAns,
  StatReq,
  StoreAns,
  StoreKindData,
  StoreKindResponse,
  StoreReq,
} from "./message-body.ts";
import { readWholeStructure } from "./stored-data.ts";

/** BOUNDED: kinds in one request or answer; more are a malformed message. */
const MAX_KINDS = 64;

export const readStoreReq = (reader: ByteReader): StoreReq => ({
  type: "store_req",
  resource: readResourceId(reader),
  replicaNumber: reader.u8(),
  kinds: readList(reader, 4, readKindData, MAX_KINDS),
});

export function writeStoreReq(writer: ByteWriter, { resource, replicaNumber, kinds }: StoreReq): void {
  writeResourceId(writer, resource);
  writer.u8(replicaNumber);
  writeList(writer, 4, kinds, writeKindData);
}

function readKindData(reader: ByteReader): StoreKindData {
  return { kind: reader.u32(), generation: reader.u64(), values: readList(reader, 4, readWholeStructure) };
}

function writeKindData(writer: ByteWriter, { kind, generation, values }: StoreKindData): void {
  writer.u32(kind).u64(generation);
  writeList(writer, 4, values, (_, value) => writer.bytes(value));
}

export const readStoreAns = (reader: ByteReader): StoreAns => ({
  type: "store_ans",
  kinds: readList(reader, 2, readKindResponse, MAX_KINDS),
});

export const writeStoreAns = (writer: ByteWriter, { kinds }: StoreAns): void =>
  writeList(writer, 2, kinds, writeKindResponse);

const readKindResponse = (reader: ByteReader): StoreKindResponse => ({
  kind: reader.u32(),
  generation: reader.u64(),
  replicas: readNodeIds(reader),
});

function writeKindResponse(writer: ByteWriter, { kind, generation, replicas }: StoreKindResponse): void {
  writer.u32(kind).u64(generation);
  writeNodeIds(writer, replicas);
}

export const readFetchReq = (reader: ByteReader): FetchReq => ({ type: "fetch_req", ...readSpecifiers(reader) });
export const readStatReq = (reader: ByteReader): StatReq => ({ type: "stat_req", ...readSpecifiers(reader) });

const readSpecifiers = (reader: ByteReader): { resource: ResourceId; specifiers: FetchSpecifier[] } => ({
  resource: readResourceId(reader),
  specifiers: readList(reader, 2, readSpecifier, MAX_KINDS),
});

export function writeFetchReq(writer: ByteWriter, { resource, specifiers }: FetchReq | StatReq): void {
  writeResourceId(writer, resource);
  writeList(writer, 2, specifiers, writeSpecifier);
}

const readSpecifier = (reader: ByteReader): FetchSpecifier => ({
  kind: reader.u32(),
  generation: reader.u64(),
  selection: readOpaque(reader, 2),
});

function writeSpecifier(writer: ByteWriter, { kind, generation, selection }: FetchSpecifier): void {
  writer.u32(kind).u64(generation);
  writeOpaque(writer, 2, selection);
}

export const readFetchAns = (reader: ByteReader): FetchAns => ({ type: "fetch_ans", kinds: readKinds(reader) });
export const readStatAns = (reader: ByteReader): StatAns => ({ type: "stat_ans", kinds: readKinds(reader) });

const readKinds = (reader: ByteReader): StoreKindData[] => readList(reader, 4, readKindData, MAX_KINDS);

export const writeFetchAns = (writer: ByteWriter, { kinds }: FetchAns | StatAns): void =>
  writeList(writer, 4, kinds, writeKindData);

export const readFindReq = (reader: ByteReader): FindReq => ({
  type: "find_req",
  resource: readResourceId(reader),
  kinds: readList(reader, 1, (kinds) => kinds.u32(), MAX_KINDS),
});

export function writeFindReq(writer: ByteWriter, { resource, kinds }: FindReq): void {
  writeResourceId(writer, resource);
  writeList(writer, 1, kinds, (_, kind) => writer.u32(kind));
}

export const readFindAns = (reader: ByteReader): FindAns => ({
  type: "find_ans",
  results: readList(reader, 2, readFound, MAX_KINDS),
});

function readFound(reader: ByteReader): { kind: KindId; closest: ResourceId | undefined } {
  const kind = reader.u32();
  const found = readOpaque(reader, 1);
  if (found.length === 0 || (found.length === 1 && found[0] === 0)) return { kind, closest: undefined };
  if (found.length !== ID_LENGTH) throw new DecodeError(`Resource-ID of ${found.length} bytes`);
  return { kind, closest: toHex(found) as ResourceId };
}

export function writeFindAns(writer: ByteWriter, { results }: FindAns): void {
  writeList(writer, 2, results, (_, { kind, closest }) => {
    writer.u32(kind);
    if (closest === undefined) writer.u8(1).u8(0);
    else writeResourceId(writer, closest);
  });
}
