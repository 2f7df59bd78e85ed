// Makes bundles and takes them apart. Everything is checked before the first octet is written, and each part again
// while it is: what was checked may have changed on its stick since.

import { createHash } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { fault, ok, type Result } from "../base/result.ts";
import {
  type Architecture, type BundlePart, parseHead, parseManifest, parsePrefix, type PartName, PARTS, PREFIX_BYTES, type ReadBundle, refusal, serializeHead, type UpdatableBox, type UpdateManifest,
} from "../provision/update-bundle.ts";
import { checkSignatures, signManifest, type UpdateKey } from "./update-key.ts";

const CHUNK_BYTES = 1 << 20;

/** Something of known length that is read from any place. */
export interface Source {
  readonly bytes: number;
  /** Fills `into` from `position` on as far as there is something; how many octets that were. */
  read(into: Uint8Array, position: number): number;
}

/** Where the parts of a bundle go. */
export interface PartSink {
  write(part: PartName, bytes: Uint8Array, position: number): void;
  /** All is there, and is to be on disk when this returns. */
  finish(manifest: UpdateManifest): void;
}

export interface UpdatingBox extends UpdatableBox {
  readonly rootCertificate: Uint8Array;
}

/** Runs `action` on an open file, and closes it. */
export function withFile<Value>(path: string, action: (source: Source) => Value): Value {
  const file = openSync(path, "r");
  try {
    return action({ bytes: fstatSync(file).size, read: (into, position) => readFully(file, into, position) });
  } finally {
    closeSync(file);
  }
}

/** Signatures, what it is for, and the content of every part. Writes nothing. */
export function checkBundle(source: Source, box: UpdatingBox): Result<ReadBundle, string> {
  const head = readHead(source, box);
  if (!head.ok) return head;
  const reason = refusal(head.value, source.bytes, box);
  if (reason !== undefined) return fault(reason);
  const { manifest, keyMade, partsAt } = head.value;
  const contents = readParts(source, manifest, partsAt, () => undefined);
  return contents.ok ? ok({ manifest, keyMade, partsAt }) : contents;
}

/** What the signatures of the fleet hold for. `id`: SHA-256 of it, lower-case hex; it names the content of every part. */
export function readHead(source: Source, fleet: Pick<UpdatingBox, "fleet" | "rootCertificate">): Result<ReadBundle & { readonly id: string }, string> {
  const prefix = parsePrefix(take(source, 0, PREFIX_BYTES));
  if (!prefix.ok) return prefix;
  const bytes = take(source, PREFIX_BYTES, prefix.value);
  const head = parseHead(bytes);
  if (!head.ok) return head;
  const signatures = checkSignatures(head.value, { overlayName: fleet.fleet, rootCertificate: fleet.rootCertificate });
  if (!signatures.ok) return signatures;
  const manifest = parseManifest(head.value.manifest.content);
  if (!manifest.ok) return manifest;
  if (manifest.value.fleet !== fleet.fleet) return fault("the bundle is for another fleet");
  return ok({ manifest: manifest.value, keyMade: signatures.value, partsAt: head.value.partsAt, id: createHash("sha256").update(bytes).digest("hex") });
}

/** Writes the parts of a checked bundle; a fault if it is not what was checked any more. */
export function writeParts(source: Source, { manifest, partsAt }: ReadBundle, sink: PartSink): Result<undefined, string> {
  const written = readParts(source, manifest, partsAt, (part, bytes, position) => sink.write(part, bytes, position));
  if (written.ok) sink.finish(manifest);
  return written;
}

function readParts(
  source: Source,
  { parts }: UpdateManifest,
  partsAt: number,
  each: (part: PartName, bytes: Uint8Array, position: number) => void,
): Result<undefined, string> {
  let at = partsAt;
  for (const part of parts) {
    if (hashOf(source, at, part.bytes, (bytes, position) => each(part.name, bytes, position)) !== part.sha256) {
      return fault(`the bundle is damaged: its ${part.name} is not what was signed`);
    }
    at += part.bytes;
  }
  return ok(undefined);
}

export interface BundleRequest {
  readonly key: UpdateKey;
  readonly version: string;
  readonly architecture: Architecture;
  readonly floor: string;
  readonly rootHash: string;
  /** The file of each part. */
  readonly files: Readonly<Record<PartName, string>>;
}

/** Writes a bundle to `out`, whole or not at all. */
export function createBundle(request: BundleRequest, out: string): Result<UpdateManifest, string> {
  const { key, files, version, architecture, floor, rootHash } = request;
  const parts = PARTS.map((name): BundlePart => withFile(files[name], (source) => ({ name, bytes: source.bytes, sha256: hashOf(source, 0, source.bytes) })));
  const manifest = { fleet: key.fleet, version, architecture, floor, rootHash, parts };
  const signed = signManifest(manifest, key);
  const wrong = parseManifest(signed.content);
  if (!wrong.ok) return wrong;
  const fresh = `${out}.new`;
  rmSync(fresh, { force: true });
  const file = openSync(fresh, "wx", 0o644);
  try {
    const head = serializeHead(key.statement, signed);
    writeFully(file, head, 0);
    let at = head.length;
    for (const { name, bytes } of parts) {
      const start = at;
      withFile(files[name], (source) => hashOf(source, 0, bytes, (chunk, position) => writeFully(file, chunk, start + position)));
      at += bytes;
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, out);
  return wrong;
}

/** SHA-256, lower-case hex, of so many octets of a source; `each` sees them in pieces, valid until it returns. */
function hashOf(source: Source, start: number, length: number, each: (bytes: Uint8Array, position: number) => void = () => undefined): string {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, length));
  for (let done = 0; done < length; ) {
    const wanted = buffer.subarray(0, Math.min(CHUNK_BYTES, length - done));
    const chunk = wanted.subarray(0, source.read(wanted, start + done));
    if (chunk.length === 0) break; // shorter than it was: the hash will not be the one that was signed
    hash.update(chunk);
    each(chunk, done);
    done += chunk.length;
  }
  return hash.digest("hex");
}

/** So many octets of a source, or what there is of them. */
function take(source: Source, position: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, source.read(bytes, position));
}

function readFully(file: number, into: Uint8Array, position: number): number {
  let done = 0;
  while (done < into.length) {
    const got = readSync(file, into, done, into.length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

export function writeFully(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, position + done);
}
