// The bundle that brings a box to another version: a head with two signatures, then the parts of one slot, end to end.
//
//   "RINGBOX-BUNDLE-1" | length of the head, 4 octets | head | verity | root | kernel
//   head: update key statement, its signature, manifest, its signature; each behind its length, 4 octets
//
// The fleet's root key signs the update key, which can then be kept elsewhere; the update key signs the manifest, which
// names length and SHA-256 of each part. What is not signed is not parsed: only lengths are read before the signatures hold.

import { parseBase64, toBase64 } from "../base/base64.ts";
import { ByteReader, ByteWriter, concatBytes, DecodeError, fromOctets, fromUtf8Octets, toOctets, utf8Octets } from "../base/bytes.ts";
import { fault, ok, type Result } from "../base/result.ts";
import { compareVersions, isVersion } from "./version.ts";

/** In the order in which they lie in the bundle: what the kernel command line names is there before the kernel is. */
export const PARTS = ["verity", "root", "kernel"] as const;
export type PartName = (typeof PARTS)[number];

export const ARCHITECTURES = ["x86-64", "arm64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export interface BundlePart {
  readonly name: PartName;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface UpdateManifest {
  /** Overlay name of the fleet that it is for. */
  readonly fleet: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** A box that has committed to this version takes none below this one any more. */
  readonly floor: string;
  /** Root hash of dm-verity: the partitions are named by its halves. Lower-case hex. */
  readonly rootHash: string;
  /** As `PARTS` orders them. */
  readonly parts: readonly BundlePart[];
}

/** Says whose the update key is; the fleet's root key signs it. */
export interface UpdateKeyStatement {
  readonly fleet: string;
  /** When the key was made, whole seconds since 1970; 0: it does not say. A box that has kept a version takes no key any more that is older than its. */
  readonly made: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

/** What was signed, with its signature (ECDSA P-256 with SHA-256, DER). */
export interface Signed {
  readonly content: Uint8Array;
  readonly signature: Uint8Array;
}

export interface BundleHead {
  readonly key: Signed;
  readonly manifest: Signed;
  /** Where the first part begins. */
  readonly partsAt: number;
}

/** What the signatures of a bundle hold for. */
export interface ReadBundle {
  readonly manifest: UpdateManifest;
  /** When the key that signed it was made, whole seconds since 1970. */
  readonly keyMade: number;
  /** Where its first part begins. */
  readonly partsAt: number;
}

const MAGIC = "RINGBOX-BUNDLE-1";
/** Octets before the head. */
export const PREFIX_BYTES = MAGIC.length + 4;
export const BUNDLE_HEAD_MAX = 16_384;
/** What its place on a box holds: three quarters of the root's slot, the slot of the hashes, a third of the boot partition. */
export const PART_LIMITS: Readonly<Record<PartName, number>> = { verity: 16 << 20, root: 576 << 20, kernel: 80 << 20 };
const FORMAT = 1;
const KEY_PURPOSE = "ringbox update key 1\n";
const MANIFEST_PURPOSE = "ringbox update manifest 1\n";

/** What is signed begins with its purpose, so that nothing else the fleet's key signed passes for it. */
export const keySignatureInput = (statement: Uint8Array): Uint8Array => concatBytes(fromOctets(KEY_PURPOSE), statement);
export const manifestSignatureInput = (manifest: Uint8Array): Uint8Array => concatBytes(fromOctets(MANIFEST_PURPOSE), manifest);

/** Length of the head, from the first `PREFIX_BYTES` of a bundle. */
export function parsePrefix(prefix: Uint8Array): Result<number, string> {
  if (prefix.length < PREFIX_BYTES || toOctets(prefix.subarray(0, MAGIC.length)) !== MAGIC) return fault("this is no Ringbox bundle");
  const length = new ByteReader(prefix.subarray(MAGIC.length, PREFIX_BYTES)).u32();
  return length <= BUNDLE_HEAD_MAX ? ok(length) : fault("the bundle is damaged: its head is longer than any of ours");
}

export function parseHead(bytes: Uint8Array): Result<BundleHead, string> {
  try {
    const reader = new ByteReader(bytes);
    const next = (): Uint8Array => reader.bytes(reader.u32());
    const head = { key: { content: next(), signature: next() }, manifest: { content: next(), signature: next() }, partsAt: PREFIX_BYTES + bytes.length };
    reader.end();
    return ok(head);
  } catch (error) {
    if (error instanceof DecodeError) return fault("the bundle is damaged: its head is not whole");
    throw error;
  }
}

/** The bundle up to its first part. */
export function serializeHead(key: Signed, manifest: Signed): Uint8Array {
  const head = new ByteWriter();
  for (const field of [key.content, key.signature, manifest.content, manifest.signature]) head.u32(field.length).octets(toOctets(field));
  return new ByteWriter().octets(MAGIC).u32(head.length).octets(toOctets(head.finish())).finish();
}

export const serializeKeyStatement = ({ fleet, made, publicKey }: UpdateKeyStatement): Uint8Array =>
  jsonBytes({ format: FORMAT, fleet, made, key: toBase64(publicKey) });

/** Of what the root key has signed. */
export function parseKeyStatement(bytes: Uint8Array): Result<UpdateKeyStatement, string> {
  const json = exactObject(bytes, ["format", "fleet", "made", "key"]) ?? exactObject(bytes, ["format", "fleet", "key"]);
  const made = json?.["made"] ?? 0;
  const publicKey = typeof json?.["key"] === "string" ? parseBase64(json["key"]) : undefined;
  if (json?.["format"] !== FORMAT || typeof json["fleet"] !== "string" || publicKey === undefined || !isTime(made)) return fault("the update key is not one that this version knows");
  return ok({ fleet: json["fleet"], made, publicKey });
}

export const serializeManifest = ({ fleet, version, architecture, floor, rootHash, parts }: UpdateManifest): Uint8Array =>
  jsonBytes({ format: FORMAT, fleet, version, architecture, floor, rootHash, parts: parts.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })) });

/** Of what the update key has signed: exactly the fields of this format, each of its kind. */
export function parseManifest(bytes: Uint8Array): Result<UpdateManifest, string> {
  const json = exactObject(bytes, ["format", "fleet", "version", "architecture", "floor", "rootHash", "parts"]);
  if (json?.["format"] !== FORMAT) return fault("the bundle is of a format that this version does not know");
  const { fleet, version, architecture, floor, rootHash, parts: list } = json;
  const known = ARCHITECTURES.find((name) => name === architecture);
  const parts = Array.isArray(list) ? list.map(partOf).filter((part) => part !== undefined) : [];
  if (typeof fleet !== "string" || !isVersion(version) || !isVersion(floor) || !isHash(rootHash) || known === undefined) return fault("the bundle's manifest is not one that this version knows");
  if (parts.length !== PARTS.length || !Array.isArray(list) || list.length !== PARTS.length || parts.some(({ name }, index) => name !== PARTS[index])) {
    return fault(`the bundle does not hold ${PARTS.join(", ")}, in this order`);
  }
  const tooLarge = parts.find((part) => part.bytes > PART_LIMITS[part.name]);
  if (tooLarge !== undefined) return fault(`the bundle's ${tooLarge.name} does not fit into its place on a box`);
  if (compareVersions(floor, version) > 0) return fault("the bundle's floor is above its own version");
  return ok({ fleet, version, architecture: known, floor, rootHash, parts });
}

/** The box that is to take it. */
export interface UpdatableBox {
  readonly fleet: string;
  readonly architecture: Architecture;
  /** None below it is taken. */
  readonly floor: string;
  /** Update keys made before are called back; whole seconds since 1970. */
  readonly keysFrom: number;
}

/** Why this box does not take it; `undefined` if it does. `keyMade`: of the key that signed it; `length`: of the whole bundle. */
export function refusal({ manifest, keyMade, partsAt }: ReadBundle, length: number, box: UpdatableBox): string | undefined {
  if (manifest.fleet !== box.fleet) return "the bundle is for another fleet";
  if (manifest.architecture !== box.architecture) return `the bundle is for ${manifest.architecture}, and this box is ${box.architecture}`;
  if (keyMade < box.keysFrom) return "the bundle is signed by an update key that was replaced by a newer one";
  if (compareVersions(manifest.version, box.floor) < 0) return `the bundle is version ${manifest.version}, and this box goes back to ${box.floor} at most`;
  const whole = manifest.parts.reduce((sum, { bytes }) => sum + bytes, partsAt);
  if (length < whole) return `the bundle was cut short: ${whole - length} of its ${whole} octets are missing`;
  if (length > whole) return `the bundle has ${length - whole} octets behind its end`;
  return undefined;
}

function partOf(value: unknown): BundlePart | undefined {
  if (typeof value !== "object" || value === null || Object.keys(value).sort().join() !== "bytes,name,sha256") return undefined;
  const { name, bytes, sha256 } = value as Readonly<Record<string, unknown>>;
  const known = PARTS.find((part) => part === name);
  if (known === undefined || typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 1 || !isHash(sha256)) return undefined;
  return { name: known, bytes, sha256 };
}

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

const isHash = (value: unknown): value is string =>
  typeof value === "string" && value.length === 64 && [...value].every((digit) => "0123456789abcdef".includes(digit));

const jsonBytes = (value: unknown): Uint8Array => fromOctets(utf8Octets(JSON.stringify(value)));

/** An object with these fields and no others. */
function exactObject(bytes: Uint8Array, names: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(fromUtf8Octets(toOctets(bytes)));
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return Object.keys(value).sort().join() === [...names].sort().join() ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined; // not JSON: the writer's fault, a value
  }
}
