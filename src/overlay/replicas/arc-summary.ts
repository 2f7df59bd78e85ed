// The one private exchange (message codes 0x23, 0x24): do two boxes hold the same in an arc, and if
// not, what is there. Entries themselves move by Fetch and Store. Layout in docs/profile.md.

import { ByteReader, ByteWriter, DecodeError } from "../../base/bytes.ts";
import { type WallTime, wallTime } from "../../base/time.ts";
import type { KindId, ResourceId } from "../ports.ts";
import type { Arc, RingId } from "../ring/ring.ts";
import type { Outcome } from "../routing/exchanges.ts";
import type { Digest } from "../storage/digest.ts";
import { readNodeId } from "../wire/identifiers.ts";
import { fault, ok, type Result } from "../../base/result.ts";

/** BOUNDED: arcs in one comparison. */
export const MAX_PARTS = 16;
/** A page of a list ends after the resource with which it reaches this. */
export const PAGE_BYTES = 16_384;

export interface ComparedPart {
  readonly arc: Arc;
  readonly digest: Digest;
}
interface Head {
  readonly time: WallTime;
  /** `RingView.tag` of who sends this. */
  readonly view: number;
}
export type SummaryRequest = Head &
  (
    | { readonly type: "compare"; readonly parts: readonly ComparedPart[] }
    /** Entries of the arc behind the cursor; of one kind, or of all (0). */
    | { readonly type: "list"; readonly arc: Arc; readonly cursor: RingId; readonly kind: KindId }
  );

/** What is said of an entry without sending it. */
export interface EntryNote {
  readonly resource: ResourceId;
  readonly kind: KindId;
  readonly key: string;
  readonly storedAt: WallTime;
  readonly exists: boolean;
  readonly high: number;
  readonly low: number;
}
interface AnswerHead extends Head {
  /** The answering box is responsible for all of the arcs, and all its replicas have what it has. */
  readonly inSync: boolean;
  /** The answering box, too, takes the asker to be responsible for all of the arcs. */
  readonly agreed: boolean;
  /** All that the answering box must have on disk is there. */
  readonly onDisk: boolean;
}
export type SummaryAnswer = AnswerHead &
  (
    | {
        readonly type: "compared";
        /** Indices of the parts that differ, with the number of entries the answering box has there. */
        readonly differing: readonly { readonly index: number; readonly count: number }[];
      }
    | {
        readonly type: "listed";
        readonly entries: readonly EntryNote[];
        /** Where to go on; `undefined`: that was all. */
        readonly next: RingId | undefined;
      }
  );

const COMPARE = 1;
const LIST = 2;
const IN_SYNC = 1;
const AGREED = 2;
const ON_DISK = 4;

export function encodeSummaryRequest(request: SummaryRequest): Uint8Array {
  const writer = new ByteWriter(64).u8(request.type === "compare" ? COMPARE : LIST).u64(request.time).u32(request.view);
  if (request.type === "compare") {
    writer.u8(request.parts.length);
    for (const { arc, digest } of request.parts) writeDigest(writeArc(writer, arc), digest);
  } else {
    writeArc(writer, request.arc).hex(request.cursor);
    writer.u32(request.kind);
  }
  return writer.finish();
}

export function encodeSummaryAnswer(answer: SummaryAnswer): Uint8Array {
  const writer = new ByteWriter(64)
    .u8(answer.type === "compared" ? COMPARE : LIST)
    .u64(answer.time)
    .u32(answer.view)
    .u8((answer.inSync ? IN_SYNC : 0) | (answer.agreed ? AGREED : 0) | (answer.onDisk ? ON_DISK : 0));
  if (answer.type === "compared") {
    writer.u8(answer.differing.length);
    for (const { index, count } of answer.differing) writer.u8(index).u32(count);
  } else {
    writer.u8(answer.next === undefined ? 0 : 1);
    if (answer.next !== undefined) writer.hex(answer.next);
    writer.u32(answer.entries.length);
    for (const entry of answer.entries) writeNote(writer, entry);
  }
  return writer.finish();
}

export const decodeSummaryRequest = (bytes: Uint8Array): Result<SummaryRequest, string> =>
  decoded(bytes, (reader) => {
    const type = reader.u8();
    const head = { time: wallTime(reader.u64()), view: reader.u32() };
    if (type === COMPARE) return { ...head, type: "compare", parts: readMany(reader, reader.u8(), MAX_PARTS, readPart) };
    if (type !== LIST) throw new DecodeError(`summary of type ${type}`);
    return { ...head, type: "list", arc: readArc(reader), cursor: readNodeId(reader), kind: reader.u32() };
  });

export const decodeSummaryAnswer = (bytes: Uint8Array): Result<SummaryAnswer, string> =>
  decoded(bytes, (reader) => {
    const type = reader.u8();
    const time = wallTime(reader.u64());
    const view = reader.u32();
    const flags = reader.u8();
    const head = { time, view, inSync: (flags & IN_SYNC) !== 0, agreed: (flags & AGREED) !== 0, onDisk: (flags & ON_DISK) !== 0 };
    if (type === COMPARE) {
      const differing = readMany(reader, reader.u8(), MAX_PARTS, (part) => ({ index: part.u8(), count: part.u32() }));
      return { ...head, type: "compared", differing };
    }
    if (type !== LIST) throw new DecodeError(`summary of type ${type}`);
    const next = reader.u8() === 1 ? readNodeId(reader) : undefined;
    return { ...head, type: "listed", next, entries: readMany(reader, reader.u32(), MAX_NOTES, readNote) };
  });

/** The summary in an answer to such a request; `undefined` if none came, or none that can be read. */
export function summaryIn(outcome: Outcome): SummaryAnswer | undefined {
  const summary = outcome.type === "answer" && outcome.body.type === "exp_a_ans" ? decodeSummaryAnswer(outcome.body.body) : undefined;
  return summary?.ok === true ? summary.value : undefined;
}

/** A note is at least 43 bytes long, a page at most one resource longer than `PAGE_BYTES`. */
const MAX_NOTES = 65_536;
export const NOTE_BYTES = 43;

function writeArc(writer: ByteWriter, { after, upTo }: Arc): ByteWriter {
  return writer.hex(after).hex(upTo);
}
const readArc = (reader: ByteReader): Arc => ({ after: readNodeId(reader), upTo: readNodeId(reader) });
const writeDigest = (writer: ByteWriter, { high, low, count }: Digest): ByteWriter => writer.u32(high).u32(low).u32(count);
const readPart = (reader: ByteReader): ComparedPart => ({
  arc: readArc(reader),
  digest: { high: reader.u32(), low: reader.u32(), count: reader.u32() },
});

function writeNote(writer: ByteWriter, note: EntryNote): void {
  writer.hex(note.resource).u32(note.kind).u16(note.key.length / 2).hex(note.key);
  writer.u64(note.storedAt).u8(note.exists ? 1 : 0).u32(note.high).u32(note.low);
}
const readNote = (reader: ByteReader): EntryNote => ({
  resource: reader.hex(16) as ResourceId,
  kind: reader.u32(),
  key: reader.hex(reader.u16()),
  storedAt: wallTime(reader.u64()),
  exists: reader.u8() === 1,
  high: reader.u32(),
  low: reader.u32(),
});

function readMany<Item>(reader: ByteReader, count: number, most: number, read: (reader: ByteReader) => Item): Item[] {
  if (count > most) throw new DecodeError(`${count} items, at most ${most}`);
  const items: Item[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}

function decoded<Value>(bytes: Uint8Array, read: (reader: ByteReader) => Value): Result<Value, string> {
  try {
    const reader = new ByteReader(bytes);
    const value = read(reader);
    reader.end();
    return ok(value);
  } catch (error) {
    if (error instanceof DecodeError) return fault(error.message);
    throw error;
  }
}
