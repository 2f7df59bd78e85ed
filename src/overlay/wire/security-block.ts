// SecurityBlock, Signature and SignerIdentity (RFC 6940 section 6.3.4).

import { type ByteReader, type ByteWriter, toHex } from "../../base/bytes.ts";
import type { Crypto } from "../../base/crypto.ts";
import { endAt, readList, readOpaque, readOpaqueHex, writeList, writeOpaque, writeOpaqueHex } from "./fields.ts";
import { unknownValue } from "./wire-fault.ts";

/** Hash and signature algorithm, numbers of TLS 1.2: {4,3} is ECDSA with SHA-256, {0,0} none. */
export interface Algorithm {
  readonly hash: number;
  readonly signature: number;
}

export const ECDSA_WITH_SHA256: Algorithm = { hash: 4, signature: 3 };
export const NO_ALGORITHM: Algorithm = { hash: 0, signature: 0 };
const SHA256 = 4;

export type SignerIdentity =
  /** Hash of the DER certificate, hex. */
  | { readonly type: "cert_hash"; readonly hashAlgorithm: number; readonly hash: string }
  /** Hash of the raw Node-ID and the DER certificate, hex. */
  | { readonly type: "cert_hash_node_id"; readonly hashAlgorithm: number; readonly hash: string }
  | { readonly type: "none" };

const CERT_HASH = 1;
const CERT_HASH_NODE_ID = 2;
const NONE = 3;

export interface Signature {
  readonly algorithm: Algorithm;
  readonly identity: SignerIdentity;
  readonly value: Uint8Array;
}

export interface SecurityBlock {
  /** X.509, DER. */
  readonly certificates: readonly Uint8Array[];
  readonly signature: Signature;
}

/** Nobody signs: between two enrolled boxes the hop authenticates. */
export const NO_SIGNATURE: Signature = {
  algorithm: NO_ALGORITHM,
  identity: { type: "none" },
  value: new Uint8Array(0),
};

export const UNSIGNED: SecurityBlock = { certificates: [], signature: NO_SIGNATURE };

export const isUnsigned = (signature: Signature): boolean => signature.identity.type === "none";

/** Signs with this box's key. Make one and keep it: it holds what does not change. */
export interface Signer {
  readonly certificate: Uint8Array;
  readonly identity: SignerIdentity;
  readonly crypto: Crypto;
}

export const makeSigner = (certificate: Uint8Array, crypto: Crypto): Signer => ({
  certificate,
  identity: { type: "cert_hash", hashAlgorithm: SHA256, hash: toHex(crypto.sha256(certificate)) },
  crypto,
});

/** The one of `certificates` that `identity` names. A certificate of several Node-IDs is not of this overlay. */
export function certificateOf(
  identity: SignerIdentity,
  certificates: readonly Uint8Array[],
  crypto: Crypto,
): Uint8Array | undefined {
  if (identity.type !== "cert_hash" || identity.hashAlgorithm !== SHA256) return undefined;
  return certificates.find((certificate) => toHex(crypto.sha256(certificate)) === identity.hash);
}

export const isEcdsaWithSha256 = ({ hash, signature }: Algorithm): boolean =>
  hash === ECDSA_WITH_SHA256.hash && signature === ECDSA_WITH_SHA256.signature;

const X509 = 0;

/** BOUNDED: certificates in one message; more are a malformed message. */
export const MAX_CERTIFICATES = 16;

function readCertificate(reader: ByteReader): Uint8Array {
  const type = reader.u8();
  if (type !== X509) throw unknownValue("certificate type", type);
  return readOpaque(reader, 2);
}

export const readCertificates = (reader: ByteReader): Uint8Array[] =>
  readList(reader, 2, readCertificate, MAX_CERTIFICATES);

export function writeCertificates(writer: ByteWriter, certificates: readonly Uint8Array[]): void {
  writeList(writer, 2, certificates, (_, certificate) => writeOpaque(writer.u8(X509), 2, certificate));
}

export function readSignature(reader: ByteReader): Signature {
  const algorithm = { hash: reader.u8(), signature: reader.u8() };
  return { algorithm, identity: readIdentity(reader), value: readOpaque(reader, 2) };
}

function readIdentity(reader: ByteReader): SignerIdentity {
  const type = reader.u8();
  const length = reader.u16();
  const end = reader.position + length;
  const identity = readTypedIdentity(reader, type);
  endAt(reader, end);
  return identity;
}

function readTypedIdentity(reader: ByteReader, type: number): SignerIdentity {
  if (type === NONE) return NO_SIGNATURE.identity;
  if (type !== CERT_HASH && type !== CERT_HASH_NODE_ID) throw unknownValue("signer identity", type);
  const hashAlgorithm = reader.u8();
  const hash = readOpaqueHex(reader, 1);
  return { type: type === CERT_HASH ? "cert_hash" : "cert_hash_node_id", hashAlgorithm, hash };
}

/** Bytes of an identity as it is written and signed. */
export function writeIdentity(writer: ByteWriter, identity: SignerIdentity): void {
  if (identity.type === "none") {
    writer.u8(NONE).u16(0);
    return;
  }
  writer.u8(identity.type === "cert_hash" ? CERT_HASH : CERT_HASH_NODE_ID);
  writer.u16(2 + (identity.hash.length >> 1)).u8(identity.hashAlgorithm);
  writeOpaqueHex(writer, 1, identity.hash);
}

export function writeSignature(writer: ByteWriter, { algorithm, identity, value }: Signature): void {
  writer.u8(algorithm.hash).u8(algorithm.signature);
  writeIdentity(writer, identity);
  writeOpaque(writer, 2, value);
}

export function writeSecurityBlock(writer: ByteWriter, { certificates, signature }: SecurityBlock): void {
  writeCertificates(writer, certificates);
  writeSignature(writer, signature);
}
