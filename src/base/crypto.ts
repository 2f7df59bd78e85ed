/**
 * The cryptography the cores need, as synchronous calls without state. Production wraps OpenSSL,
 * simulation may do the same: all of it is deterministic except `sign`, whose output is never compared.
 * "Octets" are strings in which each character is one byte (0..255).
 */
export interface Crypto {
  /** Lower-case hex of the digest of an octet string. */
  md5Hex(octets: string): string;
  sha256Hex(octets: string): string;
  sha1(bytes: Uint8Array): Uint8Array;
  sha256(bytes: Uint8Array): Uint8Array;
  /** Lower-case hex HMAC-SHA256 of an octet string. */
  hmacSha256Hex(key: Uint8Array, octets: string): string;
  hmacSha1(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** ECDSA P-256 with SHA-256 by this box's own key, DER encoded. */
  sign(bytes: Uint8Array): Uint8Array;
  /** Whether `signature` is by the public key of the X.509 certificate `certificate` (DER). */
  verify(certificate: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean;
}
