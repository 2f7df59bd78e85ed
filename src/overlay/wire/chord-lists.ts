// What a member knows of the ring, the contents of a message extension (`EXTENSION.chord_lists`) of a RouteQuery
// answer. Not an RFC's: predecessor | NodeId successors<u8>, nearest first; bytes behind that are skipped.

import { ByteReader, ByteWriter, DecodeError } from "../../base/bytes.ts";
import type { Result } from "../../base/result.ts";
import type { NodeId } from "../ports.ts";
import type { ChordLists } from "../ring/chord-rules.ts";
import { readList } from "./fields.ts";
import { ID_LENGTH, readNodeId, writeNodeId } from "./identifiers.ts";
import { decoded, type WireFault } from "./wire-fault.ts";

export function encodeChordLists({ predecessor, successors }: ChordLists<NodeId>): Uint8Array {
  const writer = new ByteWriter(1 + ID_LENGTH * (1 + successors.length));
  writeNodeId(writer, predecessor);
  writer.prefixed(1, (list) => {
    for (const id of successors) writeNodeId(list, id);
  });
  return writer.finish();
}

/** A list that is longer than ours is cut, a shorter one is malformed: the rules copy whole lists. */
export const decodeChordLists = (bytes: Uint8Array): Result<ChordLists<NodeId>, WireFault> =>
  decoded(() => {
    const reader = new ByteReader(bytes);
    const predecessor = readNodeId(reader);
    const [first, second, third] = readList(reader, 1, readNodeId);
    if (first === undefined || second === undefined || third === undefined) throw new DecodeError("a successor list that is too short");
    return { predecessor, successors: [first, second, third] };
  });
