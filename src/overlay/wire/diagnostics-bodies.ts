// PathTrack and the diagnostics structures (RFC 7851 section 5). `ext_length` is read as the length
// prefix of the list that follows it: the RFC's text would have both, no implementation does.

import { ByteReader, ByteWriter } from "../../base/bytes.ts";
import type { Result } from "../../base/result.ts";
import { wallTime } from "../../base/time.ts";
import { readDestination, writeDestination } from "./destination.ts";
import { type PrefixWidth, readList, readOpaque, writeList, writeOpaque } from "./fields.ts";
import type { Diagnostic, DiagnosticsRequest, DiagnosticsResponse, PathTrackAns, PathTrackReq } from "./message-body.ts";
import { decoded, type WireFault } from "./wire-fault.ts";

export const readPathTrackReq = (reader: ByteReader): PathTrackReq => ({
  type: "path_track_req",
  destination: readDestination(reader),
  request: readDiagnosticsRequest(reader),
});

export function writePathTrackReq(writer: ByteWriter, { destination, request }: PathTrackReq): void {
  writeDestination(writer, destination);
  writeDiagnosticsRequest(writer, request);
}

export const readPathTrackAns = (reader: ByteReader): PathTrackAns => ({
  type: "path_track_ans",
  nextHop: readDestination(reader),
  response: readDiagnosticsResponse(reader),
});

export function writePathTrackAns(writer: ByteWriter, { nextHop, response }: PathTrackAns): void {
  writeDestination(writer, nextHop);
  writeDiagnosticsResponse(writer, response);
}

const REQUEST_CONTENTS: PrefixWidth = 4;
const RESPONSE_CONTENTS: PrefixWidth = 2;

const readDiagnosticsRequest = (reader: ByteReader): DiagnosticsRequest => ({
  expiration: wallTime(reader.u64()),
  initiated: wallTime(reader.u64()),
  flags: reader.u64Big(),
  extensions: readDiagnostics(reader, REQUEST_CONTENTS),
});

function writeDiagnosticsRequest(writer: ByteWriter, request: DiagnosticsRequest): void {
  writer.u64(request.expiration).u64(request.initiated).u64(request.flags);
  writeDiagnostics(writer, REQUEST_CONTENTS, request.extensions);
}

const readDiagnosticsResponse = (reader: ByteReader): DiagnosticsResponse => ({
  expiration: wallTime(reader.u64()),
  initiated: wallTime(reader.u64()),
  received: wallTime(reader.u64()),
  hopCounter: reader.u8(),
  diagnostics: readDiagnostics(reader, RESPONSE_CONTENTS),
});

function writeDiagnosticsResponse(writer: ByteWriter, response: DiagnosticsResponse): void {
  writer.u64(response.expiration).u64(response.initiated).u64(response.received).u8(response.hopCounter);
  writeDiagnostics(writer, RESPONSE_CONTENTS, response.diagnostics);
}

const readDiagnostics = (reader: ByteReader, contents: PrefixWidth): Diagnostic[] =>
  readList(reader, 4, (list) => ({ kind: list.u16(), contents: readOpaque(list, contents) }));

const writeDiagnostics = (writer: ByteWriter, contents: PrefixWidth, diagnostics: readonly Diagnostic[]): void =>
  writeList(writer, 4, diagnostics, (_, diagnostic) => writeOpaque(writer.u16(diagnostic.kind), contents, diagnostic.contents));

/** Contents of the Diagnostic_Ping extension of a Ping request. */
export const decodeDiagnosticsRequest = (bytes: Uint8Array): Result<DiagnosticsRequest, WireFault> =>
  decoded(() => {
    const reader = new ByteReader(bytes);
    const request = readDiagnosticsRequest(reader);
    reader.end();
    return request;
  });

export function encodeDiagnosticsRequest(request: DiagnosticsRequest): Uint8Array {
  const writer = new ByteWriter(64);
  writeDiagnosticsRequest(writer, request);
  return writer.finish();
}
