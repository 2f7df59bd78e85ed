// Identifiers of the overlay as bytes (RFC 6940 sections 6.3.1.1, 6.3.2 and 10.2). Inside the core
// they are hex strings, so that string order is ring order; here is the only border between the two.

import { type ByteReader, type ByteWriter, DecodeError, fromOctets, toHex } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import type { Random } from "../../base/random.ts";
import type { NodeId, ResourceId } from "../ports.ts";

/** Bytes of a Node-ID and of a Resource-ID in this overlay (`node-id-length` 16). */
export const ID_LENGTH = 16;

/** Consumed by whoever receives it, never forwarded (RFC 6940 section 6.1.1). */
export const WILDCARD_NODE_ID = "ffffffffffffffffffffffffffffffff" as NodeId;

declare const transactionIdBrand: unique symbol;
/** 64 random bits as 16 lower-case hex digits; the answer carries those of its request. */
export type TransactionId = string & { readonly [transactionIdBrand]: true };

const isId = (text: string): boolean => {
  if (text.length !== 2 * ID_LENGTH) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return false;
  }
  return true;
};

/** The Node-ID a text of 32 lower-case hex digits stands for. */
export const parseNodeId = (text: string): NodeId | undefined => (isId(text) ? (text as NodeId) : undefined);

/** The Resource-ID a text of 32 lower-case hex digits stands for. */
export const parseResourceId = (text: string): ResourceId | undefined => (isId(text) ? (text as ResourceId) : undefined);

/** SHA-1 of the resource name, its most significant 128 bits (RFC 6940 section 10.2). */
export const resourceIdOf = (nameOctets: string, crypto: Crypto): ResourceId =>
  toHex(crypto.sha1(fromOctets(nameOctets)).subarray(0, ID_LENGTH)) as ResourceId;

/** The `overlay` field of the forwarding header: SHA-1 of the name, its lowest 32 bits (RFC 6940 section 6.3.2). */
export function overlayHash(nameOctets: string, crypto: Crypto): number {
  const digest = crypto.sha1(fromOctets(nameOctets));
  return new DataView(digest.buffer, digest.byteOffset, digest.byteLength).getUint32(16);
}

export const newTransactionId = (random: Random): TransactionId => toHex(random.bytes(8)) as TransactionId;

/** 16 raw bytes. */
export const readNodeId = (reader: ByteReader): NodeId => reader.knownHex16() as NodeId;

/** A length byte, which must be 16, then 16 bytes. */
export function readResourceId(reader: ByteReader): ResourceId {
  const length = reader.u8();
  if (length !== ID_LENGTH) throw new DecodeError(`Resource-ID of ${length} bytes`);
  return reader.hex(ID_LENGTH) as ResourceId;
}

export const readTransactionId = (reader: ByteReader): TransactionId => reader.hex(8) as TransactionId;

/** Writes the bytes of hex digits that this program made or checked itself. */
export const writeHex = (writer: ByteWriter, hex: string): void => {
  writer.hex(hex);
};

export const writeNodeId = (writer: ByteWriter, id: NodeId): void => {
  writer.hex(id);
};

export function writeResourceId(writer: ByteWriter, id: ResourceId): void {
  writer.u8(ID_LENGTH).hex(id);
}
