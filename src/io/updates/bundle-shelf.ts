// The bundles that a box holds for itself and for its neighbors, by the SHA-256 of their heads. What has its whole name there was
// checked; what is on its way has another.

import { createHash } from "node:crypto";
import { closeSync, createReadStream, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fault, ok, type Result } from "../../base/result.ts";
import type { UpdateManifest } from "../../provision/update-bundle.ts";
import { syncDirectory } from "../replace-file.ts";
import { readHead, withFile, writeFully } from "../update-bundle.ts";

const WHOLE = ".bundle";
const ON_ITS_WAY = ".part";
/** What an operator sends piece by piece; it gets its name when it is whole. */
const UPLOAD = "upload";
/** What stays free for what the box is there for, octets. */
const KEPT_FREE = 64 << 20;

export interface ShelvedBundle {
  readonly id: string;
  readonly manifest: UpdateManifest;
  readonly bytes: number;
}

export interface FleetRoot {
  readonly fleet: string;
  readonly rootCertificate: Uint8Array;
}

export const isBundleId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** Where a whole bundle lies. */
export const shelfPath = (directory: string, id: string): string => join(directory, "updates", id + WHOLE);

export class BundleShelf {
  readonly #directory: string;

  /** `directory`: the data directory of the box. */
  constructor(directory: string) {
    this.#directory = join(directory, "updates");
  }

  has(id: string): boolean {
    return existsSync(this.#path(id, WHOLE));
  }

  /** Octets of a bundle that are here already. */
  received(id: string): number {
    try {
      return statSync(this.#path(id, ON_ITS_WAY)).size;
    } catch {
      return 0; // nothing yet
    }
  }

  /** Why so many octets more have no room; `undefined`: they have. */
  lacksRoomFor(bytes: number): string | undefined {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = statfsSync(this.#directory);
    const missing = bytes + KEPT_FREE - bavail * bsize;
    return missing > 0 ? `the disk of this box lacks ${Math.ceil(missing / (1 << 20))} MiB for the bundle` : undefined;
  }

  /** Opens what is on its way, to write at an offset; what was behind it is dropped. */
  open(id: string, offset: number): { write(bytes: Uint8Array): void; close(): void } {
    const file = openSync(this.#path(id, ON_ITS_WAY), offset === 0 ? "w" : "r+", 0o600);
    ftruncateSync(file, offset);
    let at = offset;
    return {
      write(bytes) {
        writeFully(file, bytes, at);
        at += bytes.length;
      },
      close() {
        fsyncSync(file);
        closeSync(file);
      },
    };
  }

  /** One piece of what an operator sends. How much there is now. */
  upload(offset: number, bytes: Uint8Array): number {
    if (offset !== (offset === 0 ? 0 : this.received(UPLOAD))) return this.received(UPLOAD);
    const file = this.open(UPLOAD, offset);
    try {
      file.write(bytes);
    } finally {
      file.close();
    }
    return offset + bytes.length;
  }

  finishUpload(root: FleetRoot): Promise<Result<ShelvedBundle, string>> {
    return this.finish(UPLOAD, root);
  }

  /** What has come is looked through, and gets its place; what is not whole, or not of this fleet, goes. */
  async finish(id: string, root: FleetRoot): Promise<Result<ShelvedBundle, string>> {
    const path = this.#path(id, ON_ITS_WAY);
    const checked = await checkFile(path, root);
    if (!checked.ok || (id !== UPLOAD && checked.value.id !== id)) {
      rmSync(path, { force: true });
      return checked.ok ? fault("this is another bundle than the one that was asked for") : checked;
    }
    renameSync(path, this.#path(checked.value.id, WHOLE));
    syncDirectory(this.#directory);
    return checked;
  }

  /** Of what lies there nothing stays but these. */
  keepOnly(ids: readonly string[]): void {
    const names = new Set(ids.flatMap((id) => [id + WHOLE, id + ON_ITS_WAY]));
    for (const name of existsSync(this.#directory) ? readdirSync(this.#directory) : []) {
      if (!names.has(name) && name !== UPLOAD + ON_ITS_WAY) rmSync(join(this.#directory, name), { force: true });
    }
  }

  #path(id: string, ending: string): string {
    return join(this.#directory, id + ending);
  }
}

async function checkFile(path: string, root: FleetRoot): Promise<Result<ShelvedBundle, string>> {
  const head = withFile(path, (source) => ({ read: readHead(source, root), bytes: source.bytes }));
  if (!head.read.ok) return head.read;
  const { manifest, partsAt, id } = head.read.value;
  const whole = manifest.parts.reduce((sum, { bytes }) => sum + bytes, partsAt);
  if (head.bytes !== whole) return fault(`the bundle has ${head.bytes} octets, and its manifest says ${whole}`);
  let at = partsAt;
  for (const part of manifest.parts) {
    // Read and reckoned beside everything else that the agent does.
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { start: at, end: at + part.bytes - 1, highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) hash.update(chunk);
    if (hash.digest("hex") !== part.sha256) return fault(`the bundle is damaged: its ${part.name} is not what was signed`);
    at += part.bytes;
  }
  return ok({ id, manifest, bytes: whole });
}
