// The transport layer (RFC 3261 18): framing of TCP connections, keep-alives, which flows are alive,
// where a response goes, and which way a request leaves.

import type { Address } from "../../base/address.ts";
import { BoundedMap } from "../../base/bounded-map.ts";
import { DeadlineQueue } from "../../base/deadline-queue.ts";
import { after, type Instant, seconds } from "../../base/time.ts";
import { CORE_LIMITS } from "../limits.ts";
import type { SipRequest } from "../message/message.ts";
import type { Via } from "../message/via.ts";
import { type Framed, StreamFramer } from "../message/stream-framer.ts";
import { NO_TICKET, type Outbox } from "../outbox.ts";
import type { Flow, Ticket, TransportName } from "../ports.ts";
import type { LocalEnds } from "./local-ends.ts";
import { canonicalHost } from "./numeric-host.ts";

/** Where a request is sent. */
export type Hop =
  /** A flow that a phone opened or registered. */
  | { readonly type: "flow"; readonly flow: Flow }
  /** `from`: the local address, if not the one that leads there. */
  | { readonly type: "address"; readonly transport: TransportName; readonly remote: Address; readonly name?: string | undefined; readonly from?: string | undefined };

export const hopTransport = (hop: Hop): TransportName => (hop.type === "flow" ? hop.flow.transport : hop.transport);
export const hopRemote = (hop: Hop): Address => (hop.type === "flow" ? hop.flow.remote : hop.remote);

/** How long a message may be under way on a connection before the rest of it is given up… */
const PATIENCE = seconds(32);
/** …and its header section, which decides whether anything is owed to the sender. */
const HEADER_PATIENCE = seconds(10);

interface Connection {
  readonly flow: Flow;
  readonly framer: StreamFramer;
}

export class Transport {
  readonly #outbox: Outbox;
  readonly #connections = new BoundedMap<number, Connection>(CORE_LIMITS.connections, "refuse");
  /** Connections that hold the beginning of a message, by their number. */
  readonly #unfinished = new DeadlineQueue<number>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** What is whole of what came in: each message in order, and at last perhaps the break of a stream. */
  receive(now: Instant, flow: Flow, octets: string): readonly Framed[] {
    if (flow.transport === "udp") return [{ type: "message", octets }];
    if (flow.transport === "ws" || flow.transport === "wss") return this.#receiveFrame(flow, octets);
    const connection = this.opened(flow);
    if (connection === undefined) return [];
    const { inHeaderSection: inHeader } = connection.framer;
    const framed = connection.framer.push(octets);
    for (const piece of framed) if (piece.type === "ping") this.send(flow, "\r\n");
    this.#watch(now, connection, framed.length > 0, inHeader);
    return framed;
  }

  /** RFC 7118: each WebSocket message is one SIP message, or a keep-alive. */
  #receiveFrame(flow: Flow, octets: string): readonly Framed[] {
    if (this.opened(flow) === undefined) return [];
    if (octets !== "\r\n\r\n") return octets === "\r\n" || octets === "" ? [] : [{ type: "message", octets }];
    this.send(flow, "\r\n");
    return [];
  }

  #watch(now: Instant, { flow, framer }: Connection, hasMoved: boolean, wasInHeader: boolean): void {
    if (framer.pending === 0) return void this.#unfinished.delete(flow.connection);
    const isNew = hasMoved || this.#unfinished.get(flow.connection) === undefined;
    if (isNew || wasInHeader !== framer.inHeaderSection) this.#unfinished.set(flow.connection, after(now, framer.inHeaderSection ? HEADER_PATIENCE : PATIENCE));
  }

  /** A connection on which a message was begun and not finished in time; one at a time, until `undefined`. */
  takeStalled(now: Instant): number | undefined {
    return this.#unfinished.takeDue(now);
  }
  nextDeadline(): Instant | undefined {
    return this.#unfinished.next();
  }

  /** Notes a connection that is new; `undefined` and closed at the bound. */
  opened(flow: Flow): Connection | undefined {
    const known = this.#connections.get(flow.connection);
    if (known !== undefined) return known;
    const connection: Connection = { flow, framer: new StreamFramer() };
    if (this.#connections.set(flow.connection, connection)) return connection;
    this.#outbox.count("connections-at-limit");
    this.#outbox.emit({ type: "close-connection", connection: flow.connection });
    return undefined;
  }

  close(connection: number): void {
    this.closed(connection);
    this.#outbox.emit({ type: "close-connection", connection });
  }

  closed(connection: number): void {
    this.#connections.delete(connection);
    this.#unfinished.delete(connection);
  }

  isOpen(connection: number): boolean {
    return this.#connections.has(connection);
  }

  /**
   * The flow to use for one that was remembered: itself for UDP, the living connection for TCP. Numbers of
   * connections start anew with the process, so the far end must be the same as well.
   */
  alive(flow: Flow): Flow | undefined {
    if (flow.transport === "udp") return flow;
    const connection = this.#connections.get(flow.connection);
    return connection !== undefined && sameEnd(connection.flow.remote, flow.remote) ? connection.flow : undefined;
  }

  send(flow: Flow, octets: string): void {
    this.#outbox.emit({ type: "send", flow, octets });
  }

  /** A response: over its flow, or, where that is known to be closed, over a new connection to where the sender listens. */
  respond(flow: Flow, otherwise: Hop | undefined, octets: string): void {
    if (otherwise === undefined) return this.send(flow, octets);
    this.#outbox.count("response-over-new-connection");
    this.sendTo(otherwise, NO_TICKET, octets);
  }

  /** Open connections to a host. */
  connectionsTo(host: string): readonly number[] {
    return [...this.#connections.values()].flatMap(({ flow }) => (isSameHost(flow.remote.host, host) ? [flow.connection] : []));
  }

  sendTo(hop: Hop, ticket: Ticket, octets: string): void {
    if (hop.type === "flow") this.send(hop.flow, octets);
    else this.#outbox.emit({ type: "connect", ticket, transport: hop.transport, remote: hop.remote, name: hop.name, from: hop.from, octets });
  }
}

const sameEnd = (a: Address, b: Address): boolean => a.port === b.port && isSameHost(a.host, b.host);

/** Written differently or not. */
const isSameHost = (a: string, b: string): boolean => a === b || canonicalHost(a) === canonicalHost(b);

/**
 * Where the responses to a request go (RFC 3261 18.2.2, RFC 3581): its connection, or the source of the
 * datagram. Without rport RFC 3261 wants the sent-by port; that is right for a phone that sends from one
 * port and listens on another, and wrong behind a NAT: there sent-by does not name the source host.
 */
export function responseFlow(request: SipRequest, flow: Flow): Flow {
  if (flow.transport !== "udp") return flow;
  const via = request.topVia;
  if (via === undefined || via.rport !== undefined) return flow;
  if (!isSameHost(via.host, flow.remote.host)) return flow;
  return { ...flow, remote: { host: flow.remote.host, port: via.port ?? 5060 } };
}

/**
 * Where the response to a request goes whose connection is closed (RFC 3261 18.2.2): the host that it came from, at the
 * port where the sender listens. A box that may be dead is found at its service address, whoever has that then.
 * `undefined`: it came by UDP, or from a browser, which nobody can call back, or from where nothing may be sent.
 */
export function hopBack(via: Via, ends: LocalEnds): Hop | undefined {
  const transport = via.transport === "TCP" ? "tcp" : via.transport === "TLS" ? "tls" : undefined;
  if (transport === undefined) return undefined;
  const host = ends.isServiceAddress(via.host) ? via.host : (via.received ?? via.host);
  const remote = { host: canonicalHost(host), port: via.port ?? (transport === "tls" ? 5061 : 5060) };
  // This box has the address of the dead one: it reads its own datagram as a response that comes there.
  if (ends.isServiceAddress(host) && ends.isSentBy(host, remote.port)) return { type: "address", transport: "udp", remote, from: host };
  return ends.mayReach(remote) ? { type: "address", transport, remote } : undefined;
}
