// Revocations without a server: a set that only grows. Each statement says of one box that it is believed no
// more, since when, and is signed by the fleet's key. The epoch
// is the number of statements; two boxes have the same set when epoch and digest are equal.

import { ByteReader, ByteWriter, concatBytes, DecodeError, fromOctets, toHex, utf8Octets } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import { type WallTime, wallTime } from "../../base/time.ts";
import type { NodeId } from "../ports.ts";
import { readList, readOpaque, writeList, writeOpaque } from "../wire/fields.ts";
import { readNodeId, writeNodeId } from "../wire/identifiers.ts";

export interface Revocation {
  readonly nodeId: NodeId;
  /** What the box signed before stays valid. */
  readonly revokedAt: WallTime;
  /** SHA-256 of the certificate whose key signed, hex. */
  readonly signer: string;
  /** ECDSA P-256 with SHA-256, DER. */
  readonly signature: Uint8Array;
}

/** A fleet that has revoked more makes itself new; the set travels in one message. */
export const MAX_REVOCATIONS = 512;
const PURPOSE = "ringbox revocation 1\n";
const HASH_LENGTH = 32;

function signedBytes(overlayName: string, nodeId: NodeId, revokedAt: WallTime): Uint8Array {
  const statement = new ByteWriter(24);
  writeNodeId(statement, nodeId);
  return concatBytes(fromOctets(`${PURPOSE}${utf8Octets(overlayName)}\n`), statement.u64(revokedAt).finish());
}

export interface RevocationSigner {
  /** DER of the certificate with the signing key. */
  readonly certificate: Uint8Array;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

export function signRevocation(
  { certificate, sign }: RevocationSigner,
  statement: { readonly overlayName: string; readonly nodeId: NodeId; readonly revokedAt: WallTime },
  crypto: Crypto,
): Revocation {
  const { overlayName, nodeId, revokedAt } = statement;
  const signature = sign(signedBytes(overlayName, nodeId, revokedAt));
  return { nodeId, revokedAt, signer: toHex(crypto.sha256(certificate)), signature };
}

/** Whether one of these certificates' keys has signed it. */
export function isGenuine(
  { nodeId, revokedAt, signer, signature }: Revocation,
  overlayName: string,
  certificates: readonly Uint8Array[],
  crypto: Crypto,
): boolean {
  const certificate = certificates.find((candidate) => toHex(crypto.sha256(candidate)) === signer);
  return certificate !== undefined && crypto.verify(certificate, signedBytes(overlayName, nodeId, revokedAt), signature);
}

export function encodeRevocations(revocations: readonly Revocation[]): Uint8Array {
  const writer = new ByteWriter(64 + 160 * revocations.length);
  writeList(writer, 3, revocations, (_, { nodeId, revokedAt, signer, signature }) => {
    writeNodeId(writer, nodeId);
    writer.u64(revokedAt).hex(signer);
    writeOpaque(writer, 2, signature);
  });
  return writer.finish();
}

/** `undefined`: not a whole set. */
export function decodeRevocations(bytes: Uint8Array): readonly Revocation[] | undefined {
  try {
    const reader = new ByteReader(bytes);
    const revocations = readList(reader, 3, readRevocation, MAX_REVOCATIONS);
    reader.end();
    return revocations;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

const readRevocation = (reader: ByteReader): Revocation => ({
  nodeId: readNodeId(reader),
  revokedAt: wallTime(reader.u64()),
  signer: reader.hex(HASH_LENGTH),
  signature: readOpaque(reader, 2).slice(),
});
