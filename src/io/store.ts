import type { OverlayEffect, OverlayInput, StoredRow } from "../overlay/ports.ts";

export type PersistCommand = Extract<OverlayEffect, { type: "persist" }>;
export type PersistEvent = Extract<OverlayInput, { type: "persisted" | "persist-failed" }>;

/** The two databases of a box, written by a thread of their own. */
export declare class Store {
  constructor(settings: {
    /** The data directory. */
    readonly directory: string;
    readonly onInput: (input: PersistEvent) => void;
    readonly onReport: (level: "info" | "warning", text: string) => void;
  });
  /** Opens or makes the databases and reads every row that is whole. Rejects with a plain sentence. */
  open(): Promise<readonly StoredRow[]>;
  persist(commands: readonly PersistCommand[]): void;
  /** Writes what waits, and closes. */
  close(): Promise<void>;
}
