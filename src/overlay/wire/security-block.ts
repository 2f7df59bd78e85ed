// SecurityBlock, Signature and SignerIdentity (RFC 6940 section 6.3.4).

import type { Crypto } from "../../base/crypto.ts";

/** Hash and signature algorithm, numbers of TLS 1.2: {4,3} is ECDSA with SHA-256, {0,0} none. */
export interface Algorithm {
  readonly hash: number;
  readonly signature: number;
}

export type SignerIdentity =
  /** Hash of the DER certificate, hex. */
  | { readonly type: "cert_hash"; readonly hashAlgorithm: number; readonly hash: string }
  /** Hash of the raw Node-ID and the DER certificate, hex. */
  | { readonly type: "cert_hash_node_id"; readonly hashAlgorithm: number; readonly hash: string }
  | { readonly type: "none" };

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
  algorithm: { hash: 0, signature: 0 },
  identity: { type: "none" },
  value: new Uint8Array(0),
};

export const UNSIGNED: SecurityBlock = { certificates: [], signature: NO_SIGNATURE };

/** Signs with this box's key. Make one and keep it: it holds what does not change. */
export interface Signer {
  readonly certificate: Uint8Array;
  readonly identity: SignerIdentity;
  readonly crypto: Crypto;
}

export declare function makeSigner(certificate: Uint8Array, crypto: Crypto): Signer;
