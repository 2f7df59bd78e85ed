import { createHmac, createPrivateKey, createSecretKey, hash, type KeyObject, sign, verify, X509Certificate } from "node:crypto";
import { assert } from "../base/assert.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Crypto } from "../base/crypto.ts";

/** The cores' cryptography on OpenSSL. */
export class NodeCrypto implements Crypto {
  readonly #privateKey: KeyObject | undefined;
  /** By SHA-256 of the certificate; reading a certificate costs more than a check of a signature. BOUNDED: the oldest goes. */
  readonly #publicKeys = new BoundedMap<string, KeyObject | "unusable">(2_048, "evict");

  /** A prepared key is five times cheaper than its bytes. */
  readonly #secrets = new WeakMap<Uint8Array, KeyObject>();

  /** `privateKeyPem`: this box's own P-256 key (PKCS #8 PEM); without it `sign` is a fault of ours. */
  constructor(privateKeyPem: string | undefined) {
    this.#privateKey = privateKeyPem === undefined ? undefined : createPrivateKey(privateKeyPem);
  }

  md5Hex(octets: string): string {
    return hash("md5", Buffer.from(octets, "latin1"), "hex");
  }
  sha256Hex(octets: string): string {
    return hash("sha256", Buffer.from(octets, "latin1"), "hex");
  }
  sha1(bytes: Uint8Array): Uint8Array {
    return hash("sha1", bytes, "buffer");
  }
  sha256(bytes: Uint8Array): Uint8Array {
    return hash("sha256", bytes, "buffer");
  }
  hmacSha256Hex(key: Uint8Array, octets: string): string {
    let prepared = this.#secrets.get(key);
    if (prepared === undefined) {
      prepared = createSecretKey(key);
      this.#secrets.set(key, prepared);
    }
    return createHmac("sha256", prepared).update(octets, "latin1").digest("hex");
  }
  hmacSha1(key: Uint8Array, bytes: Uint8Array): Uint8Array {
    return createHmac("sha1", key).update(bytes).digest();
  }
  sign(bytes: Uint8Array): Uint8Array {
    assert(this.#privateKey !== undefined, "no private key to sign with");
    return sign("sha256", bytes, this.#privateKey);
  }
  verify(certificate: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
    const key = this.#publicKey(certificate);
    return key !== "unusable" && verify("sha256", bytes, key, signature);
  }

  #publicKey(certificate: Uint8Array): KeyObject | "unusable" {
    const fingerprint = hash("sha256", certificate, "base64");
    const known = this.#publicKeys.get(fingerprint);
    if (known !== undefined) return known;
    const key = ellipticKey(certificate);
    this.#publicKeys.set(fingerprint, key);
    return key;
  }
}

function ellipticKey(certificate: Uint8Array): KeyObject | "unusable" {
  try {
    const key = new X509Certificate(certificate).publicKey;
    return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? key : "unusable";
  } catch {
    return "unusable"; // not a certificate: the other side's fault, its signature does not hold
  }
}
