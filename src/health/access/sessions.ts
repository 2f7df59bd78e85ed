// Who is signed in. A session is known by a token that only its browser has; what is kept here is the token's hash.
// With it goes a second token that the page must send with everything that changes something: a foreign page can make
// a browser send the cookie, and cannot read this one.

import { BoundedMap } from "../../base/bounded-map.ts";
import type { Crypto } from "../../base/crypto.ts";
import { toHex } from "../../base/bytes.ts";
import type { Random } from "../../base/random.ts";
import { after, between, type Duration, earliest, type Instant, hours, minutes, seconds } from "../../base/time.ts";
import type { Grant, Right } from "./one-time-codes.ts";

/** Signed in at once; at the bound whoever signed in first is signed out. */
const SESSIONS_MAX = 16;
const IDLE_MAX = minutes(30);
const SESSION_LIVES = hours(8);
/** From asking for a terminal to opening it. */
const TERMINAL_TOKEN_LIVES = seconds(30);
const TOKEN_BYTES = 24;

export interface Session {
  /** Names it in recordings and in the list of terminals; opens nothing. */
  readonly id: string;
  readonly right: Right;
  /** Who is told to have done what is done in it. */
  readonly who: string;
  /** To be sent with each POST, in `x-ringbox-token`. */
  readonly csrf: string;
}

interface Kept {
  readonly session: Session;
  readonly until: Instant;
  seenAt: Instant;
  terminal: { readonly token: string; readonly until: Instant } | undefined;
}

export class Sessions {
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #sessions = new BoundedMap<string, Kept>(SESSIONS_MAX, "refuse");
  #opened = 0;

  constructor(crypto: Crypto, random: Random) {
    this.#crypto = crypto;
    this.#random = random;
  }

  /** `token` goes into the cookie; `ended`: who had to go for it. */
  open(now: Instant, { right, holder }: Grant, address: string): { readonly token: string; readonly session: Session; readonly ended: readonly Session[] } {
    const ended = this.expire(now);
    if (this.#sessions.size >= SESSIONS_MAX) {
      const [oldest] = this.#sessions;
      if (oldest !== undefined) ended.push(oldest[1].session);
      this.#sessions.takeOldest();
    }
    const token = this.#token();
    const session: Session = { id: `${++this.#opened}`, right, who: holder === "" ? `somebody at ${address}` : `${holder} at ${address}`, csrf: this.#token() };
    this.#sessions.set(this.#hash(token), { session, until: after(now, SESSION_LIVES), seenAt: now, terminal: undefined });
    return { token, session, ended };
  }

  /** The session of a cookie's token; being found keeps it from idling. */
  find(now: Instant, token: string): Session | undefined {
    const kept = this.#kept(now, token);
    if (kept !== undefined) kept.seenAt = now;
    return kept?.session;
  }

  close(token: string): Session | undefined {
    const hash = this.#hash(token);
    const kept = this.#sessions.get(hash);
    this.#sessions.delete(hash);
    return kept?.session;
  }

  /** Removes and returns those that are over. */
  expire(now: Instant): Session[] {
    const over: Session[] = [];
    for (const [hash, kept] of [...this.#sessions]) {
      if (!isOver(now, kept)) continue;
      this.#sessions.delete(hash);
      over.push(kept.session);
    }
    return over;
  }

  /** What opens one terminal of this session, once. The last one given out is the one that counts. */
  terminalToken(now: Instant, token: string): string | undefined {
    const kept = this.#kept(now, token);
    if (kept === undefined) return undefined;
    kept.terminal = { token: this.#token(), until: after(now, TERMINAL_TOKEN_LIVES) };
    return kept.terminal.token;
  }

  /** The session, if `terminalToken` is what it was given; it is used up by whatever is said here. */
  openTerminal(now: Instant, token: string, terminalToken: string): Session | undefined {
    const kept = this.#kept(now, token);
    const expected = kept?.terminal;
    if (kept === undefined || expected === undefined) return undefined;
    kept.terminal = undefined;
    return expected.until > now && this.same(expected.token, terminalToken) ? kept.session : undefined;
  }

  /** Whether two secrets are the same; how long it takes does not depend on where they differ. */
  same(a: string, b: string): boolean {
    return this.#hash(a) === this.#hash(b);
  }

  /** When the next one is over. */
  nextDeadline(): Instant | undefined {
    let next: Instant | undefined;
    for (const kept of this.#sessions.values()) next = earliest(next, earliest(kept.until, after(kept.seenAt, IDLE_MAX)));
    return next;
  }

  #kept(now: Instant, token: string): Kept | undefined {
    const kept = this.#sessions.get(this.#hash(token));
    return kept === undefined || isOver(now, kept) ? undefined : kept;
  }

  #token(): string {
    return toHex(this.#random.bytes(TOKEN_BYTES));
  }
  #hash(token: string): string {
    return this.#crypto.sha256Hex(token);
  }
}

const isOver = (now: Instant, { until, seenAt }: Kept): boolean => until <= now || (between(seenAt, now) as Duration) >= IDLE_MAX;
