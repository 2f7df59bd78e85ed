// Looks for planted secrets in bytes: as they are, in hex, in base64 wherever it begins and however it is broken, and in whatever is packed by gzip.

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";

export type Canaries = Readonly<Record<string, string | Buffer>>;

/** Names of those that are there, in any spelling. */
export function canariesIn(bytes: Buffer, canaries: Canaries): string[] {
  const layers = unpacked(bytes).flatMap((layer) => [layer, unfolded(layer)]);
  return Object.entries(canaries).flatMap(([name, canary]) => {
    const spellings = spellingsOf(Buffer.from(canary));
    return layers.some((layer) => spellings.some((spelling) => layer.includes(spelling))) ? [name] : [];
  });
}

/** A key is often broken into lines. */
const unfolded = (layer: Buffer): Buffer => Buffer.from(layer.toString("latin1").replaceAll(/\r|\n|\\n/g, ""), "latin1");

function spellingsOf(secret: Buffer): (string | Buffer)[] {
  const hex = secret.toString("hex");
  const plain = secret.toString("utf8");
  const isText = Buffer.from(plain).equals(secret);
  return [secret, hex, hex.toUpperCase(), ...[0, 1, 2].flatMap((offset) => base64At(secret, offset)), ...(isText ? [JSON.stringify(plain).slice(1, -1), encodeURIComponent(plain)] : [])];
}

/** The characters that are the same whatever stands before and behind. */
function base64At(secret: Buffer, offset: number): string[] {
  const whole = Buffer.concat([Buffer.alloc(offset), secret]);
  const [from, to] = [offset === 0 ? 0 : offset + 1, Math.floor((whole.length * 8) / 6)];
  return [whole.toString("base64").slice(from, to), whole.toString("base64url").slice(from, to)];
}

/** The bytes, and what is packed in them, layer under layer. */
function unpacked(bytes: Buffer, depth = 0): Buffer[] {
  const layers = [bytes];
  if (depth > 4) return layers;
  for (let at = bytes.indexOf("\u001f\u008b\b", 0, "latin1"); at >= 0; at = bytes.indexOf("\u001f\u008b\b", at + 1, "latin1")) {
    try {
      layers.push(...unpacked(gunzipSync(bytes.subarray(at)), depth + 1));
    } catch (error) {
      assert(error instanceof Error); // only looks like it
    }
  }
  return layers;
}
