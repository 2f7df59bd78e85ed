import { type Duration, milliseconds } from "../../base/time.ts";
import { REPLICA_READ } from "../replicas/arc-sync.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import type { Entry, KindEntries, KindId, NodeId, ResourceId } from "../ports.ts";
import type { Repair } from "../replicas/repair.ts";
import type { StoredEntry } from "../storage/entry.ts";
import type { Holdings } from "../storage/holdings.ts";
import type { FetchReq, FetchSpecifier, StoreKindData } from "../wire/message-body.ts";
import { ALL_OF, decodeSelection, encodeSelection, type Selection } from "../wire/stored-data.ts";

/** A reader does not wait longer than this for boxes that may know more… */
const GATHER: Duration = milliseconds(500);
/** …so many times; links that are dead end the waiting at once. */
const GATHERINGS = 3;

/** What is read from this box's memory, and from others' where that may not be enough. */
export class Reading {
  readonly #context: CoreContext;
  readonly #exchanges: Exchanges;
  readonly #holdings: Holdings;
  readonly #repair: Repair;

  constructor(parts: { context: CoreContext; exchanges: Exchanges; holdings: Holdings; repair: Repair }) {
    this.#context = parts.context;
    this.#exchanges = parts.exchanges;
    this.#holdings = parts.holdings;
    this.#repair = parts.repair;
  }

  /** As the responsible peer: calls `told` at once, unless it is unsettled who has the newest. */
  asOwner(resource: ResourceId, kinds: readonly KindId[], told: () => void): void {
    const others = this.#repair.othersToAsk(resource);
    if (others.length === 0) return told();
    this.#context.count("read-gathered");
    this.#gather(resource, kinds, others, 1, told);
  }

  /** Brings what the others hold into this box's memory; the newest of each entry stands. */
  #gather(resource: ResourceId, kinds: readonly KindId[], others: readonly NodeId[], attempt: number, told: () => void): void {
    this.ask(resource, kinds, others, GATHER, (answers, late) => {
      for (const { kinds: found, certificates } of answers) {
        const entries = this.#holdings.decode(resource, found, certificates);
        if (entries.ok) for (const entry of entries.value) this.#holdings.accept(entry);
      }
      if (late.length === 0 || attempt >= GATHERINGS) return told();
      this.#gather(resource, kinds, late, attempt + 1, told);
    });
  }

  /**
   * Asks several boxes at once for what they hold, owner or not; tells once, when all have answered or
   * failed. Late are those that are there and did not answer in time.
   */
  ask(
    resource: ResourceId,
    kinds: readonly KindId[],
    others: readonly NodeId[],
    timeout: Duration,
    told: (answers: readonly ReplicaAnswer[], late: readonly NodeId[]) => void,
  ): void {
    const answers: ReplicaAnswer[] = [];
    const late: NodeId[] = [];
    let waiting = others.length;
    if (waiting === 0) return this.#context.soon(() => told([], []));
    const body = this.fetchRequest(resource, kinds);
    const one = (hop: NodeId, outcome: Outcome): void => {
      if (outcome.type === "timeout") late.push(hop);
      if (outcome.type === "answer" && outcome.body.type === "fetch_ans") {
        answers.push({ kinds: outcome.body.kinds, certificates: outcome.message.security.certificates });
      }
      if (--waiting === 0) told(answers, late);
    };
    for (const hop of others) this.#exchanges.request({ hop, body, extensions: [REPLICA_READ], timeout }, (outcome) => one(hop, outcome));
  }

  fetchRequest(resource: ResourceId, kinds: readonly KindId[]): FetchReq {
    return { type: "fetch_req", resource, specifiers: kinds.flatMap((id) => this.#specifier(id)) };
  }
  #specifier(id: KindId): readonly FetchSpecifier[] {
    const kind = this.#context.kind(id);
    return kind === undefined ? [] : [{ kind: id, generation: 0, selection: encodeSelection(ALL_OF[kind.model]) }];
  }

  /** From memory, as others are told it: tombstones included. `undefined`: a kind nobody knows. */
  answer({ resource, specifiers }: Pick<FetchReq, "resource" | "specifiers">): readonly StoreKindData[] | { readonly unknown: readonly KindId[] } {
    const unknown = specifiers.filter(({ kind }) => this.#context.kind(kind) === undefined).map(({ kind }) => kind);
    if (unknown.length > 0) return { unknown };
    return specifiers.map((specifier) => {
      const held = this.#holdings.store.kind(resource, specifier.kind);
      const generation = held?.generation ?? 0;
      const current = specifier.generation !== 0 && specifier.generation === generation;
      const values = current ? [] : this.selected(resource, specifier).map(({ bytes }) => bytes);
      return { kind: specifier.kind, generation, values };
    });
  }

  selected(resource: ResourceId, { kind: id, selection }: FetchSpecifier): readonly StoredEntry[] {
    const kind = this.#context.kind(id);
    const wanted = kind === undefined ? undefined : decodeSelection(selection, kind.model);
    if (wanted?.ok !== true) return [];
    const held = this.#holdings.store.kind(resource, id);
    return held === undefined ? [] : [...held.entries.values()].filter(({ key }) => isSelected(wanted.value, key));
  }

  /** From memory, as users of this box see it. */
  shown(resource: ResourceId, kinds: readonly KindId[]): readonly KindEntries[] {
    return kinds.map((kind) => {
      const held = this.#holdings.store.kind(resource, kind);
      const entries = held === undefined ? [] : [...held.entries.values()];
      return shownEntries(kind, held?.generation ?? 0, entries);
    });
  }
}

export interface ReplicaAnswer {
  readonly kinds: readonly StoreKindData[];
  readonly certificates: readonly Uint8Array[];
}

export const shownEntries = (kind: KindId, generation: number, entries: readonly StoredEntry[]): KindEntries => ({
  kind,
  generation,
  entries: entries
    .filter(({ exists }) => exists)
    .map(shownEntry)
    .sort((a, b) => (a.key < b.key ? -1 : 1)),
  ...(entries.some(({ exists, preface }) => !exists && preface !== undefined) ? { deletions: entries.filter(({ exists }) => !exists).map(shownEntry) } : {}),
});

function shownEntry({ key, content, storedAt, preface, sibling }: StoredEntry): Entry {
  if (preface === undefined) return { key, value: content, storedAt };
  const { version, follows } = preface;
  return { key, value: content, storedAt, history: { version, follows }, ...(sibling?.exists === false ? { isDeletion: true } : {}) };
}

function isSelected(selection: Selection, key: string): boolean {
  switch (selection.model) {
    case "single":
      return true;
    case "array": {
      const index = Number.parseInt(key, 16);
      return selection.ranges.some(({ first, last }) => first <= index && index <= last);
    }
    case "dictionary":
      return selection.keys.length === 0 || selection.keys.includes(key);
  }
}
