// Nonces that need no memory: time and HMAC with the fleet's secret, so that every box takes any box's.

import type { Crypto } from "../../base/crypto.ts";
import type { Duration, WallTime } from "../../base/time.ts";
import { equalSecrets } from "./digest.ts";

const TIME_DIGITS = 12;
const TAG_DIGITS = 32;

/** 12 hex digits of milliseconds, 32 of HMAC. `purpose` sets nonces for different uses apart (the realm). */
export function issueNonce(crypto: Crypto, secret: Uint8Array, wall: WallTime, purpose: string): string {
  const time = Math.max(0, Math.floor(wall)).toString(16).padStart(TIME_DIGITS, "0").slice(-TIME_DIGITS);
  return time + tag(crypto, secret, time, purpose);
}

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
  if (nonce.length !== TIME_DIGITS + TAG_DIGITS) return "foreign";
  const time = nonce.slice(0, TIME_DIGITS);
  if (!equalSecrets(nonce.slice(TIME_DIGITS), tag(crypto, secret, time, purpose))) return "foreign";
  const issued = Number.parseInt(time, 16);
  return Math.abs(wall - issued) <= lifetime ? "good" : "stale";
}

const tag = (crypto: Crypto, secret: Uint8Array, time: string, purpose: string): string =>
  crypto.hmacSha256Hex(secret, `nonce ${time} ${purpose}`).slice(0, TAG_DIGITS);
