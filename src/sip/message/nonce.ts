// Nonces that need no memory: time and HMAC with the fleet's secret, so that every box takes any box's.

import type { Crypto } from "../../base/crypto.ts";
import type { Duration, WallTime } from "../../base/time.ts";
import { equalSecrets } from "./digest.ts";

const TIME_DIGITS = 12;
const SERIAL_DIGITS = 6;
const PLAIN_DIGITS = TIME_DIGITS + SERIAL_DIGITS;
const TAG_DIGITS = 32;

/**
 * 12 hex digits of milliseconds, 6 of `serial`, 32 of HMAC. The serial tells nonces of one millisecond apart, whose
 * counts would otherwise be one. `purpose` sets nonces for different uses apart (the realm).
 */
export function issueNonce(crypto: Crypto, secret: Uint8Array, wall: WallTime, purpose: string, serial = 0): string {
  const plain = hexDigits(Math.max(0, Math.floor(wall)), TIME_DIGITS) + hexDigits(serial, SERIAL_DIGITS);
  return plain + tag(crypto, secret, plain, purpose);
}

const hexDigits = (value: number, digits: number): string => value.toString(16).padStart(digits, "0").slice(-digits);

/**
 * `stale`: ours but older than `lifetime`, or from a clock further ahead than that: challenge anew with stale=true.
 * Boxes whose clocks differ by less than the lifetime take one another's nonces.
 */
export function checkNonce(
  crypto: Crypto,
  secret: Uint8Array,
  wall: WallTime,
  purpose: string,
  nonce: string,
  lifetime: Duration,
): "good" | "stale" | "foreign" {
  if (nonce.length !== PLAIN_DIGITS + TAG_DIGITS) return "foreign";
  const plain = nonce.slice(0, PLAIN_DIGITS);
  if (!equalSecrets(nonce.slice(PLAIN_DIGITS), tag(crypto, secret, plain, purpose))) return "foreign";
  const issued = Number.parseInt(nonce.slice(0, TIME_DIGITS), 16);
  return Math.abs(wall - issued) <= lifetime ? "good" : "stale";
}

const tag = (crypto: Crypto, secret: Uint8Array, plain: string, purpose: string): string =>
  crypto.hmacSha256Hex(secret, `nonce ${plain} ${purpose}`).slice(0, TAG_DIGITS);
