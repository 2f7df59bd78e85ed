import { type EntryNote, encodeSummaryAnswer, decodeSummaryRequest, NOTE_BYTES, PAGE_BYTES, type SummaryRequest } from "./arc-summary.ts";
import type { CoreContext } from "./core-context.ts";
import type { KindId, ResourceId } from "./ports.ts";
import type { Arc, RingId } from "./ring.ts";
import type { Received } from "./router.ts";
import { sameDigest } from "./storage/digest.ts";
import type { StoredEntry } from "./storage/entry.ts";
import type { EntryStore } from "./storage/store.ts";

/** Answers what this box holds in an arc. */
export class Summaries {
  readonly #context: CoreContext;
  readonly #store: EntryStore;
  readonly #isInSync: (arc: Arc) => boolean;

  constructor(context: CoreContext, store: EntryStore, isInSync: (arc: Arc) => boolean) {
    this.#context = context;
    this.#store = store;
    this.#isInSync = isInSync;
  }

  answer(received: Received, bytes: Uint8Array): void {
    const request = decodeSummaryRequest(bytes);
    if (!request.ok) return received.refuse("Error_Invalid_Message", request.fault);
    received.hop.clockDifference = request.value.time - this.#context.clock.now();
    received.respond({ type: "exp_a_ans", body: request.value.type === "compare" ? this.#compare(request.value) : this.#list(request.value) });
  }

  #compare({ parts }: Extract<SummaryRequest, { type: "compare" }>): Uint8Array {
    const differing = parts.flatMap(({ arc, digest }, index) => {
      const own = this.#store.digest(arc);
      return sameDigest(own, digest) ? [] : [{ index, count: own.count }];
    });
    const inSync = parts.every(({ arc }) => this.#isInSync(arc));
    return encodeSummaryAnswer({ type: "compared", time: this.#context.clock.now(), inSync, differing });
  }

  #list({ arc, cursor, kind }: Extract<SummaryRequest, { type: "list" }>): Uint8Array {
    const { entries, next } = notesIn(this.#store, arc, cursor, kind);
    return encodeSummaryAnswer({ type: "listed", time: this.#context.clock.now(), inSync: this.#isInSync(arc), entries, next });
  }
}

/** A page of notes: whole resources until the page is full. */
export function notesIn(
  store: EntryStore,
  arc: Arc,
  cursor: RingId,
  kind: KindId,
): { readonly entries: readonly EntryNote[]; readonly next: RingId | undefined } {
  const entries: EntryNote[] = [];
  let bytes = 0;
  let last: ResourceId | undefined;
  for (const resource of store.resourcesIn(arc, cursor)) {
    if (bytes >= PAGE_BYTES) return { entries, next: last };
    last = resource;
    for (const entry of entriesOf(store, resource)) {
      if (kind !== 0 && entry.kind !== kind) continue;
      entries.push(noteOf(entry));
      bytes += NOTE_BYTES + entry.key.length / 2;
    }
  }
  return { entries, next: undefined };
}

export function* entriesOf(store: EntryStore, resource: ResourceId): Generator<StoredEntry, void, void> {
  for (const [, { entries }] of store.kindsOf(resource)) yield* entries.values();
}

const noteOf = ({ resource, kind, key, storedAt, exists, high, low }: StoredEntry): EntryNote => ({
  resource,
  kind,
  key,
  storedAt,
  exists,
  high: high >>> 0,
  low: low >>> 0,
});
