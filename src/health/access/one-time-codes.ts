// Codes by which people sign in: shown on the box's own console, good once and for a short while. There is no other
// way in, and none that outlives a restart of the agent. A code is forty bits of luck that live for minutes in this
// process alone; what is kept of it is a keyed hash, and hashes are what is compared, so that the time it takes tells nothing.

import { BoundedMap } from "../../base/bounded-map.ts";
import type { Crypto } from "../../base/crypto.ts";
import type { Random } from "../../base/random.ts";
import { after, type Instant, minutes, seconds } from "../../base/time.ts";
import { sourceOf, TryLimit } from "./try-limit.ts";

/** `actions`: the buttons and the menu of the terminal. `shell`: also a shell in the terminal. */
export type Right = "actions" | "shell";

export interface Grant {
  readonly right: Right;
  /** Whom the code was made for, as it was typed on the console; for the time line. */
  readonly holder: string;
}

/** Codes at once; the oldest goes. */
const CODES_MAX = 4;
const CODE_LIVES = minutes(10);
/** Wrong or right, from one source, and from all of them together. */
const TRIES_AT_ONCE = 5;
const TRY_PAUSE = seconds(12);
const TRIES_OF_ALL = 30;
const TRY_PAUSE_OF_ALL = seconds(2);

/** A short code of 40 bits: without letters that are taken for another. */
const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const CODE_CHARACTERS = 8;
const TYPED_MAX = 32;

export type Redeemed = { readonly ok: true; readonly grant: Grant } | { readonly ok: false; readonly reason: "wrong" | "too-many-tries" };

export class OneTimeCodes {
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #key: Uint8Array;
  readonly #codes = new BoundedMap<string, { readonly grant: Grant; readonly until: Instant }>(CODES_MAX, "evict");
  readonly #ofSource = new TryLimit(TRIES_AT_ONCE, TRY_PAUSE);
  readonly #ofAll = new TryLimit(TRIES_OF_ALL, TRY_PAUSE_OF_ALL);

  constructor(crypto: Crypto, random: Random) {
    this.#crypto = crypto;
    this.#random = random;
    this.#key = random.bytes(32);
  }

  /** A new code, `ABCD-EFGH`, and until when it is good. */
  make(now: Instant, grant: Grant): { readonly code: string; readonly until: Instant } {
    const letters = Array.from({ length: CODE_CHARACTERS }, () => ALPHABET.charAt(this.#random.below(ALPHABET.length))).join("");
    const until = after(now, CODE_LIVES);
    this.#codes.set(this.#hash(letters), { grant, until });
    return { code: `${letters.slice(0, 4)}-${letters.slice(4)}`, until };
  }

  /** What the code that `address` typed allows; it is used up. */
  redeem(now: Instant, address: string, typed: string): Redeemed {
    // Whoever tries too often is not counted among all, or one source could lock everybody out.
    if (!this.#ofSource.allows(now, sourceOf(address)) || !this.#ofAll.allows(now, "")) return { ok: false, reason: "too-many-tries" };
    for (const [hash, { until }] of [...this.#codes]) if (until <= now) this.#codes.delete(hash);
    const hash = this.#hash(lettersOf(typed));
    const found = this.#codes.get(hash);
    if (found === undefined) return { ok: false, reason: "wrong" };
    this.#codes.delete(hash);
    return { ok: true, grant: found.grant };
  }

  #hash(letters: string): string {
    return this.#crypto.hmacSha256Hex(this.#key, letters);
  }
}

/** Any case, with or without dash and spaces. */
const lettersOf = (typed: string): string => typed.slice(0, TYPED_MAX).toUpperCase().replaceAll("-", "").replaceAll(" ", "");
