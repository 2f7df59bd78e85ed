// Reads a box's durable.db with nothing of the boxes' own code: another SQLite (Node's own), and the bytes of RFC
// 6940 section 7.1 by hand. What the boxes say of themselves is one witness, this is the other.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DOMAIN } from "../built-ring.ts";
import type { Found } from "./client-log.ts";

const SUBSCRIBER = 0xf0000002;

export interface DiskCopy {
  readonly storageTime: bigint;
  readonly found: Found;
}

/** Where a user lies on the ring: the first 16 bytes of SHA-1 of its AoR. */
export const placeOf = (user: string): string => createHash("sha1").update(`${user}@${DOMAIN}`).digest("hex").slice(0, 32);

/** The subscribers on a box's disk by their place on the ring; tombstones are `absent`. The box may be running. */
export function subscribersOnDisk(dataDirectory: string): ReadonlyMap<string, DiskCopy> {
  const file = join(dataDirectory, "durable.db");
  if (!existsSync(file)) return new Map();
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare("SELECT resource, stored FROM stored WHERE kind = ?").all(SUBSCRIBER);
    return new Map(rows.map(({ resource, stored }) => [String(resource), readStoredData(stored)]));
  } finally {
    database.close();
  }
}

/** length (4), storage_time (8), lifetime (4), exists (1), value's length (4), value, signature. */
function readStoredData(stored: unknown): DiskCopy {
  if (!(stored instanceof Uint8Array)) throw new Error("a row without bytes");
  const bytes = Buffer.from(stored);
  const storageTime = bytes.readBigUInt64BE(4);
  const exists = bytes.readUInt8(16) === 1;
  const value = bytes.subarray(21, 21 + bytes.readUInt32BE(17));
  return { storageTime, found: exists ? numberOf(value) : "absent" };
}

/** Whatever a subscriber's value begins with, its display name, `v` and the number, stands at the end behind its length (2). 0: no number. */
function numberOf(value: Buffer): number {
  const digits = /v(\d+)$/.exec(value.toString("latin1"))?.[1] ?? "";
  const length = digits.length + 1;
  return value.readUInt16BE(value.length - length - 2) === length ? Number(digits) : 0;
}
