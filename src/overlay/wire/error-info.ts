// error_info where RFC 6940 gives it a structure; everywhere else it is text.

import { ByteWriter } from "../../base/bytes.ts";
import type { KindId } from "../ports.ts";
import type { StoreKindResponse } from "./message-body.ts";
import { writeStoreAns } from "./storage-bodies.ts";

/** BOUNDED: kinds that Error_Unknown_Kind names, as many as its length byte can count. */
const MAX_NAMED = 63;

/** Of Error_Unknown_Kind (section 7.4.1.2): the kinds. */
export const unknownKinds = (kinds: readonly KindId[]): Uint8Array =>
  new ByteWriter(1 + 4 * kinds.length).prefixed(1, (writer) => kinds.slice(0, MAX_NAMED).forEach((kind) => writer.u32(kind))).finish();

/** Of Error_Generation_Counter_Too_Low (section 7.4.1.2): a StoreAns with the current counters. */
export function currentGenerations(kinds: readonly StoreKindResponse[]): Uint8Array {
  const writer = new ByteWriter(64);
  writeStoreAns(writer, { type: "store_ans", kinds });
  return writer.finish();
}
