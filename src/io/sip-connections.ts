// All SIP connections of a box, whatever they speak: who may have how many, what is idle or reads too slowly,
// and the numbers by which the core knows them.

import type { Socket } from "node:net";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Flow, TransportName } from "../sip/ports.ts";

export interface ConnectionEvents {
  readonly received: (flow: Flow, octets: string) => void;
  readonly closed: (connection: number) => void;
  readonly connected: (ticket: number, flow: Flow) => void;
  readonly failed: (ticket: number) => void;
}

/** What a transport does with its connection. */
export interface Channel {
  write(octets: string): void;
  /** In good order: what was written still leaves. */
  end(): void;
  destroy(): void;
  /** Written and not taken by the other side. */
  queuedBytes(): number;
  /** Asks the other side for a sign of life, where the transport has such a question. */
  ping?(): void;
}

export interface SipConnection {
  readonly number: number;
  readonly transport: TransportName;
  readonly inbound: boolean;
  readonly source: string;
  /** Transport and address it was opened to; empty if it came from outside. */
  readonly remoteKey: string;
  readonly openedAt: number;
  channel: Channel;
  lastHeard: number;
  lastPing: number;
  /** When the message began that is under way, as far as the transport below knows of one. */
  unfinishedSince: number | undefined;
  /** Whether anything has come from the other side, or we have sent first. */
  used: boolean;
  /** Undefined until handshakes are over. */
  flow: Flow | undefined;
  /** Questions of the core that wait for the connection. BOUNDED: MAX_WAITING_TICKETS. */
  readonly tickets: number[];
  /** What is sent as soon as handshakes are over. BOUNDED: by the tickets, one message each. */
  readonly waiting: string[];
}

/** BOUNDED: the next one from outside is closed unread, the next one to outside fails. */
const MAX_CONNECTIONS = 20_000;
/** From one address; a proxy that serves many phones has few connections, an attacker many. */
const MAX_PER_SOURCE = 32;
const MAX_QUEUED_BYTES = 1 << 20;
const MAX_WAITING_TICKETS = 1_024;
/** Within this time a connection from outside has done its handshakes and said something. That a message is completed in time is the core's care. */
const FIRST_OCTETS_MS = 10_000;
/** As the core's patience with a message that was begun; for transports that put messages together themselves. */
const UNFINISHED_MS = 32_000;
/** Longer than any phone's registration: a connection is its flow, and closing it would cut it off. */
const IDLE_MS = 2 * 3_600_000;
/** A WebSocket is asked so often whether the other side is there… */
const PING_MS = 30_000;
/** …and is closed when it has said nothing for so long. */
const UNANSWERED_MS = 95_000;
const WATCH_MS = 1_000;

export class SipConnections {
  readonly #events: ConnectionEvents;
  readonly #limitLoopback: boolean;
  readonly #connections = new BoundedMap<number, SipConnection>(MAX_CONNECTIONS, "refuse");
  /** Outward connections by `remoteKey`, to be used again. BOUNDED: by #connections. */
  readonly #byRemote = new Map<string, SipConnection>();
  readonly #perSource = new Map<string, number>(); // BOUNDED: by #connections
  #last = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(events: ConnectionEvents, limitLoopback: boolean) {
    this.#events = events;
    this.#limitLoopback = limitLoopback;
  }

  start(): void {
    this.#watch ??= setInterval(() => this.#closeIdle(), WATCH_MS);
  }

  /** A connection from outside, before its handshakes; `undefined` and closed if it may not be. */
  accept(socket: Socket, transport: TransportName): SipConnection | undefined {
    const source = plainHost(socket.remoteAddress ?? "");
    const limited = this.#limitLoopback || !(source.startsWith("127.") || source === "::1");
    const mayBe = source !== "" && (!limited || (this.#perSource.get(source) ?? 0) < MAX_PER_SOURCE);
    const connection = mayBe ? this.#add(transport, source, "", socketChannel(socket)) : undefined;
    if (connection === undefined) socket.destroy();
    else this.#perSource.set(source, (this.#perSource.get(source) ?? 0) + 1);
    return connection;
  }

  /** Handshakes are over: what waited is sent, and from now on it is a flow. */
  opened(connection: SipConnection, socket: Socket, channel: Channel): void {
    if (!this.#connections.has(connection.number)) return channel.destroy();
    connection.channel = channel;
    const flow: Flow = {
      transport: connection.transport,
      local: { host: plainHost(socket.localAddress ?? ""), port: socket.localPort ?? 0 },
      remote: { host: plainHost(socket.remoteAddress ?? ""), port: socket.remotePort ?? 0 },
      connection: connection.number,
    };
    connection.flow = flow;
    for (const octets of connection.waiting.splice(0)) this.#write(connection, octets);
    for (const ticket of connection.tickets.splice(0)) this.#events.connected(ticket, flow);
  }

  /** Octets of a stream, or one whole message. */
  heard(connection: SipConnection, octets: string): void {
    connection.used = true;
    this.alive(connection);
    if (connection.flow !== undefined && this.#connections.has(connection.number)) this.#events.received(connection.flow, octets);
  }

  /** A sign of life that is no message. */
  alive(connection: SipConnection): void {
    connection.lastHeard = performance.now();
  }

  send(flow: Flow, octets: string): void {
    const connection = this.#connections.get(flow.connection);
    if (connection !== undefined) this.#write(connection, octets);
  }

  /** Over an open connection to this address, or one that `dial` begins. */
  sendTo(ticket: number, remoteKey: string, octets: string, dial: () => SipConnection | undefined): void {
    const connection = this.#byRemote.get(remoteKey) ?? dial();
    if (connection === undefined || connection.tickets.length >= MAX_WAITING_TICKETS) return this.#events.failed(ticket);
    if (connection.flow === undefined) {
      connection.tickets.push(ticket);
      connection.waiting.push(octets);
      return;
    }
    this.#write(connection, octets);
    this.#events.connected(ticket, connection.flow);
  }

  /** An outward connection that is being opened; `undefined` at the bound. */
  dialed(transport: TransportName, host: string, remoteKey: string, channel: Channel): SipConnection | undefined {
    const connection = this.#add(transport, host, remoteKey, channel);
    if (connection !== undefined) this.#byRemote.set(remoteKey, connection);
    return connection;
  }

  closeConnection(number: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    // What was written (an error answer, say) still leaves; then nothing is waited for.
    connection.channel.end();
    setTimeout(() => connection.channel.destroy(), 1_000).unref();
    this.forget(connection);
  }

  /** All whose end at this box is that address. */
  closeAt(host: string): void {
    for (const { flow, number } of [...this.#connections.values()]) if (flow?.local.host === host) this.closeConnection(number);
  }

  closeAll(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    for (const connection of [...this.#connections.values()]) {
      connection.channel.destroy();
      this.forget(connection);
    }
  }

  /** Its socket is closed. */
  forget(connection: SipConnection): void {
    if (!this.#connections.delete(connection.number)) return;
    if (this.#byRemote.get(connection.remoteKey) === connection) this.#byRemote.delete(connection.remoteKey);
    if (connection.inbound) this.#countDown(connection.source);
    for (const ticket of connection.tickets.splice(0)) this.#events.failed(ticket);
    if (connection.flow !== undefined) this.#events.closed(connection.number);
  }

  #add(transport: TransportName, source: string, remoteKey: string, channel: Channel): SipConnection | undefined {
    const now = performance.now();
    const inbound = remoteKey === "";
    const connection: SipConnection = {
      number: ++this.#last, transport, inbound, source, remoteKey, channel, openedAt: now, lastHeard: now, lastPing: now,
      unfinishedSince: undefined, used: !inbound, flow: undefined, tickets: [], waiting: [],
    };
    return this.#connections.set(connection.number, connection) ? connection : undefined;
  }

  #write(connection: SipConnection, octets: string): void {
    connection.channel.write(octets);
    if (connection.channel.queuedBytes() > MAX_QUEUED_BYTES) connection.channel.destroy(); // it does not read
  }

  #countDown(source: string): void {
    const count = (this.#perSource.get(source) ?? 1) - 1;
    if (count === 0) this.#perSource.delete(source);
    else this.#perSource.set(source, count);
  }

  #closeIdle(): void {
    const now = performance.now();
    for (const connection of this.#connections.values()) {
      if (isOver(connection, now)) connection.channel.destroy();
      else if (connection.channel.ping !== undefined && now - connection.lastPing > PING_MS) {
        connection.lastPing = now;
        connection.channel.ping();
      }
    }
  }
}

function isOver({ used, openedAt, lastHeard, unfinishedSince, channel }: SipConnection, now: number): boolean {
  if (!used && now - openedAt > FIRST_OCTETS_MS) return true;
  if (unfinishedSince !== undefined && now - unfinishedSince > UNFINISHED_MS) return true;
  return now - lastHeard > (channel.ping === undefined ? IDLE_MS : UNANSWERED_MS);
}

/** Octets as they are, over TCP or TLS. */
export const socketChannel = (socket: Socket): Channel => ({
  write: (octets) => void socket.write(octets, "latin1"),
  end: () => void socket.end(),
  destroy: () => void socket.destroy(),
  queuedBytes: () => socket.writableLength,
});

/** An IPv4 address as a dual-stack socket shows it, as IPv4. */
const plainHost = (host: string): string => (host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host);
