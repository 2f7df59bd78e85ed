// What the store and its thread say to each other.

import type { Durability, StoredRow } from "../overlay/ports.ts";

/** One `persist` on its way to the thread. */
export interface WriteRequest {
  readonly ticket: number | undefined;
  readonly durability: Durability;
  readonly puts: readonly StoredRow[];
  readonly removals: readonly Omit<StoredRow, "stored">[];
}

export type ToWorker =
  | { readonly type: "write"; readonly requests: readonly WriteRequest[] }
  | { readonly type: "close" };

export type FromWorker =
  | { readonly type: "opened"; readonly rows: readonly StoredRow[] }
  | { readonly type: "unusable"; readonly reason: string }
  | { readonly type: "persisted"; readonly tickets: readonly number[] }
  | { readonly type: "failed"; readonly tickets: readonly number[]; readonly reason: string }
  | { readonly type: "report"; readonly level: "info" | "warning"; readonly text: string }
  | { readonly type: "closed" };
