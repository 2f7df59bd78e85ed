// The last look at what leaves the box as evidence: what is put into it should hold no secret, and if it does after all,
// it goes here. Two ways: the box's own secrets are known and are searched for, in every spelling; and text that
// programs wrote freely loses what looks like a secret.

import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fleetSecret } from "../../pki.ts";
import { parseMembership } from "../../identity-files.ts";

const REMOVED = "(removed)";
/** Shorter ones would be found in everything. */
const SECRET_MIN_BYTES = 8;
/** Files of the data directory that may hold a key. */
const KEY_FILES = /\.(?:key|pem|json|crt|ticket)$/;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
/** As `ringbox web-code` and a waiting box show them. */
const CODE = /\b[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}\b/g;
/** A word that announces a secret, and the rest of its line or its quoted value. */
const ANNOUNCED = /\b((?:[\w-]*(?:password|passwd|secret|token|cookie|authorization|api-?key|private-?key|ha1|nonce|ticket))|response|code|inline)(["']?\s*[=:]\s*)(?:"[^"\n]*"|[^\n]*)/gi;
/** Keys, tokens and tickets; Node-IDs are shorter. */
const LONG_RUN = /[A-Za-z0-9+/_=-]{40,}/g;

export class SecretFilter {
  /** Longest first, so that no half of one is left. BOUNDED: by the files of the data directory. */
  readonly #spellings: readonly string[];

  constructor(secrets: readonly Uint8Array[]) {
    const known = secrets.filter(({ length }) => length >= SECRET_MIN_BYTES).flatMap(spellingsOf);
    this.#spellings = [...new Set(known)].sort((a, b) => b.length - a.length);
  }

  /** Documents that are made field by field. */
  document(text: string): string {
    return this.#spellings.reduce((clean, secret) => clean.replaceAll(secret, REMOVED), text.replaceAll(PRIVATE_KEY, REMOVED).replaceAll(CODE, REMOVED));
  }

  /** What programs wrote: whatever looks like a secret goes too. */
  freeText(text: string): string {
    return this.document(text.replaceAll(PRIVATE_KEY, REMOVED).replaceAll(ANNOUNCED, `$1$2${REMOVED}`).replaceAll(LONG_RUN, REMOVED));
  }
}

/** As JSON writes it too: there the lines of a key are divided by `\n`, and each is searched for by itself. */
function spellingsOf(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  const plain = bytes.toString("utf8");
  const isText = Buffer.from(plain, "utf8").equals(bytes);
  const hex = bytes.toString("hex");
  return [hex, hex.toUpperCase(), ...[0, 1, 2].flatMap((before) => base64Within(bytes, before)), ...(isText ? [plain] : [])];
}

/** What stays the same of it in base64 of something longer, in which so many octets (modulo 3) come before it. */
function base64Within(bytes: Buffer, before: number): string[] {
  const whole = Buffer.concat([Buffer.alloc(before), bytes]);
  const [first, last] = [Math.ceil((before * 4) / 3), Math.floor((whole.length * 4) / 3)];
  return [whole.toString("base64").slice(first, last), whole.toString("base64url").slice(first, last)];
}

/** All that this box must not tell: keys in its data directory, and what follows from them. */
export function ownSecrets(directory: string): Uint8Array[] {
  const secrets: Uint8Array[] = []; // BOUNDED: by the files of the data directory
  for (const text of keyFiles(directory)) {
    for (const [pem] of text.replaceAll("\\n", "\n").matchAll(PRIVATE_KEY)) secrets.push(...keySpellings(pem));
    const membership = parseMembership(text);
    if (membership === undefined) continue;
    secrets.push(fleetSecret(membership.enrolled.issuing.privateKeyPem));
    if (membership.formerSecret !== undefined) secrets.push(membership.formerSecret.secret);
  }
  return secrets;
}

function keyFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => KEY_FILES.test(name)).map((name) => readFileSync(join(directory, name), "utf8"));
  } catch {
    return []; // not there, or not this user's: then it cannot tell them either
  }
}

/** The lines of its PEM, the whole of it, and the secret number alone. */
function keySpellings(pem: string): Uint8Array[] {
  const lines = pem.split("\n").filter((line) => line !== "" && !line.startsWith("-----")).map((line) => Buffer.from(line));
  try {
    const key = createPrivateKey(pem);
    const { d } = key.export({ format: "jwk" });
    return [...lines, key.export({ format: "der", type: "pkcs8" }), ...(d === undefined ? [] : [Buffer.from(d, "base64url")])];
  } catch {
    return lines; // damaged: its lines are searched for all the same
  }
}
