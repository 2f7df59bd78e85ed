import { type EntryNote, encodeSummaryAnswer, decodeSummaryRequest, NOTE_BYTES, PAGE_BYTES, type SummaryAnswer, type SummaryRequest } from "./arc-summary.ts";
import type { CoreContext } from "../core-context.ts";
import type { Member, Membership } from "../members/membership.ts";
import type { KindId, NodeId, ResourceId } from "../ports.ts";
import { type Arc, nextId, type RingId } from "../ring/ring.ts";
import type { Received } from "../routing/router.ts";
import { sameDigest } from "../storage/digest.ts";
import type { StoredEntry } from "../storage/entry.ts";
import type { Holdings } from "../storage/holdings.ts";
import type { EntryStore } from "../storage/store.ts";

/** Answers what this box holds in an arc. */
export class Summaries {
  readonly #context: CoreContext;
  readonly #holdings: Holdings;
  readonly #store: EntryStore;
  readonly #membership: Membership;
  readonly #isInSync: (arc: Arc) => boolean;
  readonly #tellWhomWeKnow: (member: NodeId) => void;

  constructor(
    parts: { context: CoreContext; membership: Membership; holdings: Holdings; tellWhomWeKnow: (member: NodeId) => void },
    isInSync: (arc: Arc) => boolean,
  ) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#holdings = parts.holdings;
    this.#store = parts.holdings.store;
    this.#tellWhomWeKnow = parts.tellWhomWeKnow;
    this.#isInSync = isInSync;
  }

  answer(received: Received, asker: Member, bytes: Uint8Array): void {
    const request = decodeSummaryRequest(bytes);
    if (!request.ok) return received.refuse("Error_Invalid_Message", request.fault);
    this.#membership.heardClock(asker, request.value.time);
    // Those on their way in hear it with the answer to their Join.
    if (this.#membership.view.has(asker.nodeId) && request.value.view !== this.#membership.view.tag) this.#tellWhomWeKnow(asker.nodeId);
    received.respond({ type: "exp_a_ans", body: this.#answerTo(request.value, received.sender) });
  }
  #answerTo(request: SummaryRequest, asker: NodeId): Uint8Array {
    const arcs = request.type === "compare" ? request.parts.map(({ arc }) => arc) : [request.arc];
    const inSync = arcs.every((arc) => this.#isInSync(arc));
    const agreed = arcs.every((arc) => this.#isResponsible(asker, arc));
    const head = { time: this.#context.clock.now(), view: this.#membership.view.tag, inSync, agreed, onDisk: this.#holdings.disk.isWhole };
    return encodeSummaryAnswer(request.type === "compare" ? { ...head, ...this.#compare(request) } : { ...head, ...this.#list(request) });
  }
  #isResponsible(asker: NodeId, { after, upTo }: Arc): boolean {
    const { view } = this.#membership;
    return view.owner(upTo) === asker && view.owner(nextId(after)) === asker;
  }

  #compare({ parts }: Extract<SummaryRequest, { type: "compare" }>): Compared {
    const differing = parts.flatMap(({ arc, digest }, index) => {
      const own = this.#store.digest(arc);
      return sameDigest(own, digest) ? [] : [{ index, count: own.count }];
    });
    return { type: "compared", differing };
  }

  #list({ arc, cursor, kind }: Extract<SummaryRequest, { type: "list" }>): Listed {
    return { type: "listed", ...notesIn(this.#store, arc, cursor, kind) };
  }
}

type Head = "time" | "view" | "inSync" | "agreed" | "onDisk";
type Compared = Omit<Extract<SummaryAnswer, { type: "compared" }>, Head>;
type Listed = Omit<Extract<SummaryAnswer, { type: "listed" }>, Head>;

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
    for (const entry of store.entriesOf(resource)) {
      if (kind !== 0 && entry.kind !== kind) continue;
      entries.push(noteOf(entry));
      bytes += NOTE_BYTES + entry.key.length / 2;
    }
  }
  return { entries, next: undefined };
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
