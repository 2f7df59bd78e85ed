// Questions of the core to the location service and the resolver. Each is answered exactly once:
// by its answer, or by `undefined` when none came in time.

import { BoundedMap } from "../base/bounded-map.ts";
import { DeadlineQueue } from "../base/deadline-queue.ts";
import { after, type Instant, seconds } from "../base/time.ts";
import { CORE_LIMITS } from "./limits.ts";
import { NO_TICKET, type Outbox } from "./outbox.ts";
import type { BindingChanges, BindingsOutcome, EventChange, EventLookup, KeptMessage, MediaEnding, MediaQuestion, MessageLookup, SipEffect, Target, Ticket, TransportName, UserLookup } from "./ports.ts";

/** The location service answers within a second or two, or says it cannot; this is for when it does not even that. */
const PATIENCE = seconds(10);

export type Answer =
  | { readonly type: "user"; readonly lookup: UserLookup }
  | { readonly type: "bindings"; readonly result: BindingsOutcome }
  | { readonly type: "events"; readonly lookup: EventLookup }
  | { readonly type: "messages"; readonly lookup: MessageLookup }
  | { readonly type: "media"; readonly sdp: string | undefined }
  | { readonly type: "targets"; readonly targets: readonly Target[] };

type Continuation = (now: Instant, answer: Answer | undefined) => void;

export class Questions {
  readonly #outbox: Outbox;
  readonly #waiting = new BoundedMap<Ticket, Continuation>(CORE_LIMITS.questions, "refuse");
  readonly #deadlines = new DeadlineQueue<Ticket>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `forRegister`: what a registrar must know besides is asked too. */
  findUser(now: Instant, aor: string, then: (now: Instant, lookup: UserLookup) => void, forRegister = false): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "find-user", ticket, aor, forRegister }, ticket, (at, answer) =>
      then(at, answer?.type === "user" ? answer.lookup : { outcome: "unavailable" }),
    );
  }

  changeBindings(now: Instant, aor: string, changes: BindingChanges, then: (now: Instant, result: BindingsOutcome) => void): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "change-bindings", ticket, aor, changes }, ticket, (at, answer) =>
      then(at, answer?.type === "bindings" ? answer.result : { outcome: "unavailable" }),
    );
  }

  readEvents(now: Instant, aor: string, then: (now: Instant, lookup: EventLookup) => void): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "read-events", ticket, aor }, ticket, (at, answer) =>
      then(at, answer?.type === "events" ? answer.lookup : { outcome: "unavailable" }),
    );
  }

  changeEvents(now: Instant, aor: string, change: EventChange, then: (now: Instant, result: BindingsOutcome) => void): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "change-events", ticket, aor, change }, ticket, (at, answer) =>
      then(at, answer?.type === "bindings" ? answer.result : { outcome: "unavailable" }),
    );
  }

  readMessages(now: Instant, aor: string, then: (now: Instant, lookup: MessageLookup) => void): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "read-messages", ticket, aor }, ticket, (at, answer) =>
      then(at, answer?.type === "messages" ? answer.lookup : { outcome: "unavailable" }),
    );
  }

  changeMessages(now: Instant, aor: string, upserts: readonly KeptMessage[], then: (now: Instant, result: BindingsOutcome) => void): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "change-messages", ticket, aor, upserts }, ticket, (at, answer) =>
      then(at, answer?.type === "bindings" ? answer.result : { outcome: "unavailable" }),
    );
  }

  resolve(
    now: Instant,
    place: { readonly host: string; readonly port: number | undefined; readonly transport: TransportName | undefined },
    then: (now: Instant, targets: readonly Target[]) => void,
  ): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "resolve", ticket, ...place }, ticket, (at, answer) =>
      then(at, answer?.type === "targets" ? answer.targets : []),
    );
  }

  relayMedia(now: Instant, question: MediaQuestion, then: (now: Instant, sdp: string | undefined) => void): void {
    const ticket = this.#outbox.nextTicket();
    this.#ask(now, { type: "relay-media", ticket, question }, ticket, (at, answer) => then(at, answer?.type === "media" ? answer.sdp : undefined));
  }

  /** Nobody waits for it. */
  endMedia(question: MediaEnding): void {
    this.#outbox.emit({ type: "relay-media", ticket: NO_TICKET, question });
  }

  #ask(now: Instant, question: SipEffect, ticket: Ticket, then: Continuation): void {
    if (!this.#waiting.set(ticket, then)) {
      this.#outbox.count("questions-at-limit");
      then(now, undefined);
      return;
    }
    this.#deadlines.set(ticket, after(now, PATIENCE));
    this.#outbox.emit(question);
  }

  answer(now: Instant, ticket: Ticket, answer: Answer): void {
    const then = this.#waiting.get(ticket);
    if (then === undefined) return;
    this.#waiting.delete(ticket);
    this.#deadlines.delete(ticket);
    then(now, answer);
  }

  tick(now: Instant): void {
    for (let ticket = this.#deadlines.takeDue(now); ticket !== undefined; ticket = this.#deadlines.takeDue(now)) {
      const then = this.#waiting.get(ticket);
      this.#waiting.delete(ticket);
      this.#outbox.count("question-unanswered");
      then?.(now, undefined);
    }
  }

  nextDeadline(): Instant | undefined {
    return this.#deadlines.next();
  }
}
