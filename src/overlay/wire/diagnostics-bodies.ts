// PathTrack and the diagnostics structures (RFC 7851 section 5). By the RFC's text `ext_length` is
// followed by a list that has its own length prefix; others (Wireshark too) read one length only.
// Both lengths are written, and either form is read.

import { ByteReader, ByteWriter, DecodeError } from "../../base/bytes.ts";
import type { Result } from "../../base/result.ts";
import { wallTime } from "../../base/time.ts";
import { readDestination, writeDestination } from "./destination.ts";
import { type PrefixWidth, readItems, readOpaque, writeOpaque } from "./fields.ts";
import type { Diagnostic, DiagnosticsRequest, DiagnosticsResponse, PathTrackAns, PathTrackReq } from "./message-body.ts";
import { decoded, type WireFault } from "./wire-fault.ts";

export const readPathTrackReq = (reader: ByteReader, end: number): PathTrackReq => ({
  type: "path_track_req",
  destination: readDestination(reader),
  request: readDiagnosticsRequest(reader, end),
});

export function writePathTrackReq(writer: ByteWriter, { destination, request }: PathTrackReq): void {
  writeDestination(writer, destination);
  writeDiagnosticsRequest(writer, request);
}

export const readPathTrackAns = (reader: ByteReader, end: number): PathTrackAns => ({
  type: "path_track_ans",
  nextHop: readDestination(reader),
  response: readDiagnosticsResponse(reader, end),
});

export function writePathTrackAns(writer: ByteWriter, { nextHop, response }: PathTrackAns): void {
  writeDestination(writer, nextHop);
  writeDiagnosticsResponse(writer, response);
}

const REQUEST_CONTENTS: PrefixWidth = 4;
const RESPONSE_CONTENTS: PrefixWidth = 2;

const readDiagnosticsRequest = (reader: ByteReader, end: number): DiagnosticsRequest => ({
  expiration: wallTime(reader.u64()),
  initiated: wallTime(reader.u64()),
  flags: reader.u64Big(),
  extensions: readDiagnostics(reader, end, REQUEST_CONTENTS),
});

function writeDiagnosticsRequest(writer: ByteWriter, request: DiagnosticsRequest): void {
  writer.u64(request.expiration).u64(request.initiated).u64(request.flags);
  writeDiagnostics(writer, REQUEST_CONTENTS, request.extensions);
}

const readDiagnosticsResponse = (reader: ByteReader, end: number): DiagnosticsResponse => ({
  expiration: wallTime(reader.u64()),
  initiated: wallTime(reader.u64()),
  received: wallTime(reader.u64()),
  hopCounter: reader.u8(),
  diagnostics: readDiagnostics(reader, end, RESPONSE_CONTENTS),
});

function writeDiagnosticsResponse(writer: ByteWriter, response: DiagnosticsResponse): void {
  writer.u64(response.expiration).u64(response.initiated).u64(response.received).u8(response.hopCounter);
  writeDiagnostics(writer, RESPONSE_CONTENTS, response.diagnostics);
}

/** The list reaches to `end`, where the structure around it ends. */
function readDiagnostics(reader: ByteReader, end: number, contents: PrefixWidth): Diagnostic[] {
  const length = reader.u32();
  if (end - reader.position === length + 4 && reader.u32() !== length) throw new DecodeError("two lengths that differ");
  if (end - reader.position !== length) throw new DecodeError(`diagnostics of ${length} bytes`);
  return readItems(reader, length, (list) => ({ kind: list.u16(), contents: readOpaque(list, contents) }));
}

function writeDiagnostics(writer: ByteWriter, contents: PrefixWidth, diagnostics: readonly Diagnostic[]): void {
  const start = writer.length;
  writer.u32(0).u32(0);
  for (const diagnostic of diagnostics) writeOpaque(writer.u16(diagnostic.kind), contents, diagnostic.contents);
  const length = writer.length - start - 8;
  writer.u32At(start, length).u32At(start + 4, length);
}

/** Contents of the Diagnostic_Ping extension of a Ping request. */
export const decodeDiagnosticsRequest = (bytes: Uint8Array): Result<DiagnosticsRequest, WireFault> =>
  decoded(() => {
    const reader = new ByteReader(bytes);
    const request = readDiagnosticsRequest(reader, bytes.length);
    reader.end();
    return request;
  });

export function encodeDiagnosticsResponse(response: DiagnosticsResponse): Uint8Array {
  const writer = new ByteWriter(64);
  writeDiagnosticsResponse(writer, response);
  return writer.finish();
}

export function encodeDiagnosticsRequest(request: DiagnosticsRequest): Uint8Array {
  const writer = new ByteWriter(64);
  writeDiagnosticsRequest(writer, request);
  return writer.finish();
}
