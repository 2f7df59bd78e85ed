// Digest authentication at this box (RFC 3261 22, 7616, 8760). Nonces need no memory; what is
// remembered is which of their counts were used. Only the box that issued a nonce can know that, and only in the
// same life: elsewhere the phone is challenged again, with stale=true (decision 22).

import { BoundedMap } from "../../base/bounded-map.ts";
import type { Crypto } from "../../base/crypto.ts";
import { minutes, type WallTime } from "../../base/time.ts";
import { CORE_LIMITS } from "../limits.ts";
import { type DigestCredentials, formatChallenge, isRightResponse } from "../message/digest.ts";
import type { ValidRequest } from "../message/message.ts";
import { checkNonce, ISSUER_DIGITS, issuedAt, issueNonce } from "../message/nonce.ts";
import type { Credentials, SipSettings } from "../ports.ts";

/** What can be said of a request's credentials before anybody is looked up. */
export type Inspection =
  | { readonly type: "credentials"; readonly credentials: DigestCredentials }
  | { readonly type: "challenge"; readonly stale: boolean };

/**
 * User agents seen to take the best of several challenges, in lower case. All others get MD5 alone: baresip 1.0
 * (libre) and sipsak 0.9.8 do not pass over an algorithm that they lack, as RFC 8760 wants, but give up.
 */
const CHOOSERS = ["linphone", "belle-sip"];

const NONCE_LIFETIME = minutes(30);
/** Counts behind the highest one that may still come, out of order. */
const WINDOW = 31;

interface Used {
  highest: number;
  /** Bit n: `highest - n` was used. */
  seen: number;
}

export class Gatekeeper {
  readonly #crypto: Crypto;
  #secret: Uint8Array;
  /** The one before: its nonces are good for the rest of their life. */
  #formerSecret: Uint8Array | undefined;
  #renewedAt = 0;
  readonly #realm: string;
  readonly #wallClock: () => WallTime;
  readonly #issuer: string;
  #issued = 0;
  /** Nonces up to this time may have been used and forgotten, milliseconds. */
  #forgottenUntil = 0;
  readonly #used: BoundedMap<string, Used>;

  /** `life`: hex digits, others with each start of the process: what was used in an earlier one is not known. */
  constructor(settings: SipSettings, crypto: Crypto, wallClock: () => WallTime, life: string, limit: number = CORE_LIMITS.nonces) {
    this.#issuer = (settings.nodeId.slice(0, 8) + life).slice(0, ISSUER_DIGITS).padEnd(ISSUER_DIGITS, "0");
    this.#used = new BoundedMap(limit, "evict");
    this.#crypto = crypto;
    this.#secret = settings.fleetSecret;
    this.#realm = settings.domain;
    this.#wallClock = wallClock;
  }

  get realm(): string {
    return this.#realm;
  }

  /** The best credentials for our realm with a nonce of ours that is still good; else why to challenge. */
  inspect(candidates: readonly DigestCredentials[]): Inspection {
    let stale = false;
    for (const credentials of candidates) {
      if (credentials.realm !== this.#realm || credentials.algorithm === undefined) continue;
      if (credentials.qop !== undefined && credentials.qop.toLowerCase() !== "auth") continue;
      const verdict = this.#check(credentials.nonce);
      if (verdict === "good") return { type: "credentials", credentials };
      if (verdict === "stale") stale = true;
    }
    return { type: "challenge", stale };
  }

  setSecret(secret: Uint8Array): void {
    this.#formerSecret = this.#secret;
    this.#secret = secret;
    this.#renewedAt = this.#wallClock();
  }

  #check(nonce: string): ReturnType<typeof checkNonce> {
    const wall = this.#wallClock();
    const verdict = checkNonce(this.#crypto, this.#secret, wall, this.#realm, this.#issuer, nonce, NONCE_LIFETIME);
    if (verdict !== "foreign" || this.#formerSecret === undefined) return verdict;
    if (Math.abs(wall - this.#renewedAt) > NONCE_LIFETIME) this.#formerSecret = undefined;
    return this.#formerSecret === undefined ? verdict : checkNonce(this.#crypto, this.#formerSecret, wall, this.#realm, this.#issuer, nonce, NONCE_LIFETIME);
  }

  /**
   * Whether the response is right. For a user who does not exist (`known` undefined) the same work is
   * done, and the verdict is the same as for a wrong password. The credentials' `uri` is not held against
   * the Request-URI: SIPp and others write the address of their next hop there.
   */
  verify(request: ValidRequest, credentials: DigestCredentials, known: Credentials | undefined): "right" | "wrong" | "replayed" {
    const ha1 = known === undefined ? NOBODY : credentials.algorithm === "SHA-256" ? known.ha1Sha256 : known.ha1Md5;
    const right = isRightResponse(this.#crypto, credentials, request.method, ha1);
    if (!right || known === undefined) return "wrong";
    return this.#useCount(credentials) ? "right" : "replayed";
  }

  /** Values of WWW-Authenticate or Proxy-Authenticate for this request, the best first (RFC 8760). */
  challenges(request: ValidRequest, stale: boolean): readonly string[] {
    const nonce = issueNonce(this.#crypto, this.#secret, this.#wallClock(), this.#realm, this.#issuer, ++this.#issued);
    const opaque = nonce.slice(-8);
    const algorithms = this.#mayChoose(request) ? (["SHA-256", "MD5"] as const) : (["MD5"] as const);
    return algorithms.map((algorithm) => formatChallenge({ realm: this.#realm, nonce, algorithm, stale, opaque }));
  }

  /** Whether this phone can be given two challenges: it is known to, or has shown that it has SHA-256. */
  #mayChoose(request: ValidRequest): boolean {
    const userAgent = (request.header("user-agent") ?? "").toLowerCase();
    if (CHOOSERS.some((name) => userAgent.startsWith(name))) return true;
    return [...request.authorization, ...request.proxyAuthorization].some(
      ({ realm, algorithm }) => realm === this.#realm && algorithm === "SHA-256",
    );
  }

  /** Notes the nonce count; whether it is its first use. Without qop there is no count: the nonce is good once. */
  #useCount(credentials: DigestCredentials): boolean {
    const key = `${credentials.nonce} ${credentials.username}`;
    const count = credentials.nc === undefined ? 1 : Number.parseInt(credentials.nc, 16);
    if (!Number.isSafeInteger(count) || count < 0) return false;
    const used = this.#used.get(key);
    if (used === undefined) {
      if (issuedAt(credentials.nonce) <= this.#forgottenUntil) return false;
      if (this.#used.size >= this.#used.limit) this.#forgottenUntil = Math.max(this.#forgottenUntil, issuedAt(this.#used.takeOldest() ?? ""));
      this.#used.set(key, { highest: count, seen: 1 });
      return true;
    }
    if (count > used.highest) {
      const ahead = count - used.highest;
      used.seen = ahead > WINDOW ? 1 : (used.seen << ahead) | 1;
      used.highest = count;
      return true;
    }
    const behind = used.highest - count;
    if (behind > WINDOW || (used.seen & (1 << behind)) !== 0) return false;
    used.seen |= 1 << behind;
    return true;
  }
}

const NOBODY = "0".repeat(32);
