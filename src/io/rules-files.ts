// What is in force in the fleet, on this box's disk: `configuration.xml` and `revocations`. The one carries
// its signature; the other is behind its own hash, so that a flipped bit neither frees nor accuses anybody.

import { hash } from "node:crypto";
import { decodeRevocations } from "../overlay/configuration/revocations.ts";

/** As a box starts with it, and as it is written. */
export interface StoredRules {
  readonly document: Uint8Array | undefined;
  /** A set of revocations; empty: none. */
  readonly revocations: Uint8Array;
}

export const NO_RULES: StoredRules = { document: undefined, revocations: new Uint8Array(0) };

const HASH_BYTES = 32;

export const sealRevocations = (revocations: Uint8Array): Uint8Array => Buffer.concat([hash("sha256", revocations, "buffer"), revocations]);

/** `undefined` if the content is not what `sealRevocations` wrote. */
export function unsealRevocations(content: Uint8Array): Uint8Array | undefined {
  const revocations = content.subarray(HASH_BYTES);
  const whole = content.length > HASH_BYTES && hash("sha256", revocations, "buffer").equals(content.subarray(0, HASH_BYTES));
  return whole && decodeRevocations(revocations) !== undefined ? revocations : undefined;
}
