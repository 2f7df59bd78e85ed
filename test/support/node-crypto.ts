// The cores' `Crypto` by node:crypto. `sign` needs a key; a test that only verifies leaves it out.

import { createHash, createHmac, createPublicKey, type KeyObject, sign, verify, X509Certificate } from "node:crypto";
import type { Crypto } from "../../src/base/crypto.ts";

/** A "certificate" may also be a bare SubjectPublicKeyInfo: the codec does not look inside. */
export function nodeCrypto(privateKey?: KeyObject): Crypto {
  const hash = (name: string, bytes: Uint8Array): Uint8Array => new Uint8Array(createHash(name).update(bytes).digest());
  const octets = (text: string): Buffer => Buffer.from(text, "latin1");
  return {
    md5Hex: (text) => createHash("md5").update(octets(text)).digest("hex"),
    sha256Hex: (text) => createHash("sha256").update(octets(text)).digest("hex"),
    sha1: (bytes) => hash("sha1", bytes),
    sha256: (bytes) => hash("sha256", bytes),
    hmacSha256Hex: (key, text) => createHmac("sha256", key).update(octets(text)).digest("hex"),
    hmacSha1: (key, bytes) => new Uint8Array(createHmac("sha1", key).update(bytes).digest()),
    sign: (bytes) => {
      if (privateKey === undefined) throw new Error("this test has no key to sign with");
      return new Uint8Array(sign("sha256", bytes, privateKey));
    },
    verify: (certificate, bytes, signature) => verify("sha256", bytes, publicKeyOf(certificate), signature),
  };
}

function publicKeyOf(certificate: Uint8Array): KeyObject {
  try {
    return new X509Certificate(certificate).publicKey;
  } catch {
    return createPublicKey({ key: Buffer.from(certificate), format: "der", type: "spki" });
  }
}
