// Cryptography with the right shapes and none of the strength: the same input gives the same output
// everywhere, different inputs practically never do, and a run of a simulated day can pay for it.

import { createHash } from "node:crypto";
import type { Crypto } from "../../src/base/crypto.ts";
import { concatBytes, fromOctets, toHex } from "../../src/base/bytes.ts";
import type { NodeId, Trust } from "../../src/overlay/ports.ts";

const SHA1_CACHE = 20_000;
/** Of all boxes, which hash the same names. BOUNDED: emptied at SHA1_CACHE entries. */
const SHA1 = new Map<string, Uint8Array>();
const CERTIFICATE_LENGTH = 32;
const SIGNATURE_LENGTH = 32;

/** A keyed mix of bytes into `words` 32-bit words. */
function mix(bytes: Uint8Array, seed: number, words: number): Uint8Array {
  let a = seed ^ 0x9e3779b9;
  let b = Math.imul(seed, 0x85ebca6b) ^ bytes.length;
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ (bytes[i] as number), 0x01000193);
    b = Math.imul(b + (bytes[i] as number), 0xc2b2ae35) ^ (b >>> 15);
  }
  const out = new Uint8Array(words * 4);
  for (let i = 0; i < words; i++) {
    a = Math.imul(a ^ (b >>> 13), 0x85ebca6b) + i;
    b = Math.imul(b ^ (a >>> 16), 0xc2b2ae35) + 0x27d4eb2f;
    const word = a ^ b;
    out[4 * i] = word >>> 24;
    out[4 * i + 1] = word >>> 16;
    out[4 * i + 2] = word >>> 8;
    out[4 * i + 3] = word;
  }
  return out;
}

const mixText = (octets: string, seed: number, words: number): Uint8Array => mix(fromOctets(octets), seed, words);

/** The certificate of a Node-ID in the simulation: its bytes behind a mark. */
export function simulatedCertificate(nodeId: string): Uint8Array {
  const certificate = new Uint8Array(CERTIFICATE_LENGTH);
  certificate.set(fromOctets("SIMULATED"));
  for (let i = 0; i < 16; i++) certificate[16 + i] = Number.parseInt(nodeId.slice(2 * i, 2 * i + 2), 16);
  return certificate;
}

export const simulatedTrust: Trust = {
  inspect(certificate) {
    if (certificate.length !== CERTIFICATE_LENGTH || certificate[0] !== 0x53) return { refused: "not a certificate" };
    return { nodeId: toHex(certificate.subarray(16)) as NodeId };
  },
};

export class SimulatedCrypto implements Crypto {
  readonly #certificate: Uint8Array;

  /** The cryptography of the box that owns `certificate`. */
  constructor(certificate: Uint8Array) {
    this.#certificate = certificate;
  }

  md5Hex(octets: string): string {
    return toHex(mixText(octets, 5, 4));
  }
  sha256Hex(octets: string): string {
    return toHex(mixText(octets, 256, 8));
  }
  /** The real one: it decides where a resource lies on the ring, and must spread. */
  sha1(bytes: Uint8Array): Uint8Array {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    const known = SHA1.get(key);
    if (known !== undefined) return known;
    const digest = new Uint8Array(createHash("sha1").update(bytes).digest());
    if (SHA1.size >= SHA1_CACHE) SHA1.clear();
    SHA1.set(key, digest);
    return digest;
  }
  sha256(bytes: Uint8Array): Uint8Array {
    return mix(bytes, 256, 8);
  }
  hmacSha256Hex(key: Uint8Array, octets: string): string {
    const keyed = mix(key, 7, 1);
    const seed = ((keyed[0] as number) << 24) | ((keyed[1] as number) << 16) | ((keyed[2] as number) << 8) | (keyed[3] as number);
    return toHex(mixText(octets, seed, 8));
  }
  hmacSha1(key: Uint8Array, bytes: Uint8Array): Uint8Array {
    return mix(concatBytes(key, bytes), 11, 5);
  }
  sign(bytes: Uint8Array): Uint8Array {
    return signature(this.#certificate, bytes);
  }
  verify(certificate: Uint8Array, bytes: Uint8Array, given: Uint8Array): boolean {
    const wanted = signature(certificate, bytes);
    return given.length === SIGNATURE_LENGTH && wanted.every((byte, i) => byte === given[i]);
  }
}

const signature = (certificate: Uint8Array, bytes: Uint8Array): Uint8Array =>
  mix(concatBytes(certificate, bytes), 9, SIGNATURE_LENGTH / 4);
