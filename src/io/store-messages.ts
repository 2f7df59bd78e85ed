// What the store and its thread say to each other.

import type { Durability, StoredRow } from "../overlay/ports.ts";
import type { RowKey } from "./stored-rows.ts";

/** One `persist` on its way to the thread. */
export interface WriteRequest {
  readonly ticket: number | undefined;
  readonly durability: Durability;
  readonly puts: readonly StoredRow[];
  readonly removals: readonly RowKey[];
}

export type ToWorker =
  | { readonly type: "write"; readonly requests: readonly WriteRequest[] }
  /** What is in the durable database now is to be copied beside it. */
  | { readonly type: "set-aside" }
  | { readonly type: "close" };

export type FromWorker =
  /** `damaged`: rows that were not as they were written, without those. */
  | { readonly type: "opened"; readonly rows: readonly StoredRow[]; readonly damaged: readonly RowKey[] }
  | { readonly type: "unusable"; readonly reason: string }
  | { readonly type: "persisted"; readonly tickets: readonly number[] }
  | { readonly type: "failed"; readonly tickets: readonly number[]; readonly reason: string }
  /** Rows found damaged while the box runs; they are not on disk any more. */
  | { readonly type: "damaged"; readonly rows: readonly RowKey[] }
  /** A database was closed in doubt and opened again: what is to be in it must be written anew. */
  | { readonly type: "renewed"; readonly durability: Durability }
  | { readonly type: "report"; readonly level: "info" | "warning"; readonly text: string }
  | { readonly type: "closed" };
