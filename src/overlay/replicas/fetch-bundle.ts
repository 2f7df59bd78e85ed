// Several Fetches in one message of the private exchange (0x23, 0x24), answered from what the other box holds itself:
// what one message costs on its way is spent once for many values. Layout in docs/profile.md.

import { ByteReader, ByteWriter, DecodeError } from "../../base/bytes.ts";
import type { Result } from "../../base/result.ts";
import type { FetchAns, FetchReq } from "../wire/message-body.ts";
import { readFetchAns, readFetchReq, writeFetchAns, writeFetchReq } from "../wire/storage-bodies.ts";
import { decoded, type WireFault } from "../wire/wire-fault.ts";

/** BOUNDED: Fetches in one bundle. */
export const MAX_BUNDLED = 16;

/** Beside 1 and 2, which ask for summaries. */
const BUNDLE = 3;

/** Whether a request or an answer of the private exchange is a bundle. */
export const isBundle = (bytes: Uint8Array): boolean => bytes[0] === BUNDLE;

export const encodeBundle = (fetches: readonly FetchReq[]): Uint8Array => encoded(fetches, writeFetchReq);
export const decodeBundle = (bytes: Uint8Array): Result<readonly FetchReq[], WireFault> => decoded(() => readMany(bytes, readFetchReq));

/** In the order of the Fetches; they may be fewer: the rest is to be asked for again. */
export const encodeBundleAnswer = (answers: readonly FetchAns[]): Uint8Array => encoded(answers, writeFetchAns);
export const decodeBundleAnswer = (bytes: Uint8Array): Result<readonly FetchAns[], WireFault> => decoded(() => readMany(bytes, readFetchAns));

function encoded<Item>(items: readonly Item[], write: (writer: ByteWriter, item: Item) => void): Uint8Array {
  const writer = new ByteWriter(512 * (items.length + 1)).u8(BUNDLE).u8(items.length);
  for (const item of items) write(writer, item);
  return writer.finish();
}

function readMany<Item>(bytes: Uint8Array, read: (reader: ByteReader) => Item): readonly Item[] {
  const reader = new ByteReader(bytes);
  if (reader.u8() !== BUNDLE) throw new DecodeError("not a bundle");
  const count = reader.u8();
  if (count > MAX_BUNDLED) throw new DecodeError(`${count} Fetches in one bundle`);
  const items = Array.from({ length: count }, () => read(reader));
  reader.end();
  return items;
}
