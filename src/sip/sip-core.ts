// The SIP core of a box: transport, transactions, registrar and proxy as one machine.

import type { Address } from "../base/address.ts";
import type { Crypto } from "../base/crypto.ts";
import type { Machine } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import { toHex } from "../base/bytes.ts";
import { earliest, type Instant, type WallTime } from "../base/time.ts";
import { Gatekeeper } from "./auth/gatekeeper.ts";
import { CoreContext } from "./core-context.ts";
import { looksLikeEmergency } from "./emergency.ts";
import { Events } from "./events/events.ts";
import { FlowTokens } from "./flow-token.ts";
import { Gruus } from "./gruu.ts";
import type { ValidRequest, ValidResponse } from "./message/message.ts";
import { type ParseFault, readMessage } from "./message/parse.ts";
import { Courier } from "./messages/courier.ts";
import { NO_TICKET, Outbox } from "./outbox.ts";
import type { Flow, SipEffect, SipInput, SipSettings, StreamPorts } from "./ports.ts";
import { passLasting } from "./proxy/lasting-branch.ts";
import { StatefulProxy } from "./proxy/stateful-proxy.ts";
import { Questions } from "./questions.ts";
import { CallRecorder } from "./recorder/call-recorder.ts";
import { Registrar } from "./registrar/registrar.ts";
import { TransactionLayer } from "./transaction/transaction-layer.ts";
import { LocalEnds, type ServiceEnds } from "./transport/local-ends.ts";
import { RewritingSigns } from "./transport/rewriting.ts";
import { SourceBudgets } from "./transport/source-budgets.ts";
import { isStun, stunAnswer } from "./transport/stun.ts";
import { Transport } from "./transport/transport.ts";

/** What there is at this moment, and what was counted since the start. */
export interface SipSnapshot {
  readonly serverTransactions: number;
  readonly clientTransactions: number;
  readonly responseContexts: number;
  /** Whose NOTIFYs this box sends. */
  readonly subscriptions: number;
  readonly connections: number;
  /** Where phones are served beside the SIP port. */
  readonly streamPorts: StreamPorts;
  readonly questions: number;
  /** AoRs with a REGISTER under way. */
  readonly registering: number;
  readonly serving: boolean;
  readonly draining: boolean;
  /** By the names of `count` effects. */
  readonly counts: Readonly<Record<string, number>>;
}

export class SipCore implements Machine<SipInput, SipEffect> {
  readonly #core: CoreContext;
  readonly #gatekeeper: Gatekeeper;
  readonly #registrar: Registrar;
  readonly #proxy: StatefulProxy;
  readonly #events: Events;
  readonly #courier: Courier;
  /** What went through this box lately; it changes nothing. */
  readonly recorder: Pick<CallRecorder, "calls" | "call" | "revision" | "life">;
  readonly #recorder: CallRecorder;

  /**
   * `wallClock` is asked where a protocol prints or compares wall time; in simulation it is a function of the seed.
   * `recordingClock`: that of messages that are remembered, to the millisecond.
   */
  constructor(settings: SipSettings, crypto: Crypto, random: Random, wallClock: () => WallTime, recordingClock = wallClock) {
    const outbox = new Outbox();
    const ends = new LocalEnds(settings);
    const transport = new Transport(outbox);
    this.#core = new CoreContext({
      settings,
      crypto,
      random,
      wallClock,
      outbox,
      transport,
      ends,
      budgets: new SourceBudgets((host) => ends.isFleetHost(host)),
      tokens: new FlowTokens(crypto, settings.fleetSecret, settings.nodeId),
      gruus: new Gruus(crypto, settings.fleetSecret, settings.domain),
      transactions: new TransactionLayer(outbox, transport, ends),
      questions: new Questions(outbox),
      rewriting: new RewritingSigns(),
    });
    const life = toHex(random.bytes(6));
    this.#recorder = new CallRecorder(crypto, recordingClock, life);
    this.recorder = this.#recorder;
    const gatekeeper = new Gatekeeper(settings, crypto, wallClock, life);
    this.#gatekeeper = gatekeeper;
    const courier = new Courier(this.#core, life);
    const events = new Events(this.#core, gatekeeper, life);
    this.#courier = courier;
    this.#events = events;
    this.#registrar = new Registrar(this.#core, gatekeeper, {
      messagesWait: (now, aor) => courier.registered(now, aor),
      registrationChanged: (now, aor) => events.registrationChanged(now, aor),
    });
    this.#proxy = new StatefulProxy(this.#core, gatekeeper, this.#registrar, this.#events, life);
  }

  /** The addresses on which SIP is served now. */
  setLocalAddresses(addresses: readonly string[]): void {
    this.#core.ends.setAddresses(addresses);
  }

  /** Where phones are served over TLS and WebSocket now. */
  setStreamPorts(ports: StreamPorts): void {
    this.#core.ends.setStreamPorts(ports);
  }

  /** The SIP addresses of the other boxes of the fleet: in a URI they mean our domain. */
  setFleetAddresses(addresses: readonly Address[]): void {
    this.#core.ends.setFleetAddresses(addresses);
  }

  /**
   * A box is dead by the ring's verdict, and its connections may not tell: responses go another way from here on. What
   * this box asked over them may still be answered, by whoever has its service address. If it lives, they are known again
   * with what it says next.
   */
  boxGone(host: string): void {
    for (const connection of this.#core.transport.connectionsTo(host)) this.#core.transport.closed(connection);
  }

  /** Which addresses outlive their boxes, and which of them are on this one. */
  setServiceEnds(service: ServiceEnds): void {
    this.#core.ends.setServiceEnds(service);
  }

  /** From here on: how long phones may register for, and who may. */
  setRegistration(rules: Pick<SipSettings, "registration" | "expiry">): void {
    this.#core.settings = { ...this.#core.settings, ...rules };
  }

  /** Nonces and flow tokens are made with this from here on; those of the former secret are still taken. */
  setFleetSecret(secret: Uint8Array): void {
    this.#core.tokens.setSecret(secret);
    this.#core.gruus.setSecret(secret);
    this.#gatekeeper.setSecret(secret);
  }
  forgetFormerSecret(): void {
    this.#core.tokens.forgetFormerSecret();
    this.#core.gruus.forgetFormerSecret();
  }

  /** Whether there is a media relay, and it answers. */
  setMediaRelay(isReady: boolean): void {
    this.#proxy.media.isReady = isReady;
  }

  /** Whether OPTIONS to this box may say that it serves. */
  setServing(serving: boolean): void {
    this.#proxy.serving = serving;
  }

  /** Whether phones are sent to other boxes with what is new; those that watch their registration are told to go. */
  setDraining(now: Instant, draining: boolean): void {
    this.#proxy.draining = draining;
    this.#events.setGoing(now, draining);
  }

  /** Address of the page that tells how this box is, for whoever asks OPTIONS; empty: there is none. */
  setPage(page: string): void {
    this.#proxy.page = page;
  }

  snapshot(): SipSnapshot {
    const { transactions, transport, questions, outbox, ends } = this.#core;
    return {
      serverTransactions: transactions.serverTransactions,
      clientTransactions: transactions.clientTransactions,
      responseContexts: this.#proxy.responseContexts,
      subscriptions: this.#events.subscriptions,
      connections: transport.connections,
      streamPorts: ends.streamPorts,
      questions: questions.size,
      registering: this.#registrar.waiting,
      serving: this.#proxy.serving,
      draining: this.#proxy.draining,
      counts: outbox.counts(),
    };
  }

  nextDeadline(): Instant | undefined {
    const { transactions, questions, transport } = this.#core;
    const waiting = earliest(questions.nextDeadline(), transport.nextDeadline());
    const rooms = earliest(this.#proxy.nextDeadline(), earliest(this.#events.nextDeadline(), this.#courier.nextDeadline()));
    return earliest(earliest(transactions.nextDeadline(), waiting), rooms);
  }

  step(now: Instant, input: SipInput): readonly SipEffect[] {
    this.#take(now, input);
    const effects = this.#core.outbox.take();
    this.#recorder.sent(now, effects);
    return effects;
  }

  #take(now: Instant, input: SipInput): void {
    const { transactions, transport, questions } = this.#core;
    switch (input.type) {
      case "received":
        return this.#receive(now, input.flow, input.octets);
      case "connected":
        transport.opened(input.flow);
        return transactions.connected(input.ticket, input.flow);
      case "connection-closed":
        return this.#closed(now, input.connection);
      case "transport-error":
        return transactions.transportError(now, input.ticket);
      case "resolved":
        return questions.answer(now, input.ticket, { type: "targets", targets: input.targets });
      case "user-found":
        return questions.answer(now, input.ticket, { type: "user", lookup: input.lookup });
      case "bindings-changed":
        return questions.answer(now, input.ticket, { type: "bindings", result: input.result });
      case "events-read":
        return questions.answer(now, input.ticket, { type: "events", lookup: input.lookup });
      case "messages-read":
        return questions.answer(now, input.ticket, { type: "messages", lookup: input.lookup });
      case "media-relayed":
        return questions.answer(now, input.ticket, { type: "media", sdp: input.sdp });
      case "messages-changed":
      case "events-changed":
        return questions.answer(now, input.ticket, { type: "bindings", result: input.result });
      case "tick":
        return this.#tick(now);
    }
  }

  #tick(now: Instant): void {
    this.#core.transactions.tick(now);
    this.#core.questions.tick(now);
    this.#proxy.tick(now);
    this.#events.tick(now);
    this.#courier.tick(now);
    for (let connection = this.#core.transport.takeStalled(now); connection !== undefined; connection = this.#core.transport.takeStalled(now)) {
      this.#core.outbox.count("stream-stalled");
      this.#close(now, connection);
    }
  }

  #close(now: Instant, connection: number): void {
    this.#core.transport.close(connection);
    this.#closed(now, connection);
  }

  /** RFC 5626 section 5.3.1: what was registered over it is not to be reached any more. */
  #closed(now: Instant, connection: number): void {
    this.#core.transport.closed(connection);
    this.#core.transactions.connectionClosed(now, connection);
    this.#registrar.connectionClosed(now, connection);
  }

  #receive(now: Instant, flow: Flow, octets: string): void {
    if (!this.#core.budgets.take(now, flow.remote.host) && !looksLikeEmergency(octets)) return this.#overBudget(now, flow);
    if (flow.transport === "udp" && isStun(octets)) return this.#receiveStun(flow, octets);
    for (const piece of this.#core.transport.receive(now, flow, octets)) {
      if (piece.type === "message") this.#receiveMessage(now, flow, piece.octets);
      if (piece.type !== "broken") continue;
      this.#core.outbox.count(`stream-${piece.event}`);
      if (piece.rejection !== undefined) this.#refuse(flow, piece.rejection);
      this.#close(now, flow.connection);
    }
  }

  /** Dropped unread; a connection that is this busy is closed. */
  #overBudget(now: Instant, flow: Flow): void {
    this.#core.outbox.count("source-over-budget");
    if (flow.transport !== "udp") this.#close(now, flow.connection);
  }

  #receiveStun(flow: Flow, octets: string): void {
    const answer = stunAnswer(octets, flow.remote);
    this.#core.outbox.count(answer === undefined ? "stun-ignored" : "stun-answered");
    if (answer !== undefined) this.#core.transport.send(flow, answer);
  }

  #receiveMessage(now: Instant, flow: Flow, octets: string): void {
    this.#recorder.received(now, flow, octets);
    const read = readMessage(octets);
    if (!read.ok) {
      if (read.fault.type === "rejected") this.#core.rewriting.look(now, flow, read.fault.request, octets);
      return this.#refuse(flow, read.fault);
    }
    const message = read.value;
    if (message.type === "response") {
      if (this.#core.transactions.receiveResponse(now, message)) return this.#core.budgets.wanted(flow.remote.host);
      return this.#passLasting(now, flow, message);
    }
    this.#core.rewriting.look(now, flow, message, octets);
    message.stampReceived(flow.remote);
    this.#receiveRequest(now, flow, message);
  }

  #passLasting(now: Instant, flow: Flow, response: ValidResponse): void {
    const passed = passLasting(this.#core, response);
    if (passed === undefined) return;
    this.#core.outbox.count("response-of-dead-box");
    this.#proxy.returned.answered(response, flow);
    const { to, octets } = passed;
    if (to === "here") return this.#receiveMessage(now, flow, octets);
    // A datagram leaves from the address to which the caller had sent his.
    const { local } = flow;
    this.#core.transport.sendTo(to.type === "address" && to.transport === "udp" ? { ...to, from: local.host } : to, NO_TICKET, octets);
  }

  /** A message that cannot go any further: an answer where there is somebody to answer. */
  #refuse(flow: Flow, fault: ParseFault): void {
    if (fault.type === "dropped") return this.#core.outbox.count(`dropped-${fault.event}`);
    this.#core.outbox.count("malformed-request");
    fault.request.stampReceived(flow.remote);
    this.#core.answer(fault.request, flow, fault.status, fault.reason);
  }

  #receiveRequest(now: Instant, flow: Flow, request: ValidRequest): void {
    const { transactions } = this.#core;
    const known = transactions.findServer(request);
    if (known !== undefined) {
      if (transactions.absorb(now, known, request) === "ack-for-2xx") this.#proxy.forwardAck(now, request, flow);
      return;
    }
    switch (request.method) {
      case "ACK":
        return this.#proxy.forwardAck(now, request, flow);
      case "CANCEL":
        return this.#cancel(now, flow, request);
      default:
        return this.#proxy.receive(now, request, flow);
    }
  }

  /** RFC 3261 16.10: answered here; what it cancels is told on by the response context. */
  #cancel(now: Instant, flow: Flow, request: ValidRequest): void {
    const invite = this.#core.transactions.findCancelled(request);
    const isKnown = invite !== undefined || this.#proxy.cancelOfDead(now, request, flow);
    this.#core.answer(request, flow, isKnown ? 200 : 481);
    invite?.user?.cancelled(now);
  }
}
