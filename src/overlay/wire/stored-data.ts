// StoredData and StoredMetaData (RFC 6940 sections 7.1 and 7.4.3), and what a Fetch selects (7.4.2.1).
// Values travel and lie on disk as the bytes they came in; they are decoded only where somebody
// looks into them. The data model is never on the wire: it comes from the kind.

import { ByteReader, ByteWriter, DecodeError } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import type { Result } from "../../base/result.ts";
import { type WallTime, wallTime } from "../../base/time.ts";
import type { KindDefinition, KindId, ResourceId } from "../ports.ts";
import {
  readBoolean,
  readList,
  readOpaque,
  readOpaqueHex,
  writeBoolean,
  writeList,
  writeOpaque,
  writeOpaqueHex,
} from "./fields.ts";
import {
  certificateOf,
  ECDSA_WITH_SHA256,
  isEcdsaWithSha256,
  NO_SIGNATURE,
  readSignature,
  type Signature,
  type Signer,
  writeIdentity,
  writeSignature,
} from "./security-block.ts";
import { decoded, type WireFault } from "./wire-fault.ts";

export type DataModel = KindDefinition["model"];

export type StoredPlace =
  | { readonly model: "single" }
  | { readonly model: "array"; readonly index: number }
  /** Dictionary key, hex. */
  | { readonly model: "dictionary"; readonly key: string };

/** The index that appends to an array. */
export const APPEND = 0xffffffff;

export interface StoredData {
  readonly storageTime: WallTime;
  /** Seconds. */
  readonly lifetime: number;
  readonly place: StoredPlace;
  readonly exists: boolean;
  readonly value: Uint8Array;
  readonly signature: Signature;
}

/** One StoredData structure, its length field included, with the signature it has. */
export function encodeStoredData(stored: StoredData): Uint8Array {
  const writer = new ByteWriter(64 + stored.value.length + stored.signature.value.length);
  writeStoredData(writer, stored);
  return writer.finish();
}

/** The same, into a message that is being written. */
export function writeStoredData(writer: ByteWriter, stored: StoredData): void {
  const start = writer.length;
  writer.u32(0).u64(stored.storageTime).u32(stored.lifetime);
  writeStoredValue(writer, stored);
  writeSignature(writer, stored.signature);
  writer.u32At(start, writer.length - start - 4);
}

function writeStoredValue(writer: ByteWriter, { place, exists, value }: Omit<StoredData, "signature">): void {
  writePlace(writer, place);
  writeBoolean(writer, exists);
  writeOpaque(writer, 4, value);
}

function writePlace(writer: ByteWriter, place: StoredPlace): void {
  if (place.model === "array") writer.u32(place.index);
  else if (place.model === "dictionary") writeOpaqueHex(writer, 2, place.key);
}

function readPlace(reader: ByteReader, model: DataModel): StoredPlace {
  if (model === "single") return SINGLE;
  if (model === "array") return { model, index: reader.u32() };
  return { model, key: readOpaqueHex(reader, 2) };
}

const SINGLE: StoredPlace = { model: "single" };

/** Without a signature: for kinds where the hop between enrolled boxes is enough. */
export const encodeUnsignedStoredData = (stored: Omit<StoredData, "signature">): Uint8Array =>
  encodeStoredData({ ...stored, signature: NO_SIGNATURE });

/** Signed by the writer (RFC 6940 section 7.1). */
export function signStoredData(
  resource: ResourceId,
  kind: KindId,
  stored: Omit<StoredData, "signature">,
  signer: Signer,
): Uint8Array {
  const unsigned = { ...stored, signature: { algorithm: ECDSA_WITH_SHA256, identity: signer.identity, value: NO_BYTES } };
  const value = signer.crypto.sign(signedBytes(resource, kind, unsigned));
  return encodeStoredData({ ...stored, signature: { ...unsigned.signature, value } });
}

const NO_BYTES = new Uint8Array(0);

/** What a value's signature covers; an array's index counts as 0 (RFC 6940 section 7.4.2.2). */
function signedBytes(resource: ResourceId, kind: KindId, stored: StoredData): Uint8Array {
  const writer = new ByteWriter(128 + stored.value.length).hex(resource).u32(kind).u64(stored.storageTime);
  const place: StoredPlace = stored.place.model === "array" ? { model: "array", index: 0 } : stored.place;
  writeStoredValue(writer, { ...stored, place });
  writeIdentity(writer, stored.signature.identity);
  return writer.finish();
}

/**
 * `bytes`: one structure, its length field included. `value` is a view of `bytes`; every accepted
 * structure is encoded to the same bytes again.
 */
export const decodeStoredData = (bytes: Uint8Array, model: DataModel): Result<StoredData, WireFault> =>
  decoded(() => {
    const reader = new ByteReader(bytes);
    checkWholeLength(reader);
    const storageTime = wallTime(reader.u64());
    const lifetime = reader.u32();
    const place = readPlace(reader, model);
    const exists = readBoolean(reader);
    const value = readOpaque(reader, 4);
    const signature = readSignature(reader);
    reader.end();
    return { storageTime, lifetime, place, exists, value, signature };
  });

function checkWholeLength(reader: ByteReader): void {
  const length = reader.u32();
  if (length !== reader.remaining) throw new DecodeError(`structure of ${reader.remaining} bytes says ${length}`);
}

/** storage_time of a structure that is known to be one, without decoding the rest. */
export const peekStorageTime = (stored: Uint8Array): WallTime => {
  const reader = new ByteReader(stored);
  reader.skip(4);
  return wallTime(reader.u64());
};

/** Whether one of `certificates` (DER) is what the signature names, and its key made the signature. */
export function verifyStoredData(
  resource: ResourceId,
  kind: KindId,
  stored: StoredData,
  certificates: readonly Uint8Array[],
  crypto: Crypto,
): boolean {
  const { algorithm, identity, value } = stored.signature;
  if (!isEcdsaWithSha256(algorithm)) return false;
  const certificate = certificateOf(identity, certificates, crypto);
  return certificate !== undefined && crypto.verify(certificate, signedBytes(resource, kind, stored), value);
}

/** One structure, its length field included, as a view. */
export function readWholeStructure(reader: ByteReader): Uint8Array {
  const rest = reader.bytes(reader.u32());
  return new Uint8Array(rest.buffer, rest.byteOffset - 4, rest.length + 4);
}

export interface StoredMetaData {
  readonly storageTime: WallTime;
  /** Seconds. */
  readonly lifetime: number;
  readonly place: StoredPlace;
  readonly exists: boolean;
  readonly valueLength: number;
  readonly hashAlgorithm: number;
  /** Hex; over the value with its four length bytes. */
  readonly hash: string;
}

export function encodeStoredMetaData(meta: StoredMetaData): Uint8Array {
  const writer = new ByteWriter(128);
  writer.prefixed(4, () => {
    writer.u64(meta.storageTime).u32(meta.lifetime);
    writePlace(writer, meta.place);
    writeBoolean(writer, meta.exists);
    writer.u32(meta.valueLength).u8(meta.hashAlgorithm);
    writeOpaqueHex(writer, 1, meta.hash);
  });
  return writer.finish();
}

export const decodeStoredMetaData = (bytes: Uint8Array, model: DataModel): Result<StoredMetaData, WireFault> =>
  decoded(() => {
    const reader = new ByteReader(bytes);
    checkWholeLength(reader);
    const storageTime = wallTime(reader.u64());
    const lifetime = reader.u32();
    const place = readPlace(reader, model);
    const exists = readBoolean(reader);
    const valueLength = reader.u32();
    const hashAlgorithm = reader.u8();
    const hash = readOpaqueHex(reader, 1);
    reader.end();
    return { storageTime, lifetime, place, exists, valueLength, hashAlgorithm, hash };
  });

/** What of a kind is wanted: everything of a single value; ranges of an array; keys of a dictionary (none: all). */
export type Selection =
  | { readonly model: "single" }
  | { readonly model: "array"; readonly ranges: readonly { readonly first: number; readonly last: number }[] }
  | { readonly model: "dictionary"; readonly keys: readonly string[] };

/** Everything of a kind of each model. */
export const ALL_OF = {
  single: { model: "single" },
  array: { model: "array", ranges: [{ first: 0, last: 0xffffffff }] },
  dictionary: { model: "dictionary", keys: [] },
} as const satisfies Record<DataModel, Selection>;

/** The model part of a FetchSpecifier. */
export function encodeSelection(selection: Selection): Uint8Array {
  if (selection.model === "single") return NO_BYTES;
  const writer = new ByteWriter(64);
  if (selection.model === "array") {
    writeList(writer, 2, selection.ranges, (_, { first, last }) => writer.u32(first).u32(last));
  } else {
    writeList(writer, 2, selection.keys, (_, key) => writeOpaqueHex(writer, 2, key));
  }
  return writer.finish();
}

export const decodeSelection = (bytes: Uint8Array, model: DataModel): Result<Selection, WireFault> =>
  decoded(() => {
    const reader = new ByteReader(bytes);
    const selection = readSelection(reader, model);
    reader.end();
    return selection;
  });

function readSelection(reader: ByteReader, model: DataModel): Selection {
  if (model === "single") return { model };
  if (model === "array") return { model, ranges: readList(reader, 2, readRange) };
  return { model, keys: readList(reader, 2, (keys) => readOpaqueHex(keys, 2)) };
}

const readRange = (reader: ByteReader): { first: number; last: number } => ({ first: reader.u32(), last: reader.u32() });
