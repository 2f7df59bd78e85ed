// Passwords end here: what leaves this process are the A1 hashes of digest authentication (RFC 7616
// section 3.4.2), which are good for one domain only.

import { createHash, randomInt } from "node:crypto";
import type { NewSubscriber } from "../peer/control.ts";

/** No 0, O, 1, l or I: a password is read from one screen and typed at another. */
const ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789";
const GENERATED_LENGTH = 16;
const PASSWORD_MAX_BYTES = 128;

/** Eighty bits of luck. */
export const generatePassword = (): string =>
  Array.from({ length: GENERATED_LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join("");

/** Why a password cannot be one, in one sentence; `undefined` if it can. */
export function passwordProblem(password: string): string | undefined {
  if (password === "") return "The password is empty.";
  if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES) return `The password has more than ${PASSWORD_MAX_BYTES} bytes.`;
  if (/\p{Cc}/u.test(password)) return "The password has a control character in it.";
  return undefined;
}

export function newSubscriber(username: string, realm: string, password: string, displayName: string): NewSubscriber {
  const a1 = `${username}:${realm}:${password}`;
  const hash = (algorithm: string): string => createHash(algorithm).update(a1, "utf8").digest("hex");
  return { username, realm, displayName, ha1Md5: hash("md5"), ha1Sha256: hash("sha256") };
}
