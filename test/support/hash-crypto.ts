import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";
import type { Crypto } from "../../src/base/crypto.ts";

/** Making a key object of raw bytes costs five times the HMAC. */
const keys = new WeakMap<Uint8Array, KeyObject>();

function keyOf(bytes: Uint8Array): KeyObject {
  const known = keys.get(bytes);
  if (known !== undefined) return known;
  const key = createSecretKey(bytes);
  keys.set(bytes, key);
  return key;
}

/** The hashes of `Crypto` by OpenSSL; it signs nothing. */
export const hashCrypto: Crypto = {
  md5Hex: (octets) => hash("md5", Buffer.from(octets, "latin1"), "hex"),
  sha256Hex: (octets) => hash("sha256", Buffer.from(octets, "latin1"), "hex"),
  sha1: (bytes) => hash("sha1", bytes, "buffer"),
  sha256: (bytes) => hash("sha256", bytes, "buffer"),
  hmacSha256Hex: (key, octets) => createHmac("sha256", keyOf(key)).update(octets, "latin1").digest("hex"),
  sign: () => {
    throw new Error("this Crypto has no key");
  },
  verify: () => false,
};
