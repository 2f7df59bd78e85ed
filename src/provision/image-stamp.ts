// Where a flashable image keeps its ticket and its settings: files of a fixed size on the small FAT volume that any
// desktop shows. They are found by reading the partition table and the volume, and overwritten in place: nothing is
// mounted, no byte outside the two files changes.

import { fault, ok, type Result } from "../base/result.ts";

/** Octets of the image, relative to the start of what was read. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

const SECTOR = 512;
const CONFIG_NAME = "ringbox-config";
const ENTRY = 32;
const LONG_NAME = 0x0f;
const LAST_CLUSTER = 0xfff8;
/** Clusters of one file; the stamp areas have 32 at most. */
const CLUSTERS_MAX = 4_096;
const TABLE_ENTRIES_MAX = 128;

/** The volume with ticket and settings, from the first megabyte of an image. */
export function findConfigVolume(head: Uint8Array): Result<Extent, string> {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 40 * SECTOR || latin1(head, SECTOR, 8) !== "EFI PART") return fault("this is no disk image: it has no GUID partition table");
  const table = Number(view.getBigUint64(SECTOR + 72, true)) * SECTOR;
  const count = Math.min(view.getUint32(SECTOR + 80, true), TABLE_ENTRIES_MAX);
  const size = view.getUint32(SECTOR + 84, true);
  for (let index = 0; index < count; index++) {
    const at = table + index * size;
    if (at + 128 > head.length) break;
    if (utf16(view, at + 56, 36) !== CONFIG_NAME) continue;
    const first = Number(view.getBigUint64(at + 32, true));
    const last = Number(view.getBigUint64(at + 40, true));
    return ok({ offset: first * SECTOR, length: (last - first + 1) * SECTOR });
  }
  return fault("this image is no Ringbox: it has no settings partition");
}

/** The parts of a file in the root directory of a FAT16 volume, in order; together they are as long as the file. */
export function findFile(volume: Uint8Array, name: string): Result<readonly Extent[], string> {
  const view = new DataView(volume.buffer, volume.byteOffset, volume.byteLength);
  if (volume.length < SECTOR || view.getUint16(510, true) !== 0xaa55 || view.getUint16(22, true) === 0) return fault("the settings partition is no FAT16 volume");
  const sectorBytes = view.getUint16(11, true);
  const clusterBytes = view.getUint8(13) * sectorBytes;
  const fat = view.getUint16(14, true) * sectorBytes;
  const root = fat + view.getUint8(16) * view.getUint16(22, true) * sectorBytes;
  const entries = view.getUint16(17, true);
  const firstCluster = root + entries * ENTRY;
  if (clusterBytes === 0 || firstCluster > volume.length) return fault("the settings partition is damaged");
  const entry = directoryEntry(view, volume, root, entries, name);
  if (entry === undefined) return fault(`the settings partition has no ${name}`);
  const extents: Extent[] = [];
  let cluster = entry.cluster;
  for (let left = entry.size; left > 0; left -= clusterBytes) {
    const offset = firstCluster + (cluster - 2) * clusterBytes;
    if (cluster < 2 || cluster >= LAST_CLUSTER || offset + clusterBytes > volume.length || extents.length >= CLUSTERS_MAX) return fault(`${name} on the settings partition is damaged`);
    extents.push({ offset, length: Math.min(left, clusterBytes) });
    cluster = view.getUint16(fat + cluster * 2, true);
  }
  return ok(extents);
}

/** The entry whose long name is `name`: its pieces stand before it, the last first. */
function directoryEntry(view: DataView, volume: Uint8Array, root: number, entries: number, name: string): { readonly cluster: number; readonly size: number } | undefined {
  let long = "";
  for (let at = root; at < root + entries * ENTRY; at += ENTRY) {
    const first = volume[at] ?? 0;
    if (first === 0) return undefined;
    if (first === 0xe5) long = "";
    else if (volume[at + 11] === LONG_NAME) long = `${utf16(view, at + 1, 5)}${utf16(view, at + 14, 6)}${utf16(view, at + 28, 2)}${(first & 0x40) === 0 ? long : ""}`;
    else {
      if (long === name) return { cluster: view.getUint16(at + 26, true), size: view.getUint32(at + 28, true) };
      long = "";
    }
  }
  return undefined;
}

/** `text` filled up with line breaks to the length of its file; an editor shows it as if it ended there. */
export function padded(text: string, extents: readonly Extent[]): Result<Uint8Array, string> {
  const length = extents.reduce((sum, extent) => sum + extent.length, 0);
  if (text.length > length) return fault(`it has ${text.length} characters, and the image has room for ${length}`);
  return ok(Uint8Array.from({ length }, (_, i) => (i < text.length ? text.charCodeAt(i) : 0x0a)));
}

export interface ImageSettings {
  readonly zone?: string | undefined;
  readonly hostnamePrefix?: string | undefined;
}

/** The settings file with these lines in place of those of the same name, or behind all others. */
export function withSettings(text: string, { zone, hostnamePrefix }: ImageSettings): string {
  const wanted = Object.entries({ zone, "hostname-prefix": hostnamePrefix }).filter(([, value]) => value !== undefined);
  const kept = text.split("\n").filter((line) => !wanted.some(([name]) => line.trimStart().startsWith(`${name} =`) || line.startsWith(`#${name} =`)));
  while (kept.at(-1) === "") kept.pop();
  return `${[...kept, ...wanted.map(([name, value]) => `${name} = ${value}`)].join("\n")}\n`;
}

const latin1 = (bytes: Uint8Array, at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));

/** Up to the first zero. */
function utf16(view: DataView, at: number, units: number): string {
  let text = "";
  for (let i = 0; i < units; i++) {
    const unit = view.getUint16(at + i * 2, true);
    if (unit === 0 || unit === 0xffff) break;
    text += String.fromCharCode(unit);
  }
  return text;
}
