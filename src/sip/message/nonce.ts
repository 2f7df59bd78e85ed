// Nonces that need no memory: time, issuer and HMAC with the fleet's secret. Every box knows any box's for genuine;
// only the one that issued it can know which of its counts were used, and takes it.

import type { Crypto } from "../../base/crypto.ts";
import type { Duration, WallTime } from "../../base/time.ts";
import { equalSecrets } from "./digest.ts";

const TIME_DIGITS = 12;
const SERIAL_DIGITS = 6;
/** Of a box in one of its lives. */
export const ISSUER_DIGITS = 12;
const PLAIN_DIGITS = TIME_DIGITS + SERIAL_DIGITS + ISSUER_DIGITS;
const TAG_DIGITS = 32;

/**
 * 12 hex digits of milliseconds, 6 of `serial`, 12 of `issuer`, 32 of HMAC. The serial tells nonces of one millisecond apart, whose
 * counts would otherwise be one. `purpose` sets nonces for different uses apart (the realm).
 */
export function issueNonce(crypto: Crypto, secret: Uint8Array, wall: WallTime, purpose: string, issuer: string, serial = 0): string {
  const plain = hexDigits(Math.max(0, Math.floor(wall)), TIME_DIGITS) + hexDigits(serial, SERIAL_DIGITS) + issuer;
  return plain + tag(crypto, secret, plain, purpose);
}

const hexDigits = (value: number, digits: number): string => value.toString(16).padStart(digits, "0").slice(-digits);

/**
 * `stale`: the fleet's, but of another issuer, older than `lifetime`, or from a clock further ahead than that:
 * challenge anew with stale=true, so that a phone does not take it for a wrong password.
 */
export function checkNonce(
  crypto: Crypto,
  secret: Uint8Array,
  wall: WallTime,
  purpose: string,
  issuer: string,
  nonce: string,
  lifetime: Duration,
): "good" | "stale" | "foreign" {
  if (nonce.length !== PLAIN_DIGITS + TAG_DIGITS) return "foreign";
  const plain = nonce.slice(0, PLAIN_DIGITS);
  if (!equalSecrets(nonce.slice(PLAIN_DIGITS), tag(crypto, secret, plain, purpose))) return "foreign";
  if (plain.slice(-ISSUER_DIGITS) !== issuer) return "stale";
  return Math.abs(wall - issuedAt(nonce)) <= lifetime ? "good" : "stale";
}

/** Milliseconds since 1970 by the issuer's clock, of a genuine nonce. */
export const issuedAt = (nonce: string): number => Number.parseInt(nonce.slice(0, TIME_DIGITS), 16);

const tag = (crypto: Crypto, secret: Uint8Array, plain: string, purpose: string): string =>
  crypto.hmacSha256Hex(secret, `nonce ${plain} ${purpose}`).slice(0, TAG_DIGITS);
