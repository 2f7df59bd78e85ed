// StoredData and StoredMetaData (RFC 6940 sections 7.1 and 7.4.3). Values travel and lie on disk as
// the bytes they came in; they are decoded only where somebody looks into them.

import type { Crypto } from "../../base/crypto.ts";
import type { Result } from "../../base/result.ts";
import type { WallTime } from "../../base/time.ts";
import type { KindDefinition, KindId, ResourceId } from "../ports.ts";
import type { Signature, Signer } from "./security-block.ts";
import type { WireFault } from "./wire-fault.ts";

export type DataModel = KindDefinition["model"];

export type StoredPlace =
  | { readonly model: "single" }
  | { readonly model: "array"; readonly index: number }
  /** Dictionary key, hex. */
  | { readonly model: "dictionary"; readonly key: string };

export interface StoredData {
  readonly storageTime: WallTime;
  /** Seconds. */
  readonly lifetime: number;
  readonly place: StoredPlace;
  readonly exists: boolean;
  readonly value: Uint8Array;
  readonly signature: Signature;
}

/** One StoredData structure, its length field included, unsigned or with the signature it has. */
export declare function encodeStoredData(stored: StoredData): Uint8Array;

/** Signed by the writer (RFC 6940 section 7.1). */
export declare function signStoredData(
  resource: ResourceId,
  kind: KindId,
  stored: Omit<StoredData, "signature">,
  signer: Signer,
): Uint8Array;

/** `bytes`: one structure, its length field included. `value` is a view of `bytes`. */
export declare function decodeStoredData(bytes: Uint8Array, model: DataModel): Result<StoredData, WireFault>;

/** Cheap: storage_time of a structure that was decoded before or comes from `splitStoredData`. */
export declare function peekStorageTime(bytes: Uint8Array): WallTime;

/** Whether `certificate` (DER) is the one the signature names and made it. */
export declare function verifyStoredData(
  resource: ResourceId,
  kind: KindId,
  bytes: Uint8Array,
  model: DataModel,
  certificate: Uint8Array,
  crypto: Crypto,
): boolean;

export interface StoredMetaData {
  readonly storageTime: WallTime;
  readonly lifetime: number;
  readonly place: StoredPlace;
  readonly exists: boolean;
  readonly valueLength: number;
  readonly hashAlgorithm: number;
  /** Hex; over the value with its four length bytes. */
  readonly hash: string;
}

export declare function encodeStoredMetaData(meta: StoredMetaData): Uint8Array;
export declare function decodeStoredMetaData(bytes: Uint8Array, model: DataModel): Result<StoredMetaData, WireFault>;

/** What of a kind is wanted: everything of a single value; ranges of an array; keys of a dictionary (none: all). */
export type Selection =
  | { readonly model: "single" }
  | { readonly model: "array"; readonly ranges: readonly { readonly first: number; readonly last: number }[] }
  | { readonly model: "dictionary"; readonly keys: readonly string[] };

export declare function encodeSelection(selection: Selection): Uint8Array;
export declare function decodeSelection(bytes: Uint8Array, model: DataModel): Result<Selection, WireFault>;
