// The front of each value of a kind that keeps siblings (docs/profile.md): how long it lives, which version it is,
// and which versions whoever wrote it had seen. All of it is under the writer's signature.

import { ByteReader, ByteWriter, DecodeError } from "../../base/bytes.ts";
import type { Result } from "../../base/result.ts";
import { wallTime } from "../../base/time.ts";
import type { History, Version } from "../ports.ts";
import { readNodeId } from "../wire/identifiers.ts";
import { decoded, type WireFault } from "../wire/wire-fault.ts";

/** Writers whose versions a value names as seen; above, those that wrote longest ago are left out. */
const MAX_WRITERS = 16;

export interface Preface extends History {
  /** Seconds; the same as in the StoredData structure, whose own field no signature covers. */
  readonly lifetime: number;
}

export function withPreface({ lifetime, version, follows }: Preface, content: Uint8Array): Uint8Array {
  const writer = new ByteWriter(64 + 24 * follows.length + content.length).u32(lifetime);
  writeVersion(writer, version).u8(follows.length);
  for (const seen of follows) writeVersion(writer, seen);
  return writer.bytes(content).finish();
}

/** The content behind the preface is a view. */
export const splitPreface = (bytes: Uint8Array): Result<{ readonly preface: Preface; readonly content: Uint8Array }, WireFault> =>
  decoded(() => {
    const reader = new ByteReader(bytes);
    const lifetime = reader.u32();
    const version = readVersion(reader);
    const count = reader.u8();
    if (count > MAX_WRITERS) throw new DecodeError(`${count} writers, at most ${MAX_WRITERS}`);
    const follows = Array.from({ length: count }, () => readVersion(reader));
    return { preface: { lifetime, version, follows }, content: reader.rest() };
  });

const writeVersion = (writer: ByteWriter, { writer: nodeId, stamp }: Version): ByteWriter => writer.hex(nodeId).u64(stamp);
const readVersion = (reader: ByteReader): Version => ({ writer: readNodeId(reader), stamp: wallTime(reader.u64()) });

/** The name of a version: Node-ID of its writer and its stamp, hex; the key of its sibling entry. */
export const versionName = ({ writer, stamp }: Version): string => writer + Math.round(stamp).toString(16).padStart(16, "0");

/** Whether whoever wrote `later` had seen `version`, or a later one of the same writer. */
export const includes = (later: History, version: Version): boolean =>
  isAtLeast(later.version, version) || later.follows.some((followed) => isAtLeast(followed, version));
const isAtLeast = (later: Version, { writer, stamp }: Version): boolean => later.writer === writer && later.stamp >= stamp;

/** What a new value that comes after all of these is to name: the last version of each writer. */
export function seenIn(histories: readonly History[]): readonly Version[] {
  const last = new Map<string, Version>();
  for (const version of histories.flatMap((history) => [history.version, ...history.follows])) {
    const known = last.get(version.writer);
    if (known === undefined || known.stamp < version.stamp) last.set(version.writer, version);
  }
  return [...last.values()].sort((a, b) => b.stamp - a.stamp || (a.writer < b.writer ? -1 : 1)).slice(0, MAX_WRITERS);
}
