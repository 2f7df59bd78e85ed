import { BoundedMap } from "../../base/bounded-map.ts";
import { after, between, type Duration, type Instant, milliseconds, wallTime } from "../../base/time.ts";
import type { Awakening } from "../members/awakening.ts";
import type { CoreContext } from "../core-context.ts";
import type { Exchanges, Outcome } from "../routing/exchanges.ts";
import type { Membership } from "../members/membership.ts";
import type {
  EntryChange,
  FetchOutcome,
  KindDefinition,
  KindEntries,
  KindId,
  NodeId,
  OperationFault,
  OverlayInput,
  ResourceId,
  StoreOutcome,
} from "../ports.ts";
import { type Reading, type ReplicaAnswer, shownEntries } from "./reading.ts";
import type { Topology } from "../ring/topology.ts";
import { NOT_RESPONSIBLE } from "../routing/router.ts";
import { compareEntries, decodeEntry, placeOf, type StoredEntry } from "../storage/entry.ts";
import { withPreface } from "../storage/history.ts";
import { NOT_DURABLE, type Storing } from "../replicas/storing.ts";
import { ERROR } from "../wire/code-points.ts";
import type { StoreKindData } from "../wire/message-body.ts";
import { NO_SIGNATURE } from "../wire/security-block.ts";
import { encodeStoredData, signStoredData } from "../wire/stored-data.ts";

/** Fetches and Stores of this box under way; above, the oldest fails as timed out. */
const MAX_OPERATIONS = 65_536;

/** Between two attempts when nothing tells that the next will go better. */
const RETRY: Duration = milliseconds(100);

/** Attempts in which all replicas have to answer a read that the responsible peer does not answer. */
const PATIENCE = 3;

interface Operation {
  readonly id: number;
  readonly resource: ResourceId;
  readonly deadline: Instant;
  /** Sign the request so that whoever gets it can forward it: our view of the ring seems old. */
  signed: boolean;
  /** Sees another box responsible than we do: forwards the next attempt. */
  through: NodeId | undefined;
  attempt: number;
  readonly begin: () => void;
  readonly fail: (fault: OperationFault) => void;
}

/** What the users of this box ask for: at whichever box has it, again by the newest view until it is done. */
export class Operations {
  readonly #context: CoreContext;
  readonly #membership: Membership;
  readonly #exchanges: Exchanges;
  readonly #reading: Reading;
  readonly #storing: Storing;
  readonly #topology: Topology;
  readonly #awakening: Awakening;
  readonly #operations = new BoundedMap<number, Operation>(MAX_OPERATIONS, "refuse");
  /** Those that wait for the ring to change or for their next attempt. BOUNDED: by operations. */
  readonly #waiting = new Set<Operation>();
  #lastId = 0;
  #changedAt: Instant | undefined;

  constructor(parts: { context: CoreContext; membership: Membership; exchanges: Exchanges; reading: Reading; storing: Storing; topology: Topology; awakening: Awakening }) {
    this.#context = parts.context;
    this.#membership = parts.membership;
    this.#exchanges = parts.exchanges;
    this.#reading = parts.reading;
    this.#storing = parts.storing;
    this.#topology = parts.topology;
    this.#awakening = parts.awakening;
  }

  get underWay(): number {
    return this.#operations.size;
  }

  fetch({ ticket, resource, kinds, from }: Extract<OverlayInput, { type: "fetch" }>): void {
    const told = (outcome: FetchOutcome): void => this.#context.emit({ type: "fetched", ticket, outcome });
    if (from === undefined) this.fetchThen(resource, kinds, told);
    else this.#fetchCopy(from, resource, kinds, told);
  }

  /** What one box holds itself, owner or not. */
  #fetchCopy(from: NodeId, resource: ResourceId, kinds: readonly KindId[], told: (outcome: FetchOutcome) => void): void {
    if (from === this.#context.self) return told({ ok: true, kinds: this.#reading.shown(resource, kinds) });
    this.#reading.ask(resource, kinds, [from], this.#attemptTime(), (answers) =>
      told(answers.length === 0 ? { ok: false, fault: { reason: "timeout" } } : { ok: true, kinds: this.#merged(resource, kinds, answers) }),
    );
  }

  fetchThen(resource: ResourceId, kinds: readonly KindId[], told: (outcome: FetchOutcome) => void): void {
    const finish = (operation: Operation, outcome: FetchOutcome): void => {
      if (this.#end(operation)) told(outcome);
    };
    const operation: Operation = this.#operation(resource, () => this.#attemptFetch(operation, kinds, (outcome) => finish(operation, outcome)), (fault) =>
      finish(operation, { ok: false, fault }),
    );
    this.#start(operation);
  }

  store({ ticket, resource, kind: id, changes }: Extract<OverlayInput, { type: "store" }>): void {
    const told = (outcome: StoreOutcome): void => this.#context.emit({ type: "stored", ticket, outcome });
    const kind = this.#context.kind(id);
    if (kind === undefined) return told(refused(ERROR.Error_Unknown_Kind, "unknown kind"));
    let values = this.#stamped(resource, kind, changes);
    const finish = (operation: Operation, outcome: StoreOutcome): void => {
      if (this.#end(operation)) told(outcome);
    };
    const operation: Operation = this.#operation(
      resource,
      () =>
        this.#attemptStore(operation, [{ kind: id, generation: 0, values }], (outcome) => finish(operation, outcome), (heldSince) => {
          if (changes.some(({ storedAt }) => storedAt !== undefined)) return operation.fail(TOO_OLD);
          // Somebody with a faster clock wrote before us: what is asked for now is newer all the same.
          this.#context.clock.observe(wallTime(heldSince));
          values = this.#stamped(resource, kind, changes);
          this.#again(operation);
        }),
      (fault) => finish(operation, { ok: false, fault }),
    );
    this.#start(operation);
  }

  viewChanged(): void {
    this.#changedAt = this.#context.now;
    this.tryAgain();
  }
  /** Whatever waited for a box to be there tries again. */
  tryAgain(): void {
    for (const operation of [...this.#waiting]) this.#context.soon(() => this.#retry(operation));
  }

  /** Ends all operations: this box is not in a ring any more. */
  failAll(): void {
    for (const operation of [...this.#operations.values()]) operation.fail({ reason: "not-serving" });
  }

  #operation(resource: ResourceId, begin: () => void, fail: (fault: OperationFault) => void): Operation {
    const deadline = after(this.#context.now, this.#context.settings.timing.operation);
    return { id: ++this.#lastId, resource, deadline, signed: false, through: undefined, attempt: 0, begin, fail };
  }
  #start(operation: Operation): void {
    if (this.#operations.size >= MAX_OPERATIONS) {
      this.#context.count("operation-refused");
      // Of all that are under way the oldest has the least to hope for.
      this.#operations.values().next().value?.fail({ reason: "timeout" });
    }
    this.#operations.set(operation.id, operation);
    operation.begin();
    // What this box can answer from its own memory is over by now.
    if (this.#operations.has(operation.id) && !this.#waiting.has(operation)) this.#expireAtDeadline(operation);
  }
  #expireAtDeadline(operation: Operation): void {
    this.#context.agenda.set(operation, operation.deadline, () => operation.fail({ reason: "timeout" }));
  }
  /** Whether it was still going on. */
  #end(operation: Operation): boolean {
    this.#context.agenda.cancel(operation);
    this.#waiting.delete(operation);
    return this.#operations.delete(operation.id);
  }

  /** Again when the ring changes, or after a short while. */
  #again(operation: Operation): void {
    if (!this.#operations.has(operation.id)) return;
    this.#waiting.add(operation);
    const at = after(this.#context.now, RETRY);
    if (at >= operation.deadline) this.#expireAtDeadline(operation);
    else this.#context.agenda.set(operation, at, () => this.#retry(operation));
  }
  #retry(operation: Operation): void {
    if (!this.#waiting.delete(operation) || !this.#operations.has(operation.id)) return;
    operation.attempt++;
    this.#expireAtDeadline(operation);
    operation.begin();
  }

  #attemptFetch(operation: Operation, kinds: readonly KindId[], told: (outcome: FetchOutcome) => void): void {
    const { resource } = operation;
    const { view } = this.#membership;
    const owner = view.owner(resource);
    if (owner === undefined || this.#isAsleep(owner)) return this.#again(operation);
    if (owner === this.#context.self) {
      return this.#reading.asOwner(resource, kinds, () => told({ ok: true, kinds: this.#reading.shown(resource, kinds) }));
    }
    const isCertain = this.#topology.isCertain(resource);
    if (isCertain && this.#membership.isSilent(owner)) return this.#readReplicas(operation, kinds, told);
    this.#askOwner(operation, owner, this.#reading.fetchRequest(resource, kinds), this.#attemptTime(), (outcome) => {
      if (outcome.type === "answer" && outcome.body.type === "fetch_ans") {
        const { certificates } = outcome.message.security;
        return told({ ok: true, kinds: this.#merged(resource, kinds, [{ kinds: outcome.body.kinds, certificates }]) });
      }
      if (isCertain && outcome.type === "timeout") return this.#readReplicas(operation, kinds, told);
      this.#failedAttempt(operation, outcome);
    });
  }

  /** The responsible peer does not answer: each of the others has what W copies promise, all of them together everything. */
  #readReplicas(operation: Operation, kinds: readonly KindId[], told: (outcome: FetchOutcome) => void): void {
    const { resource } = operation;
    const { self } = this.#context;
    const holders = this.#membership.view.holders(resource).slice(1);
    const others = holders.filter((id) => id !== self && !this.#membership.isSilent(id));
    const own = holders.includes(self);
    if (others.length === 0 && !own) return this.#again(operation);
    this.#context.count("read-from-replicas");
    this.#reading.ask(resource, kinds, others, this.#attemptTime(), (answers, late) => {
      const patient = (late.length > 0 || this.#ringJustChanged()) && operation.attempt < PATIENCE;
      if (patient || (answers.length === 0 && !own)) return this.#again(operation);
      const mine = own ? this.#ownAnswer(resource, kinds) : [];
      told({ ok: true, kinds: this.#merged(resource, kinds, [...mine, ...answers]) });
    });
  }
  /** Copies are not yet where the ring now says: only the responsible peer knows whom to ask. */
  #ringJustChanged(): boolean {
    const since = this.#changedAt;
    return since !== undefined && between(since, this.#context.now) < 2 * this.#context.settings.timing.holdDown;
  }
  #ownAnswer(resource: ResourceId, kinds: readonly KindId[]): readonly ReplicaAnswer[] {
    const answer = this.#reading.answer(this.#reading.fetchRequest(resource, kinds));
    return "unknown" in answer ? [] : [{ kinds: answer, certificates: [] }];
  }

  /** The newest of each entry among several answers. */
  #merged(resource: ResourceId, kinds: readonly KindId[], answers: readonly ReplicaAnswer[]): readonly KindEntries[] {
    return kinds.map((id) => {
      const kind = this.#context.kind(id);
      const newest = new Map<string, StoredEntry>();
      let generation = 0;
      for (const found of answers.flatMap((answer) => answer.kinds)) {
        if (kind === undefined || found.kind !== id) continue;
        generation = Math.max(generation, found.generation);
        for (const bytes of found.values) {
          const entry = decodeEntry(resource, kind, bytes);
          const held = entry.ok ? newest.get(entry.value.key) : undefined;
          if (entry.ok && (held === undefined || compareEntries(entry.value, held) > 0)) newest.set(entry.value.key, entry.value);
        }
      }
      for (const { storedAt } of newest.values()) if (!this.#context.clock.isTooFarAhead(storedAt)) this.#context.clock.observe(storedAt);
      return shownEntries(id, generation, [...newest.values()]);
    });
  }

  #attemptStore(
    operation: Operation,
    kinds: readonly StoreKindData[],
    told: (outcome: StoreOutcome) => void,
    tooOld: (heldSince: number) => void,
  ): void {
    const { resource } = operation;
    const owner = this.#membership.view.owner(resource);
    if (owner === undefined || this.#isAsleep(owner) || (this.#membership.isSilent(owner) && this.#topology.isCertain(resource))) return this.#again(operation);
    const { through } = operation;
    operation.through = undefined;
    const failed = (code: number, text: string): void => {
      if (code === ERROR.Error_Data_Too_Old && Number(text) > 0) return tooOld(Number(text));
      if (code === ERROR.Error_Exp_A && text === NOT_DURABLE) return told({ ok: false, fault: { reason: "not-durable" } });
      this.#failedAttempt(operation, { type: "error", code, text });
    };
    if (owner === this.#context.self && through === undefined) {
      return this.#storing.asOwner(resource, kinds, [], (result) => {
        if (!result.ok) operation.through = result.disputedBy;
        if (!result.ok) return failed(ERROR[result.error], typeof result.info === "string" ? result.info : "");
        told({ ok: true, copies: result.copies.length, generation: result.generations[0]?.generation ?? 0 });
      });
    }
    const body = { type: "store_req", resource, replicaNumber: 0, kinds } as const;
    this.#askOwner(operation, through ?? owner, body, milliseconds(2 * this.#attemptTime()), (outcome) => {
      if (outcome.type === "error") return failed(outcome.code, outcome.text);
      if (outcome.type !== "answer" || outcome.body.type !== "store_ans") return this.#failedAttempt(operation, outcome);
      const [answer] = outcome.body.kinds;
      told({ ok: true, copies: answer?.replicas.length ?? 0, generation: answer?.generation ?? 0 });
    });
  }

  #askOwner(
    operation: Operation,
    owner: NodeId,
    body: Parameters<Exchanges["request"]>[0]["body"],
    timeout: Duration,
    told: (outcome: Outcome) => void,
  ): void {
    const beyond = [{ type: "resource", resource: operation.resource } as const];
    const isCertain = this.#topology.isCertain(operation.resource);
    // Where others pass it on, it is signed; the first hop leads nearer by ring distance.
    const hop = isCertain ? owner : (this.#topology.nextHop(operation.resource) ?? owner);
    this.#exchanges.request({ hop, beyond, body, signed: operation.signed || !isCertain, timeout }, told);
  }

  /** It is this box, which does not know yet whether the others still say so. */
  #isAsleep(owner: NodeId): boolean {
    return owner === this.#context.self && !this.#awakening.isAwake;
  }

  #attemptTime(): Duration {
    return this.#context.settings.timing.attempt;
  }

  /** Refusals that the next attempt will meet again end the operation. */
  #failedAttempt(operation: Operation, outcome: Outcome): void {
    if (outcome.type !== "error") return this.#again(operation);
    const { code, text } = outcome;
    if (code === ERROR.Error_Forbidden && text === NOT_RESPONSIBLE) operation.signed = true;
    const passing =
      (code === ERROR.Error_Forbidden && text === NOT_RESPONSIBLE) ||
      [ERROR.Error_Request_Timeout, ERROR.Error_Not_Found, ERROR.Error_Loop_Detected, ERROR.Error_TTL_Exceeded].some((one) => one === code);
    if (passing) return this.#again(operation);
    operation.fail({ reason: "refused", code, text });
  }

  #stamped(resource: ResourceId, kind: KindDefinition, changes: readonly EntryChange[]): readonly Uint8Array[] {
    return changes.map((change) => {
      const lifetime = Math.ceil(change.lifetime / 1_000);
      const storageTime = change.storedAt ?? this.#context.clock.stamp();
      const content = change.value ?? new Uint8Array(0);
      const history = change.history ?? { version: { writer: this.#context.self, stamp: storageTime }, follows: change.follows ?? [] };
      const stored = {
        storageTime,
        lifetime,
        place: placeOf(kind, change.key),
        exists: change.value !== undefined,
        value: kind.siblings === undefined ? content : withPreface({ ...history, lifetime }, content),
      };
      return kind.signed
        ? signStoredData(resource, kind.id, stored, this.#context.signer)
        : encodeStoredData({ ...stored, signature: NO_SIGNATURE });
    });
  }
}

const TOO_OLD: OperationFault = { reason: "refused", code: ERROR.Error_Data_Too_Old, text: "" };

const refused = (code: number, text: string): StoreOutcome => ({ ok: false, fault: { reason: "refused", code, text } });
