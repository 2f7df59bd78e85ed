// GRUUs (RFC 5627): a URI that means one instance of a user, at whichever box it is asked for. Both kinds are
// reckoned, not stored. The public one carries the instance-id; the temporary one carries AoR, instance and
// Call-ID under a key of the fleet, and nobody outside can tell that two of them are of one phone.

import { fromHex, fromOctets, toOctets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import { decodeBase64Url, encodeBase64Url } from "./flow-token.ts";
import { escapeUser, isSipUri, type Uri, unescapeUser, uriParameter } from "./message/uri.ts";
import type { Binding } from "./ports.ts";

/** Which of an AoR's bindings a GRUU means, and what is said when none of them is there. */
export interface GruuTarget {
  readonly aor: string;
  readonly means: (binding: Binding) => boolean;
  /** 480 for a public one (RFC 5627 section 6.1), 404 for a temporary one that is void; 430 in a dialog whose flow is dead. */
  readonly absent: 404 | 430 | 480;
}

const PREFIX = "tgruu.";
const TAG = 10;
const MARK = 8;
const BLOCK = 32;
/** Instance, Call-ID, CSeq; then the AoR. */
const FIXED = 2 * MARK + 4;

export class Gruus {
  readonly #crypto: Crypto;
  readonly #domain: string;
  #secret: Uint8Array;
  #formerSecret: Uint8Array | undefined;

  constructor(crypto: Crypto, secret: Uint8Array, domain: string) {
    this.#crypto = crypto;
    this.#secret = secret;
    this.#domain = domain;
  }

  setSecret(secret: Uint8Array): void {
    this.#formerSecret = this.#secret;
    this.#secret = secret;
  }
  forgetFormerSecret(): void {
    this.#formerSecret = undefined;
  }

  /** Stable as long as the phone keeps its instance-id. */
  publicGruu(aor: string, instance: string): string {
    const user = aor.slice(0, aor.lastIndexOf("@"));
    return `sip:${escapeUser(user)}@${this.#domain};gr=${escapeParameter(bare(instance))}`;
  }

  /** Another one for each REGISTER; all are void when the Call-ID changes. */
  temporaryGruu(aor: string, { instance, callId, cseq }: Pick<Binding, "instance" | "callId" | "cseq">): string {
    const number = String.fromCharCode((cseq >>> 24) & 0xff, (cseq >>> 16) & 0xff, (cseq >>> 8) & 0xff, cseq & 0xff);
    const plain = this.#mark(instance) + this.#mark(callId) + number + aor;
    const tag = this.#tag(this.#secret, plain);
    return `sip:${PREFIX}${encodeBase64Url(tag + this.#masked(this.#secret, tag, plain))}@${this.#domain};gr`;
  }

  /** `undefined`: no GRUU. "void": one that nobody of this fleet made. */
  read(uri: Uri): GruuTarget | "void" | undefined {
    if (!isSipUri(uri)) return undefined;
    const gr = uriParameter(uri, "gr");
    if (gr === undefined || uri.user === undefined) return undefined;
    if (gr !== "") return this.#readPublic(uri.user, gr);
    const user = unescapeUser(uri.user);
    return user.startsWith(PREFIX) ? this.#readTemporary(user) : "void";
  }

  #readPublic(user: string, gr: string): GruuTarget {
    const named = unescapeUser(gr);
    return { aor: `${unescapeUser(user)}@${this.#domain}`, absent: 480, means: ({ instance }) => instance !== "" && bare(instance) === named };
  }

  #readTemporary(user: string): GruuTarget | "void" {
    const plain = this.#open(user.slice(PREFIX.length));
    if (plain === undefined) return "void";
    const instanceMark = plain.slice(0, MARK);
    const callMark = plain.slice(MARK, 2 * MARK);
    return {
      aor: plain.slice(FIXED),
      absent: 404,
      means: ({ instance, callId }) => instance !== "" && this.#mark(instance) === instanceMark && this.#mark(callId) === callMark,
    };
  }

  #open(token: string): string | undefined {
    const bytes = decodeBase64Url(token);
    if (bytes === undefined || bytes.length <= TAG + FIXED) return undefined;
    const octets = toOctets(bytes);
    const tag = octets.slice(0, TAG);
    for (const secret of [this.#secret, this.#formerSecret]) {
      if (secret === undefined) continue;
      const plain = this.#masked(secret, tag, octets.slice(TAG));
      if (this.#tag(secret, plain) === tag) return plain;
    }
    return undefined;
  }

  /** The tag is the mask's only seed: equal texts give equal tokens, unequal ones have nothing in common. */
  #tag(secret: Uint8Array, plain: string): string {
    return this.#hmac(secret, `temporary gruu\n${plain}`).slice(0, TAG);
  }
  #masked(secret: Uint8Array, tag: string, text: string): string {
    let masked = "";
    let mask = "";
    for (let i = 0; i < text.length; i++) {
      if (i % BLOCK === 0) mask = this.#hmac(secret, `temporary gruu mask\n${i / BLOCK}\n${tag}`);
      masked += String.fromCharCode(text.charCodeAt(i) ^ mask.charCodeAt(i % BLOCK));
    }
    return masked;
  }
  #hmac(secret: Uint8Array, octets: string): string {
    return toOctets(fromHex(this.#crypto.hmacSha256Hex(secret, octets)));
  }
  #mark(octets: string): string {
    return toOctets(this.#crypto.sha256(fromOctets(octets)).subarray(0, MARK));
  }
}

/** An instance-id without its angle brackets. */
const bare = (instance: string): string => (instance.startsWith("<") && instance.endsWith(">") ? instance.slice(1, -1) : instance);

/** For the value of a URI parameter: letters, digits, and what URNs are made of stay. */
function escapeParameter(text: string): string {
  let escaped = "";
  for (const character of text) {
    const isPlain = (character >= "a" && character <= "z") || (character >= "A" && character <= "Z") || (character >= "0" && character <= "9");
    const code = character.charCodeAt(0);
    escaped += isPlain || "-_.:+/".includes(character) ? character : `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}
