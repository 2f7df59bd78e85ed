// What an event package is to its notifier.

import type { WallTime } from "../../base/time.ts";
import type { EventPackage, FoundBinding, FoundEventState } from "../ports.ts";

/** What is known of an AoR at a moment. */
export interface Scene {
  readonly aor: string;
  readonly wall: WallTime;
  /** Of the package that is asked for, the living ones. */
  readonly states: readonly FoundEventState[];
  readonly bindings: readonly FoundBinding[];
  /** Node-ID of this box, if its phones are to go to others. */
  readonly goingBox: string | undefined;
}

/** A piece of a document. What differs from the last document by a piece that is new or gone is worth a NOTIFY. */
export interface Part {
  readonly key: string;
  readonly content: string;
  /** It is over: those who knew of it are told once. */
  readonly isFinal: boolean;
}

export interface PackageDefinition {
  readonly name: EventPackage;
  readonly contentType: string;
  /** Only the user itself may watch. */
  readonly isPrivate: boolean;
  /** Whose PUBLISH is taken (RFC 3903). */
  readonly publisher: "nobody" | "the user" | "voice mail";
  parts(scene: Scene): readonly Part[];
  /** `version`: rises with each document of a subscription, from 0. */
  document(aor: string, version: number, contents: readonly string[]): string;
}

/** Of several publications the last one stands: that of the device that its user touched last. */
export function newestOf({ states }: Scene): FoundEventState | undefined {
  let newest: FoundEventState | undefined;
  for (const state of states) {
    if (!state.isFinal && (newest === undefined || publishedAt(state) > publishedAt(newest))) newest = state;
  }
  return newest;
}

const publishedAt = ({ writtenAt }: FoundEventState): number => writtenAt;
