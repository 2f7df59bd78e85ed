import { type ComparedPart, type EntryNote, encodeSummaryRequest, MAX_PARTS, type SummaryAnswer, type SummaryRequest, summaryIn } from "./arc-summary.ts";
import { between, type Instant, milliseconds, type WallTime } from "../../base/time.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import type { Membership } from "../members/membership.ts";
import { decodeBundleAnswer, encodeBundle, MAX_BUNDLED } from "./fetch-bundle.ts";
import { Pace } from "./pace.ts";
import type { KindId, NodeId, ResourceId } from "../ports.ts";
import type { Arc, RingId } from "../ring/ring.ts";
import { compareNotes, type StoredEntry } from "../storage/entry.ts";
import { type Holdings, isNews } from "../storage/holdings.ts";
import { EXTENSION } from "../wire/code-points.ts";
import type { MessageExtension } from "../wire/message.ts";
import type { FetchReq, StoreKindData } from "../wire/message-body.ts";
import { ALL_OF, encodeSelection } from "../wire/stored-data.ts";

/** A part with at most so many entries is listed rather than divided further. */
const LISTED_AT_ONCE = 256;

/** Between two bundles so many times as long as the first of them took. */
const REST = 2;

/** Times that one exchange is tried again before the comparison is given up. */
const RETRIES = 2;

export const REPLICA_READ: MessageExtension = { type: EXTENSION.replica_read, critical: false, contents: new Uint8Array(0) };

/** replica_number of values that are offered to whoever should have them; 1 and 2 come from the responsible peer. */
export const OFFERED = 3;

export interface SyncTask {
  readonly partner: NodeId;
  readonly arc: Arc;
  /** Take over what the partner has newer. */
  readonly pull: boolean;
  /** Give it what this box has newer. */
  readonly push: boolean;
}

export interface SyncOutcome {
  /** Everything that was to move has moved. */
  readonly complete: boolean;
  /** What was pushed may have left something there that this box does not have: a sibling of what it took the place of. */
  readonly compareAgain: boolean;
  readonly pulled: number;
  readonly pushed: number;
  /** The partner is responsible for the arc and its replicas have all of it. */
  readonly partnerInSync: boolean;
  /** The partner, too, takes this box to be responsible for the arc. */
  readonly agreed: boolean;
  /** The partner sees the same ring. */
  readonly sameView: boolean;
  /** What the partner must have on disk is there. */
  readonly onDisk: boolean;
}

/** Fetch what the partner has of a resource, or Store there what we have. */
interface Transfer {
  readonly resource: ResourceId;
  readonly kinds: readonly KindId[];
  readonly push: readonly StoredEntry[] | undefined;
  attempts: number;
}

/**
 * Makes two boxes hold the same in one arc: digests first, divided where they differ, then lists page by
 * page, then the entries themselves. This box asks and sets the pace. One mechanism for join, repair,
 * merge and leave.
 */
export class ArcSync {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #holdings: Holdings;
  readonly #task: SyncTask;
  readonly #told: (outcome: SyncOutcome) => void;
  /** Parts still to be compared; those to be listed. BOUNDED: by dividing 16-fold, at most three levels deep. */
  readonly #toCompare: Arc[];
  readonly #toList: Arc[] = [];
  /** BOUNDED: by one page of a list. */
  readonly #transfers: Transfer[] = [];
  readonly #pace = new Pace();
  #underWay = 0;
  #retries = 0;
  #resume: (() => void) | undefined;
  #pulled = 0;
  #pushed = 0;
  #compareAgain = false;
  #partnerInSync = true;
  #agreed = true;
  #sameView = true;
  #onDisk = true;
  #refused = false;
  #over = false;

  constructor(
    parts: { context: CoreContext; membership: Membership; exchanges: Exchanges; holdings: Holdings },
    task: SyncTask,
    told: (outcome: SyncOutcome) => void,
  ) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#holdings = parts.holdings;
    this.#task = task;
    this.#toCompare = [task.arc];
    this.#told = told;
  }

  start(): void {
    this.#next();
  }
  /** Nothing is told any more. */
  abandon(): void {
    this.#over = true;
  }

  #next(): void {
    if (this.#over) return;
    if (this.#toCompare.length > 0) return this.#compare(this.#toCompare.splice(0, MAX_PARTS));
    const arc = this.#toList.shift();
    if (arc !== undefined) return this.#list(arc, arc.after);
    this.#finish(!this.#refused);
  }

  #finish(complete: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#told({
      complete, compareAgain: this.#compareAgain, pulled: this.#pulled, pushed: this.#pushed, partnerInSync: this.#partnerInSync && complete,
      agreed: this.#agreed, sameView: this.#sameView, onDisk: this.#onDisk,
    });
  }

  #compare(arcs: readonly Arc[]): void {
    const parts: readonly ComparedPart[] = arcs.map((arc) => ({ arc, digest: this.#holdings.store.digest(arc) }));
    this.#ask({ type: "compare", ...this.#head(), parts }, (answer) => {
      if (answer.type !== "compared") return this.#finish(false);
      for (const { index, count } of answer.differing) {
        const part = parts[index];
        if (part !== undefined) this.#divide(part, count);
      }
      this.#next();
    });
  }

  #divide({ arc, digest }: ComparedPart, theirCount: number): void {
    const pieces = Math.max(digest.count, theirCount) <= LISTED_AT_ONCE ? [arc] : this.#holdings.store.split(arc, MAX_PARTS);
    if (pieces.length === 1) this.#toList.push(arc);
    else this.#toCompare.push(...pieces);
  }

  #list(arc: Arc, cursor: RingId): void {
    this.#ask({ type: "list", ...this.#head(), arc, cursor, kind: 0 }, (answer) => {
      if (answer.type !== "listed") return this.#finish(false);
      const { next } = answer;
      this.#plan({ after: cursor, upTo: next ?? arc.upTo }, cursor === arc.after && next === undefined ? arc : undefined, answer.entries);
      this.#resume = next === undefined ? () => this.#next() : () => this.#list(arc, next);
      this.#pump();
    });
  }

  /** What must move so that both hold the newest of the listed stretch. */
  #plan(stretch: Arc, wholeArc: Arc | undefined, notes: readonly EntryNote[]): void {
    const { store } = this.#holdings;
    const listed = new Map<ResourceId, Map<string, EntryNote>>();
    for (const note of notes) {
      const held = store.find(note.resource, note.kind, note.key);
      const place = `${note.kind} ${note.key}`;
      const resource = listed.get(note.resource) ?? new Map<string, EntryNote>();
      listed.set(note.resource, resource.set(place, note));
      const isNewer = held === undefined || compareNotes(note, held) > 0;
      if ((this.#task.pull && isNewer) || (held !== undefined && this.#mustMeet(held, note))) this.#planPull(note);
    }
    if (!this.#task.push) return;
    for (const resource of store.resourcesIn(wholeArc ?? stretch)) {
      const theirs = listed.get(resource);
      const push = [...store.entriesOf(resource)].filter((entry) => {
        const note = theirs?.get(`${entry.kind} ${entry.key}`);
        return note === undefined || compareNotes(entry, note) > 0 || this.#mustMeet(entry, note);
      });
      if (push.length > 0) this.#transfers.push({ resource, kinds: [], push, attempts: 0 });
    }
  }

  /** Two versions of a value that keeps siblings: the older one is not over only because the newer one is newer. */
  #mustMeet(held: StoredEntry, note: EntryNote): boolean {
    return this.#context.kind(held.kind)?.siblings !== undefined && compareNotes(note, held) !== 0;
  }

  #planPull({ resource, kind }: EntryNote): void {
    const last = this.#transfers.at(-1);
    if (last?.resource !== resource || last.push !== undefined) this.#transfers.push({ resource, kinds: [kind], push: undefined, attempts: 0 });
    else if (!last.kinds.includes(kind)) this.#transfers[this.#transfers.length - 1] = { ...last, kinds: [...last.kinds, kind] };
  }

  #pump(): void {
    if (this.#over) return;
    for (let room = this.#pace.window - this.#underWay; room > 0; room = this.#pace.window - this.#underWay) {
      const [transfer, ...others] = this.#takeTransfers(room);
      if (transfer === undefined) break;
      this.#underWay += 1 + others.length;
      if (transfer.push !== undefined) this.#store(transfer, transfer.push);
      else if (others.length > 0) this.#fetchMany([transfer, ...others]);
      else this.#fetch(transfer);
    }
    if (this.#underWay > 0 || this.#transfers.length > 0) return;
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** The next one, or the next few to be fetched; what failed before goes alone, so that it keeps nothing else. */
  #takeTransfers(room: number): readonly Transfer[] {
    const isBundled = ({ push, attempts }: Transfer): boolean => push === undefined && attempts === 0;
    const alone = this.#transfers.findIndex((transfer) => !isBundled(transfer));
    const together = Math.min(alone < 0 ? this.#transfers.length : alone, room, MAX_BUNDLED);
    return this.#transfers.splice(0, Math.max(1, together));
  }

  #fetchOf({ resource, kinds }: Transfer): FetchReq {
    const specifiers = kinds.flatMap((id) => {
      const kind = this.#context.kind(id);
      return kind === undefined ? [] : [{ kind: id, generation: 0, selection: encodeSelection(ALL_OF[kind.model]) }];
    });
    return { type: "fetch_req", resource, specifiers };
  }

  #fetchMany(transfers: readonly Transfer[]): void {
    const body = { type: "exp_a_req", body: encodeBundle(transfers.map((transfer) => this.#fetchOf(transfer))) } as const;
    const sent = this.#context.now;
    this.#exchanges.request({ hop: this.#task.partner, body, timeout: this.#context.settings.timing.attempt }, (outcome) => {
      const answers = outcome.type === "answer" && outcome.body.type === "exp_a_ans" ? decodeBundleAnswer(outcome.body.body) : undefined;
      if (outcome.type !== "answer" || answers?.ok !== true || answers.value.length === 0) return this.#bundleFailed(transfers, outcome, sent);
      const { certificates } = outcome.message.security;
      const left: Transfer[] = [];
      transfers.forEach((transfer, index) => {
        const answer = answers.value[index];
        if (answer === undefined) left.push(transfer);
        else this.#pulled += this.#takeOver(transfer.resource, answer.kinds.map(copied), certificates);
      });
      this.#transfers.unshift(...left);
      this.#pace.answered(sent, this.#context.now, transfers.length - left.length);
      this.#rest(sent, () => this.#ended(transfers.length));
    });
  }
  /** A bundle is as much work as many phones: whoever gave it has time for those before it is asked for the next. */
  #rest(sent: Instant, then: () => void): void {
    const took = between(sent, this.#context.now);
    if (took === 0) then();
    else this.#context.later({ rest: then }, milliseconds(REST * took), then);
  }
  #bundleFailed(transfers: readonly Transfer[], outcome: Outcome, sent: Instant): void {
    this.#pace.lost(sent, this.#context.now);
    if (outcome.type === "unreachable") return this.#finish(false);
    for (const transfer of transfers) this.#transfers.push({ ...transfer, attempts: transfer.attempts + 1 });
    this.#ended(transfers.length);
  }

  #fetch(transfer: Transfer): void {
    const body = this.#fetchOf(transfer);
    const sent = this.#context.now;
    this.#exchanges.request({ hop: this.#task.partner, body, extensions: [REPLICA_READ], timeout: this.#context.settings.timing.attempt }, (outcome) => {
      if (outcome.type === "answer" && outcome.body.type === "fetch_ans") {
        this.#pulled += this.#takeOver(transfer.resource, outcome.body.kinds, outcome.message.security.certificates);
        return this.#transferred(sent);
      }
      this.#transferFailed(transfer, outcome, sent);
    });
  }

  #takeOver(resource: ResourceId, kinds: readonly StoreKindData[], certificates: readonly Uint8Array[]): number {
    let count = 0;
    for (const kind of kinds) {
      const entries = this.#holdings.decode(resource, [kind], certificates);
      if (!entries.ok) this.#context.count("replica-value-refused");
      else for (const entry of entries.value) if (isNews(this.#holdings.accept(entry, kind.generation))) count++;
    }
    return count;
  }

  #store(transfer: Transfer, entries: readonly StoredEntry[]): void {
    const kinds = groupByKind(entries, (kind) => this.#holdings.store.kind(transfer.resource, kind)?.generation ?? 1);
    const body = { type: "store_req", resource: transfer.resource, replicaNumber: OFFERED, kinds } as const;
    const certificates = this.#holdings.certificatesFor(kinds);
    const sent = this.#context.now;
    this.#exchanges.request({ hop: this.#task.partner, body, certificates, timeout: this.#context.settings.timing.attempt }, (outcome) => {
      if (outcome.type === "answer") {
        this.#pushed += entries.length;
        this.#compareAgain ||= entries.some(({ preface }) => preface !== undefined);
        return this.#transferred(sent);
      }
      this.#transferFailed(transfer, outcome, sent);
    });
  }

  #transferred(sent: Instant): void {
    this.#pace.answered(sent, this.#context.now);
    this.#ended();
  }
  #ended(count = 1): void {
    this.#underWay -= count;
    this.#pump();
  }
  #transferFailed(transfer: Transfer, outcome: Outcome, sent: Instant): void {
    this.#pace.lost(sent, this.#context.now);
    if (outcome.type === "unreachable" || (transfer.attempts >= RETRIES && outcome.type !== "error")) return this.#finish(false);
    if (transfer.attempts++ >= RETRIES) {
      // One resource that is refused does not keep the others.
      this.#refused = true;
      this.#context.count("transfer-refused");
      return this.#ended();
    }
    this.#transfers.push(transfer);
    this.#ended();
  }

  #head(): { time: WallTime; view: number } {
    return { time: this.#context.clock.now(), view: this.#membership.view.tag };
  }

  #ask(request: SummaryRequest, told: (answer: SummaryAnswer) => void): void {
    const body = { type: "exp_a_req", body: encodeSummaryRequest(request) } as const;
    const asked = this.#context.now;
    this.#exchanges.request({ hop: this.#task.partner, body, timeout: this.#context.settings.timing.attempt }, (outcome) => {
      if (this.#over) return;
      const answer = summaryIn(outcome);
      if (answer !== undefined) {
        this.#retries = 0;
        this.#partnerInSync &&= answer.inSync;
        this.#agreed &&= answer.agreed;
        this.#sameView &&= answer.view === this.#membership.view.tag;
        this.#onDisk &&= answer.onDisk;
        const member = this.#membership.find(this.#task.partner);
        if (member !== undefined) this.#membership.heardClock(member, answer.time + between(asked, this.#context.now) / 2);
        return told(answer);
      }
      if (outcome.type === "timeout" && this.#retries++ < RETRIES) return this.#ask(request, told);
      this.#finish(false);
    });
  }
}

/** So that a value that is kept does not keep the whole bundle. */
const copied = ({ kind, generation, values }: StoreKindData): StoreKindData => ({ kind, generation, values: values.map((value) => value.slice()) });

export function groupByKind(entries: readonly StoredEntry[], generation: (kind: KindId) => number): readonly StoreKindData[] {
  const kinds = new Map<KindId, Uint8Array[]>();
  for (const { kind, bytes } of entries) {
    const values = kinds.get(kind);
    if (values === undefined) kinds.set(kind, [bytes]);
    else values.push(bytes);
  }
  return [...kinds].map(([kind, values]) => ({ kind, generation: generation(kind), values }));
}
