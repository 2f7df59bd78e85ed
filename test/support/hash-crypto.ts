import { createHash, createHmac } from "node:crypto";
import type { Crypto } from "../../src/base/crypto.ts";

const hash = (algorithm: string, bytes: Uint8Array | Buffer): Buffer => createHash(algorithm).update(bytes).digest();

/** The hashes of `Crypto` by OpenSSL; it signs nothing. */
export const hashCrypto: Crypto = {
  md5Hex: (octets) => hash("md5", Buffer.from(octets, "latin1")).toString("hex"),
  sha256Hex: (octets) => hash("sha256", Buffer.from(octets, "latin1")).toString("hex"),
  sha1: (bytes) => new Uint8Array(hash("sha1", bytes)),
  sha256: (bytes) => new Uint8Array(hash("sha256", bytes)),
  hmacSha256Hex: (key, octets) => createHmac("sha256", key).update(Buffer.from(octets, "latin1")).digest("hex"),
  sign: () => {
    throw new Error("this Crypto has no key");
  },
  verify: () => false,
};
