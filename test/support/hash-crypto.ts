import { nodeCrypto } from "./node-crypto.ts";

/** The hashes of `Crypto`; it signs nothing. */
export const hashCrypto = nodeCrypto();
