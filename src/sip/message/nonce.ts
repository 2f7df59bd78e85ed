// Nonces that need no memory: time and HMAC with the fleet's secret, so that every box takes any box's.
import type { Crypto } from "../../base/crypto.ts";
import type { Duration, WallTime } from "../../base/time.ts";
/** `purpose` sets nonces for different uses apart (realm). */
export declare function issueNonce(crypto: Crypto, secret: Uint8Array, wall: WallTime, purpose: string): string;
/** `stale`: ours, but too old (or from a clock far ahead): challenge anew with stale=true. */
export declare function checkNonce(crypto: Crypto, secret: Uint8Array, wall: WallTime, purpose: string, nonce: string, lifetime: Duration): "good" | "stale" | "foreign";
