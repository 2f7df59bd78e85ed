// All transactions of a box: matching, retransmissions, timers, the bound. Above it are the transaction
// users: the registrar and the response contexts of the proxy.

import type { Address } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import { DeadlineQueue } from "../../base/deadline-queue.ts";
import type { Instant } from "../../base/time.ts";
import { CORE_LIMITS } from "../limits.ts";
import { ackTo, responseTo } from "../message/build.ts";
import type { SipRequest, SipResponse, ValidRequest, ValidResponse } from "../message/message.ts";
import type { Via } from "../message/via.ts";
import { NO_TICKET, type Outbox } from "../outbox.ts";
import type { Flow, Ticket } from "../ports.ts";
import type { LocalEnds } from "../transport/local-ends.ts";
import { hopBack, type Hop, hopTransport, responseFlow, type Transport } from "../transport/transport.ts";
import { InviteClient, type InviteClientOutward } from "./invite-client.ts";
import { InviteServer, type InviteServerOutward } from "./invite-server.ts";
import { NonInviteClient, type NonInviteClientOutward } from "./non-invite-client.ts";
import { NonInviteServer, type NonInviteServerOutward } from "./non-invite-server.ts";
import { branchKey, clientKey, matchedMethod, responseKey, serverKey } from "./transaction-key.ts";
import { inviteResponseClass } from "./transition.ts";

/** Whoever sent a request through a client transaction. */
export interface ClientUser {
  received(now: Instant, client: ClientTransaction, response: ValidResponse): void;
  failed(now: Instant, client: ClientTransaction, cause: "timeout" | "transport-error"): void;
}

/** Whoever answers a request that came in. */
export interface ServerUser {
  /** A CANCEL came for the INVITE; it has been answered. */
  cancelled(now: Instant): void;
}

export interface ServerTransaction {
  readonly side: "server";
  readonly key: string;
  /** `undefined` once it is answered and only repetitions can come. */
  request: ValidRequest | undefined;
  /** Where the request came from. */
  readonly source: Flow;
  /** Where its responses go… */
  readonly back: Flow;
  /** …and which field of an INVITE tells another way, if that was a connection and is closed. */
  readonly via: Via | undefined;
  readonly machine: { readonly type: "invite"; readonly run: InviteServer } | { readonly type: "other"; readonly run: NonInviteServer };
  user: ServerUser | undefined;
  /** The last response, to send again; "" before the first. */
  last: string;
}

export interface ClientTransaction {
  readonly side: "client";
  readonly key: string;
  /** The request as sent, with our Via on top. */
  readonly request: SipRequest;
  readonly octets: string;
  readonly ticket: Ticket;
  /** The way it goes; a connection once there is one. */
  hop: Hop;
  readonly machine: { readonly type: "invite"; readonly run: InviteClient } | { readonly type: "other"; readonly run: NonInviteClient };
  readonly user: ClientUser;
  /** The ACK to a final failure, to send again. */
  ack: string;
}

type Transaction = ServerTransaction | ClientTransaction;

export class TransactionLayer {
  readonly #outbox: Outbox;
  readonly #transport: Transport;
  readonly #ends: LocalEnds;
  // BOUNDED: the two together by CORE_LIMITS.transactions; see #hasRoom.
  readonly #servers = new Map<string, ServerTransaction>();
  readonly #clients = new Map<string, ClientTransaction>();
  readonly #byTicket = new Map<Ticket, ClientTransaction>();
  /** Answered non-INVITE server transactions, the oldest first: the ones that may go at the bound. */
  readonly #answered: BoundedMap<ServerTransaction, true>;
  /** Transactions on each TCP connection. BOUNDED: by the transactions. */
  readonly #onConnection = new Map<number, Set<Transaction>>();
  readonly #deadlines = new DeadlineQueue<Transaction>();
  /** Whose timers moved since somebody last asked for a deadline: most move twice within one batch. BOUNDED: by the transactions. */
  readonly #moved = new Set<Transaction>();
  readonly #limit: number;

  constructor(outbox: Outbox, transport: Transport, ends: LocalEnds, limit: number = CORE_LIMITS.transactions) {
    this.#outbox = outbox;
    this.#transport = transport;
    this.#ends = ends;
    this.#limit = limit;
    this.#answered = new BoundedMap(limit, "refuse");
  }

  get serverTransactions(): number {
    return this.#servers.size;
  }
  get clientTransactions(): number {
    return this.#clients.size;
  }

  /** The server transaction to which a request belongs: as its retransmission, or as its ACK. */
  findServer(request: ValidRequest): ServerTransaction | undefined {
    return this.#servers.get(serverKey(request, matchedMethod(request.method)));
  }

  /** The INVITE that a CANCEL means (RFC 3261 9.2). */
  findCancelled(cancel: ValidRequest): ServerTransaction | undefined {
    return this.#servers.get(serverKey(cancel, "INVITE"));
  }

  /** The INVITE that came with this branch from this sent-by. */
  findInvite(branch: string, sentBy: Address): ServerTransaction | undefined {
    return this.#servers.get(branchKey(branch, sentBy.host, sentBy.port, "INVITE"));
  }

  /** A retransmission or an ACK for `server`. Whether an ACK is left over for the user: one to a 2xx. */
  absorb(now: Instant, server: ServerTransaction, request: ValidRequest): "absorbed" | "ack-for-2xx" {
    if (request.method !== "ACK") {
      this.#outbox.count("retransmission-absorbed");
      this.#actForServer(server, server.machine.run.step(now, "request"), "");
      return "absorbed";
    }
    const { machine } = server;
    if (machine.type !== "invite") return "absorbed";
    return this.#actForServer(server, machine.run.step(now, "ack"), "") ? "ack-for-2xx" : "absorbed";
  }

  /** `reserve`: how far beyond the bound this one may go. */
  hasRoom(reserve = 0): boolean {
    if (this.#servers.size + this.#clients.size < this.#limit + reserve) return true;
    const oldest = this.#answered.takeOldest();
    if (oldest === undefined) return false;
    this.#forget(oldest);
    this.#outbox.count("transaction-forgotten-at-limit");
    return true;
  }

  /** A new server transaction. The caller has found none and made sure that there is room. */
  serve(now: Instant, request: ValidRequest, source: Flow, user?: ServerUser): ServerTransaction {
    const reliable = source.transport !== "udp";
    const server: ServerTransaction = {
      side: "server",
      key: serverKey(request, request.method),
      request,
      source,
      back: responseFlow(request, source),
      via: reliable && request.method === "INVITE" ? request.topVia : undefined,
      machine:
        request.method === "INVITE"
          ? { type: "invite", run: new InviteServer(reliable) }
          : { type: "other", run: new NonInviteServer(now, reliable) },
      user,
      last: "",
    };
    this.#servers.set(server.key, server);
    this.#joinConnection(server, source);
    this.#moved.add(server);
    return server;
  }

  /** Sends a response of the transaction user, if the machine lets it. */
  respond(now: Instant, server: ServerTransaction, response: SipResponse): void {
    const { status } = response;
    const { machine } = server;
    if (machine.type === "invite") {
      this.#actForServer(server, machine.run.step(now, `send ${inviteResponseClass(status)}`), response.octets);
    } else if (status >= 200) {
      this.#actForServer(server, machine.run.step(now, "send final"), response.octets);
      if (machine.run.state !== "completed") return;
      this.#answered.set(server, true);
      server.request = undefined;
      server.user = undefined;
    }
  }

  /** Sends a request through a new client transaction; `branch` is that of its top Via. */
  request(now: Instant, request: SipRequest, branch: string, hop: Hop, user: ClientUser): ClientTransaction {
    const reliable = hopTransport(hop) !== "udp";
    const client: ClientTransaction = {
      side: "client",
      key: clientKey(branch, request.method),
      request,
      octets: request.octets,
      ticket: this.#outbox.nextTicket(),
      hop,
      machine:
        request.method === "INVITE"
          ? { type: "invite", run: new InviteClient(now, reliable) }
          : { type: "other", run: new NonInviteClient(now, reliable) },
      user,
      ack: "",
    };
    this.#clients.set(client.key, client);
    this.#byTicket.set(client.ticket, client);
    if (hop.type === "flow") this.#joinConnection(client, hop.flow);
    this.#transport.sendTo(hop, client.ticket, client.octets);
    this.#moved.add(client);
    return client;
  }

  /** Tells an INVITE client transaction that its CANCEL has left (RFC 3261 9.1: 64*T1 for the answer). */
  noteCancel(now: Instant, client: ClientTransaction): void {
    const { machine } = client;
    if (machine.type === "invite") this.#actForClient(now, client, machine.run.step(now, "cancel"), undefined);
  }

  /** A response: to its client transaction, or nowhere (RFC 6026 section 7). Whether it had one. */
  receiveResponse(now: Instant, response: ValidResponse): boolean {
    const client = this.#clients.get(responseKey(response));
    if (client === undefined) {
      this.#outbox.count("stray-response");
      return false;
    }
    const { machine } = client;
    const actions =
      machine.type === "invite"
        ? machine.run.step(now, inviteResponseClass(response.status))
        : machine.run.step(now, response.status < 200 ? "1xx" : "200-699");
    this.#actForClient(now, client, actions, response);
    return true;
  }

  connected(ticket: Ticket, flow: Flow): void {
    const client = this.#byTicket.get(ticket);
    if (client === undefined) return;
    client.hop = { type: "flow", flow };
    this.#joinConnection(client, flow);
  }

  transportError(now: Instant, ticket: Ticket): void {
    const client = this.#byTicket.get(ticket);
    if (client !== undefined) this.#failTransport(now, client);
  }

  connectionClosed(now: Instant, connection: number): void {
    const affected = this.#onConnection.get(connection);
    if (affected === undefined) return;
    this.#onConnection.delete(connection);
    for (const transaction of affected) this.#failTransport(now, transaction);
  }

  #failTransport(now: Instant, transaction: Transaction): void {
    if (transaction.side === "client") {
      this.#actForClient(now, transaction, transaction.machine.run.step(now, "transport-error"), undefined);
    } else this.#actForServer(transaction, transaction.machine.run.step(now, "transport-error"), "");
  }

  tick(now: Instant): void {
    for (let due = this.#takeDue(now); due !== undefined; due = this.#takeDue(now)) this.#fireTimers(now, due);
  }

  #takeDue(now: Instant): Transaction | undefined {
    this.#scheduleMoved();
    return this.#deadlines.takeDue(now);
  }

  nextDeadline(): Instant | undefined {
    this.#scheduleMoved();
    return this.#deadlines.next();
  }

  #scheduleMoved(): void {
    if (this.#moved.size === 0) return;
    for (const transaction of this.#moved) this.#schedule(transaction);
    this.#moved.clear();
  }

  #fireTimers(now: Instant, due: Transaction): void {
    if (due.side === "server") {
      const { machine } = due;
      this.#actForServer(due, machine.type === "invite" ? fire(now, machine.run) : fire(now, machine.run), "");
    } else {
      const { machine } = due;
      this.#actForClient(now, due, machine.type === "invite" ? fire(now, machine.run) : fire(now, machine.run), undefined);
    }
  }

  #respond({ back, via }: ServerTransaction, octets: string): void {
    const isLost = via !== undefined && this.#transport.alive(back) === undefined;
    this.#transport.respond(back, isLost ? hopBack(via, this.#ends) : undefined, octets);
  }

  /** Whether the user is wanted: an ACK in the Accepted state. */
  #actForServer(server: ServerTransaction, actions: readonly (InviteServerOutward | NonInviteServerOutward)[], octets: string): boolean {
    let passedUp = false;
    for (const action of actions) {
      switch (action) {
        case "send":
          server.last = octets;
          this.#respond(server, octets);
          break;
        case "resend":
          if (server.last !== "") this.#respond(server, server.last);
          break;
        case "send trying":
          if (server.request === undefined) break;
          server.last = responseTo(server.request, 100, "").octets;
          this.#transport.send(server.back, server.last);
          break;
        case "pass up":
          passedUp = true;
          break;
        case "report no ack":
        case "report too late":
          this.#outbox.count(action === "report no ack" ? "no-ack" : "answer-too-late");
          break;
      }
    }
    if (server.machine.run.state === "terminated") this.#forget(server);
    else this.#moved.add(server);
    return passedUp;
  }

  #actForClient(
    now: Instant,
    client: ClientTransaction,
    actions: readonly (InviteClientOutward | NonInviteClientOutward)[],
    response: ValidResponse | undefined,
  ): void {
    if (client.machine.run.state === "terminated") this.#forget(client);
    else this.#moved.add(client);
    for (const action of actions) {
      switch (action) {
        case "resend":
          this.#outbox.count("retransmission-sent");
          this.#transport.sendTo(client.hop, client.ticket, client.octets);
          break;
        case "send ack":
          if (response !== undefined) client.ack = ackTo(client.request, response).octets;
          this.#transport.sendTo(client.hop, NO_TICKET, client.ack);
          break;
        case "pass up":
          if (response !== undefined) client.user.received(now, client, response);
          break;
        case "report timeout":
          client.user.failed(now, client, "timeout");
          break;
        case "report transport error":
          client.user.failed(now, client, "transport-error");
          break;
      }
    }
  }

  #schedule(transaction: Transaction): void {
    const next = transaction.machine.run.next();
    if (next === undefined) this.#deadlines.delete(transaction);
    else if (this.#deadlines.get(transaction) !== next) this.#deadlines.set(transaction, next);
  }

  #joinConnection(transaction: Transaction, flow: Flow): void {
    if (flow.transport === "udp") return;
    const members = this.#onConnection.get(flow.connection);
    if (members === undefined) this.#onConnection.set(flow.connection, new Set([transaction]));
    else members.add(transaction);
  }

  #leaveConnection(transaction: Transaction, flow: Flow): void {
    const members = this.#onConnection.get(flow.connection);
    if (members === undefined) return;
    members.delete(transaction);
    if (members.size === 0) this.#onConnection.delete(flow.connection);
  }

  #forget(transaction: Transaction): void {
    this.#moved.delete(transaction);
    this.#deadlines.delete(transaction);
    if (transaction.side === "server") {
      this.#servers.delete(transaction.key);
      this.#answered.delete(transaction);
      this.#leaveConnection(transaction, transaction.source);
    } else {
      this.#clients.delete(transaction.key);
      this.#byTicket.delete(transaction.ticket);
      if (transaction.hop.type === "flow") this.#leaveConnection(transaction, transaction.hop.flow);
    }
  }
}

interface TimedMachine<Trigger, Action> {
  takeDue(now: Instant): Trigger | undefined;
  step(now: Instant, trigger: Trigger): readonly Action[];
}

/** Steps a machine by the timer that is due first. */
function fire<Trigger, Action>(now: Instant, machine: TimedMachine<Trigger, Action>): readonly Action[] {
  const trigger = machine.takeDue(now);
  return trigger === undefined ? [] : machine.step(now, trigger);
}
