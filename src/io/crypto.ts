import type { Crypto } from "../base/crypto.ts";
/** The cores' cryptography on OpenSSL. */
export declare class NodeCrypto implements Crypto {
  /** `privateKeyPem`: this box's own P-256 key (PKCS #8 PEM); without it `sign` is a fault of ours. */
  constructor(privateKeyPem: string | undefined);
  md5Hex(octets: string): string;
  sha256Hex(octets: string): string;
  sha1(bytes: Uint8Array): Uint8Array;
  sha256(bytes: Uint8Array): Uint8Array;
  hmacSha256Hex(key: Uint8Array, octets: string): string;
  sign(bytes: Uint8Array): Uint8Array;
  verify(certificate: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean;
}
