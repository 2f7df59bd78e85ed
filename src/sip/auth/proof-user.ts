// Users that exist so that boxes can be tried by real calls: each box has one for each transport, every box knows
// its password, and it can call nobody but itself. docs/decisions tells why.

import type { Crypto } from "../../base/crypto.ts";
import { digestHa1 } from "../message/digest.ts";
import type { Credentials } from "../ports.ts";

const PREFIX = "ringbox-proof-";

/** Whether a user name, or an AoR, is one of those. No subscriber can have such a name. */
export const isProofUser = (name: string): boolean => name.startsWith(PREFIX);

/** `nodeId`: of the box that tries, so that two that try the same box are not in each other's way. */
export const proofUser = (nodeId: string, transport: string): string => `${PREFIX}${nodeId}-${transport.toLowerCase()}`;

/** Follows from the fleet's secret: it need not be kept, nor told to anybody. */
export const proofPassword = (crypto: Crypto, fleetSecret: Uint8Array, username: string): string =>
  crypto.hmacSha256Hex(fleetSecret, `password of a proof user\n${username}`);

export function proofCredentials(crypto: Crypto, fleetSecret: Uint8Array, username: string, realm: string): Credentials {
  const password = proofPassword(crypto, fleetSecret, username);
  const ha1 = (algorithm: "MD5" | "SHA-256"): string => digestHa1(crypto, algorithm, username, realm, password);
  return { username, realm, ha1Md5: ha1("MD5"), ha1Sha256: ha1("SHA-256") };
}
