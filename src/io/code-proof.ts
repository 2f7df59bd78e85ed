// How a box that waits and a member each show the other that they know the code, without telling it.
//
// A proof is an HMAC with a key that is stretched from the code, over what only the two ends of this one TLS connection
// have (RFC 9266, RFC 5705): somebody between two connections cannot pass it on. The member goes first. A false
// member learns nothing, and may guess five times a minute; a false box learns one proof, from which it would have to
// find forty bits, at a tenth of a second each, while the code is good (docs/decisions/0012).

import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { TLSSocket } from "node:tls";

const NONCE_BYTES = 16;
export const PROOF_BYTES = 32;
/** 64 MiB and about 0.15 s for each guess. */
const STRETCH = { N: 65_536, r: 8, p: 1, maxmem: 96 * 1_024 * 1_024 } as const;
const EXPORTER_LABEL = "EXPERIMENTAL ringbox admission";

export const makeNonce = (): Buffer => randomBytes(NONCE_BYTES);
export const isNonce = (bytes: Uint8Array): boolean => bytes.length === NONCE_BYTES;

/** The key that a code gives with the nonce of the box that shows it. */
export function stretchCode(code: string, nonce: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(code, nonce, 32, STRETCH, (error, key) => (error === null ? resolve(key) : reject(error))),
  );
}

/** `content`: what is said with the proof; empty for a member, the certificate request for a box. */
export function prove(key: Uint8Array, who: "member" | "box", socket: TLSSocket, content: Uint8Array): Buffer {
  const channel = socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0));
  return createHmac("sha256", key).update(`ringbox ${who}\n`).update(channel).update(content).digest();
}

export const isProof = (given: Uint8Array, expected: Uint8Array): boolean => given.length === expected.length && timingSafeEqual(given, expected);
