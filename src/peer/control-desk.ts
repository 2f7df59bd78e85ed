// Answers what the command line and the agent ask of a box (control.ts). Some answers are there at once;
// the others take one or more operations of the overlay, each with what is to be done with its outcome.

import { conditionOf } from "../health/catalogue.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import { fromOctets, toOctets } from "../base/bytes.ts";
import type { Crypto } from "../base/crypto.ts";
import type { Instant, WallTime } from "../base/time.ts";
import type { OverlayCore } from "../overlay/overlay-core.ts";
import type { EntryChange, FetchOutcome, Listed, NodeId, OperationFault, OverlayEffect, OverlayInput, ResourceId, RuleOutcome, StoreOutcome } from "../overlay/ports.ts";
import type { SipCore } from "../sip/sip-core.ts";
import { decodeBinding } from "./binding-codec.ts";
import { choiceOf, conflictIn, subscriberChange, VERSION_KINDS } from "./conflicts.ts";
import type { AgentWord } from "./agent-word.ts";
import type { ControlAnswers, ControlFault, ControlReply, DeskRequest, NewSubscriber } from "./control.ts";
import { CERTIFICATE_BY_NODE, EDGE_BINDING, SUBSCRIBER, SUBSCRIBER_SIBLING } from "./kinds.ts";
import { bindingsIn, type LocationService, subscriberIn } from "./location-service.ts";
import type { PeerSettings } from "./ports.ts";
import type { BindingReport, BoxReference, ConflictReport, FlowReport, RegistrationReport, ReplicaReport, StatusReport, SubscriberReport } from "./reports.ts";
import { configurationReport } from "./rules-report.ts";
import { bindingReport, boxReference, type CertificateState, peerReports, statusReport } from "./status.ts";
import type { ServiceAddresses } from "./service-addresses.ts";
import { decodeSubscriber, encodeSubscriber } from "./subscriber-codec.ts";
import { nameProblem } from "./subscriber-name.ts";
import type { Binding } from "../sip/ports.ts";

type ListOutcome = Extract<OverlayEffect, { type: "listed" }>["outcome"];

/** What the desk wants done next: operations of the overlay, and answers that are complete. */
export interface DeskStep {
  readonly operations: readonly OverlayInput[];
  readonly replies: readonly { readonly ticket: number; readonly reply: ControlReply }[];
}

type Waiting =
  | { readonly of: "fetch"; readonly then: (outcome: FetchOutcome) => DeskStep }
  | { readonly of: "store"; readonly then: (outcome: StoreOutcome) => DeskStep }
  | { readonly of: "list"; readonly then: (outcome: ListOutcome) => DeskStep }
  | { readonly of: "rule"; readonly then: (outcome: RuleOutcome) => DeskStep };

/** At the bound further questions are refused: nobody types that fast. */
const WAITING_MAX = 256;

const NOTHING: DeskStep = { operations: [], replies: [] };

export class ControlDesk {
  readonly #settings: PeerSettings;
  readonly #overlay: OverlayCore;
  readonly #sip: SipCore;
  readonly #location: LocationService;
  readonly #crypto: Crypto;
  readonly #wall: () => WallTime;
  readonly #newTicket: () => number;
  #certificate: CertificateState | undefined;
  #mediaRelayAnswers: boolean | undefined;
  readonly #agent: Pick<AgentWord, "conditions">;
  readonly #waiting = new BoundedMap<number, Waiting>(WAITING_MAX, "refuse");
  readonly #service: Pick<ServiceAddresses, "report"> | undefined;
  /** Those who asked the box to leave; BOUNDED: by WAITING_MAX. */
  readonly #leaving: number[] = [];

  constructor(
    settings: PeerSettings,
    overlay: OverlayCore,
    sip: SipCore,
    location: LocationService,
    crypto: Crypto,
    wall: () => WallTime,
    newTicket: () => number,
    agent: Pick<AgentWord, "conditions">,
    service: Pick<ServiceAddresses, "report"> | undefined,
  ) {
    this.#settings = settings;
    this.#overlay = overlay;
    this.#sip = sip;
    this.#location = location;
    this.#crypto = crypto;
    this.#wall = wall;
    this.#newTicket = newTicket;
    this.#agent = agent;
    this.#service = service;
  }

  ask(now: Instant, ticket: number, request: DeskRequest, counters: ReadonlyMap<string, number>): DeskStep {
    if (this.#waiting.size >= WAITING_MAX) return refuse(ticket, "unavailable", "The box is busy with other questions; ask again.");
    switch (request.op) {
      case "heartbeat":
        return reply(ticket, { ok: true, op: "heartbeat", phase: this.#overlay.snapshot().phase, code: null, processId: 0 });
      case "status":
        return reply(ticket, {
          ok: true,
          op: "status",
          status: this.#status(now, counters),
        });
      case "drain":
        return reply(ticket, { ok: true, op: "drain", on: request.on, underWay: this.#sip.snapshot().responseContexts, phones: this.#flows().length });
      case "peers":
        return reply(ticket, { ok: true, op: "peers", peers: peerReports(this.#overlay.snapshot()) });
      case "leave":
        return this.#leave(ticket);
      case "subscriber-add":
        return this.#addSubscriber(ticket, request.subscriber, request.existing);
      case "subscriber-remove":
        return this.#removeSubscriber(ticket, request.username);
      case "conflict-list":
        return this.#list(SUBSCRIBER_SIBLING.id, ticket, (found) => ({ ok: true, op: "conflict-list", conflicts: this.#conflicts(found) }), [SUBSCRIBER.id]);
      case "conflict-resolve":
        return this.#resolve(ticket, request.username, request.version);
      case "subscriber-list":
        return this.#list(SUBSCRIBER.id, ticket, (found) => ({ ok: true, op: "subscriber-list", subscribers: subscribers(found) }));
      case "flows":
        return reply(ticket, { ok: true, op: "flows", flows: this.#flows() });
      case "calls":
        return reply(ticket, { ok: true, op: "calls", ...this.#calls(request.life, request.revision) });
      case "call-messages":
        return reply(ticket, { ok: true, op: "call-messages", found: this.#sip.recorder.call(request.name) ?? null });
      case "registration-list":
        return request.aor === null
          ? this.#list(EDGE_BINDING.id, ticket, (found) => ({ ok: true, op: "registration-list", registrations: this.#registrations(found) }))
          : this.#registrationsOf(ticket, request.aor);
      case "where":
        return this.#where(ticket, request.aor);
      case "configuration":
        return reply(ticket, { ok: true, op: "configuration", configuration: configurationReport(this.#overlay.snapshot(), this.#crypto) });
      case "published":
        return this.#list(CERTIFICATE_BY_NODE.id, ticket, (found) => ({
          ok: true, op: "published", certificates: found.flatMap(({ entries }) => entries.map(({ value }) => toOctets(value))),
        }));
      case "configure":
        return this.#configure(ticket, request.document);
      case "revoke":
        return this.#revoke(ticket, request.nodeId, request.statement);
    }
  }

  certificateIs(state: CertificateState): void {
    this.#certificate = state;
  }

  mediaRelayIs(answers: boolean): void {
    this.#mediaRelayAnswers = answers;
  }

  /** With what the agent found: the box cannot see itself from outside. */
  #status(now: Instant, counters: ReadonlyMap<string, number>): StatusReport {
    const status = statusReport(this.#settings, this.#overlay.snapshot(), this.#sip.snapshot(), counters, now, this.#certificate, this.#wall(), this.#service?.report ?? []);
    const relay = this.#mediaRelayAnswers === false ? [conditionOf("media-relay-silent")] : [];
    return { ...status, conditions: [...status.conditions, ...relay, ...this.#agent.conditions] };
  }

  /** `undefined`: the ticket is not one of the desk's. */
  fetched(ticket: number, outcome: FetchOutcome): DeskStep | undefined {
    const waiting = this.#take(ticket);
    return waiting?.of === "fetch" ? waiting.then(outcome) : undefined;
  }

  stored(ticket: number, outcome: StoreOutcome): DeskStep | undefined {
    const waiting = this.#take(ticket);
    return waiting?.of === "store" ? waiting.then(outcome) : undefined;
  }

  listed(ticket: number, outcome: ListOutcome): DeskStep | undefined {
    const waiting = this.#take(ticket);
    return waiting?.of === "list" ? waiting.then(outcome) : undefined;
  }

  ruled(ticket: number, outcome: RuleOutcome): DeskStep | undefined {
    const waiting = this.#take(ticket);
    return waiting?.of === "rule" ? waiting.then(outcome) : undefined;
  }

  /** The box has left the ring: those who asked for it are told. */
  left(): DeskStep {
    const replies = this.#leaving.splice(0).map((ticket) => ({ ticket, reply: { ok: true, op: "leave" } as const }));
    return { operations: [], replies };
  }

  #leave(ticket: number): DeskStep {
    this.#leaving.push(ticket);
    return { operations: [{ type: "leave" }], replies: [] };
  }

  #configure(ticket: number, document: string): DeskStep {
    const operation = this.#rule((outcome) => {
      const { sequence } = this.#overlay.snapshot().rules;
      return outcome.ok ? reply(ticket, { ...outcome, op: "configure", sequence }) : refuse(ticket, "invalid", outcome.text);
    });
    return { operations: [{ type: "configure", ticket: operation, document: fromOctets(document) }], replies: [] };
  }

  #revoke(ticket: number, nodeId: string, statement: string): DeskStep {
    const operation = this.#rule((outcome) => (outcome.ok ? reply(ticket, { ...outcome, op: "revoke", nodeId }) : refuse(ticket, "invalid", outcome.text)));
    return { operations: [{ type: "revoke", ticket: operation, statement: fromOctets(statement) }], replies: [] };
  }

  #rule(then: (outcome: RuleOutcome) => DeskStep): number {
    const ticket = this.#newTicket();
    this.#waiting.set(ticket, { of: "rule", then });
    return ticket;
  }

  #addSubscriber(ticket: number, subscriber: NewSubscriber, existing: "refuse" | "replace"): DeskStep {
    const problem = unacceptable(subscriber, this.#settings.domain);
    if (problem !== undefined) return refuse(ticket, "invalid", problem);
    const aor = `${subscriber.username}@${subscriber.realm}`;
    return this.#fetch(aor, VERSION_KINDS, (outcome) => {
      if (!outcome.ok) return refuseOperation(ticket, outcome.fault);
      const replaced = subscriberIn(outcome.kinds) !== undefined;
      if (replaced && existing === "refuse") return refuse(ticket, "exists", `There is already a subscriber ${aor}.`);
      return this.#store(aor, subscriberChange(outcome.kinds, encodeSubscriber(subscriber)), (stored) =>
        stored.ok
          ? reply(ticket, { ok: true, op: "subscriber-add", aor, replaced, copies: stored.copies })
          : refuseOperation(ticket, stored.fault),
      );
    });
  }

  #removeSubscriber(ticket: number, username: string): DeskStep {
    const aor = `${username}@${this.#settings.domain}`;
    return this.#fetch(aor, VERSION_KINDS, (outcome) => {
      if (!outcome.ok) return refuseOperation(ticket, outcome.fault);
      if (subscriberIn(outcome.kinds) === undefined) return refuse(ticket, "absent", `There is no subscriber ${aor}.`);
      return this.#store(aor, subscriberChange(outcome.kinds, undefined), (stored) =>
        stored.ok
          ? reply(ticket, { ok: true, op: "subscriber-remove", aor, copies: stored.copies })
          : refuseOperation(ticket, stored.fault),
      );
    });
  }

  #resolve(ticket: number, username: string, version: string): DeskStep {
    const aor = `${username}@${this.#settings.domain}`;
    return this.#fetch(aor, VERSION_KINDS, (outcome) => {
      if (!outcome.ok) return refuseOperation(ticket, outcome.fault);
      const change = choiceOf(outcome.kinds, version);
      if (change === undefined) return refuse(ticket, "absent", `${aor} has no such version any more; look at the conflicts again.`);
      return this.#store(aor, change, (stored) =>
        stored.ok ? reply(ticket, { ok: true, op: "conflict-resolve", aor, copies: stored.copies }) : refuseOperation(ticket, stored.fault),
      );
    });
  }

  #conflicts(found: readonly Listed[]): ConflictReport[] {
    const box = (nodeId: NodeId): BoxReference => boxReference(nodeId, this.#overlay.peerInfo(nodeId));
    return found
      .flatMap(({ entries, also }) => conflictIn([{ kind: SUBSCRIBER_SIBLING.id, generation: 0, entries }, ...also], box) ?? [])
      .sort((a, b) => (a.aor < b.aor ? -1 : 1));
  }

  #registrationsOf(ticket: number, aor: string): DeskStep {
    return this.#fetch(aor, [EDGE_BINDING.id], (outcome) => {
      if (!outcome.ok) return refuseOperation(ticket, outcome.fault);
      const bindings = this.#living(bindingsIn(outcome.kinds));
      return reply(ticket, { ok: true, op: "registration-list", registrations: bindings.length === 0 ? [] : [{ aor, bindings }] });
    });
  }

  /** Asks the storage owner for the bindings, and each box of the replica set for what it holds itself. */
  #where(ticket: number, aor: string): DeskStep {
    return this.#fetch(aor, [EDGE_BINDING.id, SUBSCRIBER.id], (outcome) => {
      if (!outcome.ok) return refuseOperation(ticket, outcome.fault);
      const resource = this.#location.resourceOf(aor);
      const { owner, replicas } = this.#overlay.locate(resource);
      if (owner === undefined) return refuseOperation(ticket, { reason: "not-serving" });
      const answers = new Map<NodeId, ReplicaReport["holds"]>();
      const complete = (): DeskStep => {
        if (answers.size < replicas.length) return NOTHING;
        const box = (nodeId: NodeId) => boxReference(nodeId, this.#overlay.peerInfo(nodeId));
        return reply(ticket, {
          ok: true,
          op: "where",
          where: {
            aor,
            resourceId: resource,
            subscriber: subscriberIn(outcome.kinds) !== undefined,
            storageOwner: box(owner),
            replicas: replicas.map((nodeId) => ({ ...box(nodeId), holds: answers.get(nodeId) ?? "unknown" })),
            bindings: this.#living(bindingsIn(outcome.kinds)),
          },
        });
      };
      return join(
        replicas.map((nodeId) =>
          this.#fetchFrom(nodeId, resource, (copy) => {
            answers.set(nodeId, holds(copy));
            return complete();
          }),
        ),
      );
    });
  }

  #registrations(found: readonly Listed[]): RegistrationReport[] {
    const registrations: RegistrationReport[] = [];
    for (const { entries } of found) {
      const stored = entries.map(({ key, value }) => decodeBinding(key, value)).filter((binding) => binding !== undefined);
      const aor = stored[0]?.aor;
      const bindings = this.#living(stored.map(({ binding }) => binding));
      if (aor !== undefined && bindings.length > 0) registrations.push({ aor, bindings });
    }
    return registrations.sort((a, b) => (a.aor < b.aor ? -1 : 1));
  }

  #flows(): FlowReport[] {
    const edge = this.#settings.self;
    return this.#location.flows(this.#wall()).map(({ aor, binding }) => ({ ...bindingReport(binding, edge), aor, token: binding.flowToken }));
  }

  #calls(life: string, revision: number): ControlAnswers["calls"] {
    const { recorder } = this.#sip;
    return { life: recorder.life, revision: recorder.revision, calls: recorder.calls(life === recorder.life ? revision : 0) };
  }

  #living(bindings: readonly Binding[]): BindingReport[] {
    const wall = this.#wall();
    return bindings
      .filter(({ expiresAt }) => expiresAt > wall)
      .map((binding) => bindingReport(binding, this.#overlay.reachable(binding.edge as NodeId)));
  }

  #list(kind: number, ticket: number, answer: (found: readonly Listed[]) => ControlReply, also: readonly number[] = []): DeskStep {
    const operation = this.#newTicket();
    this.#waiting.set(operation, {
      of: "list",
      then: (outcome) => (outcome.ok ? reply(ticket, answer(outcome.found)) : refuseOperation(ticket, outcome.fault)),
    });
    return { operations: [{ type: "list", ticket: operation, kind, also }], replies: [] };
  }

  #fetch(aor: string, kinds: readonly number[], then: (outcome: FetchOutcome) => DeskStep): DeskStep {
    const ticket = this.#newTicket();
    this.#waiting.set(ticket, { of: "fetch", then });
    return { operations: [{ type: "fetch", ticket, resource: this.#location.resourceOf(aor), kinds }], replies: [] };
  }

  #fetchFrom(from: NodeId, resource: ResourceId, then: (outcome: FetchOutcome) => DeskStep): DeskStep {
    const ticket = this.#newTicket();
    this.#waiting.set(ticket, { of: "fetch", then });
    return { operations: [{ type: "fetch", ticket, resource, kinds: [EDGE_BINDING.id, SUBSCRIBER.id], from }], replies: [] };
  }

  #store(aor: string, change: EntryChange, then: (outcome: StoreOutcome) => DeskStep): DeskStep {
    const ticket = this.#newTicket();
    this.#waiting.set(ticket, { of: "store", then });
    const resource = this.#location.resourceOf(aor);
    return { operations: [{ type: "store", ticket, resource, kind: SUBSCRIBER.id, changes: [change] }], replies: [] };
  }

  #take(ticket: number): Waiting | undefined {
    const waiting = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    return waiting;
  }
}

const reply = (ticket: number, answer: ControlReply): DeskStep => ({ operations: [], replies: [{ ticket, reply: answer }] });

const refuse = (ticket: number, fault: ControlFault, text: string): DeskStep => reply(ticket, { ok: false, fault, text });

function refuseOperation(ticket: number, fault: OperationFault): DeskStep {
  switch (fault.reason) {
    case "not-serving":
      return refuse(ticket, "not-serving", "This box is not serving yet.");
    case "not-durable":
      return refuse(ticket, "not-durable", "Too few boxes could write it to disk. Nothing was acknowledged.");
    case "double":
      return refuse(ticket, "not-durable", "Another box uses this box's identity; neither takes changes until one of them has stopped.");
    case "timeout":
      return refuse(ticket, "unavailable", "The ring did not answer in time.");
    case "refused":
      return refuse(ticket, "unavailable", `A box of the ring refused: ${fault.text} (RELOAD error ${fault.code}).`);
  }
}

const join = (steps: readonly DeskStep[]): DeskStep => ({
  operations: steps.flatMap(({ operations }) => operations),
  replies: steps.flatMap(({ replies }) => replies),
});

const holds = (copy: FetchOutcome): ReplicaReport["holds"] => {
  if (!copy.ok) return "unknown";
  return copy.kinds.some(({ entries }) => entries.length > 0) ? "yes" : "no";
};

function subscribers(found: readonly Listed[]): SubscriberReport[] {
  const reports: SubscriberReport[] = [];
  for (const { entries } of found) {
    const value = entries[0]?.value;
    const subscriber = value === undefined ? undefined : decodeSubscriber(value);
    if (subscriber === undefined) continue;
    const { username, realm, displayName } = subscriber;
    reports.push({ username, aor: `${username}@${realm}`, displayName });
  }
  return reports.sort((a, b) => (a.aor < b.aor ? -1 : 1));
}

/** Why a subscriber cannot be one, in one sentence; `undefined` if it can. */
function unacceptable(subscriber: NewSubscriber, domain: string): string | undefined {
  if (subscriber.realm !== domain) return `This fleet serves ${domain}, not ${subscriber.realm}.`;
  const problem = nameProblem(subscriber.username);
  if (problem !== undefined) return problem;
  if (!isHex(subscriber.ha1Md5, 32) || !isHex(subscriber.ha1Sha256, 64)) return "The credentials are not digest hashes.";
  return undefined;
}

const isHex = (text: string, length: number): boolean =>
  text.length === length && [...text].every((digit) => "0123456789abcdef".includes(digit));
