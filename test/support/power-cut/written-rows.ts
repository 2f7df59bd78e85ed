// Rows that tell which write they are of, and what of them must still be there after a cut.

import assert from "node:assert/strict";
import type { ResourceId, StoredRow } from "../../../src/overlay/ports.ts";
import { SeededRandom } from "../seeded-random.ts";

const KIND = 0xf0000002;
const resourceOf = (name: number): ResourceId => name.toString(16).padStart(32, "0") as ResourceId;

/** The row that a write with this ticket puts under a name. */
export function rowOf(name: number, ticket: number): StoredRow {
  const luck = new SeededRandom(ticket);
  const stored = luck.bytes(80 + luck.below(900));
  new DataView(stored.buffer).setUint32(0, ticket);
  return { resource: resourceOf(name), kind: KIND, key: "", stored };
}

interface Asked {
  readonly ticket: number;
  readonly isPut: boolean;
}

/** Names whose row is not what was acknowledged last, nor anything that was asked for later. */
export function lostRows(said: readonly string[], rows: readonly StoredRow[]): readonly string[] {
  const asked = new Map<number, Asked[]>();
  const acknowledged = new Set<number>();
  for (const line of said) {
    const [verb, ticket = "", what, name] = line.split(" ");
    if (verb === "acknowledged") acknowledged.add(Number(ticket));
    if (verb === "asked") asked.set(Number(name), [...(asked.get(Number(name)) ?? []), { ticket: Number(ticket), isPut: what === "put" }]);
  }
  const found = new Map(rows.map((row) => [row.resource, row]));
  return [...asked].flatMap(([name, writes]) => {
    const last = writes.findLastIndex(({ ticket }) => acknowledged.has(ticket));
    const possible = writes.slice(Math.max(0, last));
    const row = found.get(resourceOf(name));
    const ticket = row === undefined ? undefined : new DataView(row.stored.buffer, row.stored.byteOffset).getUint32(0);
    if (row !== undefined && ticket !== undefined) assert.deepEqual(row, rowOf(name, ticket), "a row that nobody wrote");
    const isPossible = ticket === undefined ? last < 0 || possible.some(({ isPut }) => !isPut) : possible.some((write) => write.isPut && write.ticket === ticket);
    return isPossible ? [] : [`name ${name}: ticket ${ticket ?? "none"}, acknowledged ${writes[last]?.ticket ?? "none"}`];
  });
}
