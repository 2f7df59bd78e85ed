// SIP over TCP: connections from phones and connections to wherever a message must go.

import { connect, createServer, type Server, type Socket } from "node:net";
import { type Address, formatAddress } from "../base/address.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Flow } from "../sip/ports.ts";
import { describeListenError, ListenError } from "./listen-error.ts";

export interface TcpEvents {
  readonly received: (flow: Flow, octets: string) => void;
  readonly closed: (connection: number) => void;
  readonly connected: (ticket: number, flow: Flow) => void;
  readonly failed: (ticket: number) => void;
}

interface Connection {
  readonly number: number;
  readonly socket: Socket;
  readonly inbound: boolean;
  readonly source: string;
  /** `host:port` it was opened to; empty if it came from outside. */
  readonly remoteKey: string;
  readonly openedAt: number;
  lastHeard: number;
  /** Whether anything has come from the other side, or we have sent first. */
  used: boolean;
  /** Undefined until it is connected. */
  flow: Flow | undefined;
  /** Questions of the core that wait for the connection. BOUNDED: MAX_WAITING_TICKETS. */
  readonly tickets: number[];
}

/** BOUNDED: the next one from outside is closed unread, the next one to outside fails. */
const MAX_CONNECTIONS = 20_000;
/** From one address; a proxy that serves many phones has few connections, an attacker many. */
const MAX_PER_SOURCE = 32;
const MAX_QUEUED_BYTES = 1 << 20;
const MAX_WAITING_TICKETS = 1_024;
const CONNECT_TIMEOUT_MS = 4_000;
/** A connection from outside says something within this time. That a message is completed in time is the core's care. */
const FIRST_OCTETS_MS = 10_000;
/** Longer than any phone's registration: a connection is its flow, and closing it would cut it off. */
const IDLE_MS = 2 * 3_600_000;
const KEEP_ALIVE_MS = 60_000;
const WATCH_MS = 1_000;

export class TcpPort {
  readonly #events: TcpEvents;
  readonly #limitLoopback: boolean;
  readonly #connections = new BoundedMap<number, Connection>(MAX_CONNECTIONS, "refuse");
  /** Outward connections by `host:port`, to be used again. BOUNDED: by #connections. */
  readonly #byRemote = new Map<string, Connection>();
  readonly #perSource = new Map<string, number>(); // BOUNDED: by #connections
  readonly #servers: Server[] = [];
  #last = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(events: TcpEvents, limitLoopback: boolean) {
    this.#events = events;
    this.#limitLoopback = limitLoopback;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** `host` undefined: every address. The port bound. Rejects with `ListenError`. */
  async open(host: string | undefined, port: number): Promise<number> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) => this.#accepted(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new ListenError(describeListenError(error, "SIP", "TCP", { host, port }, "--sip-port"), error)));
      server.listen(port, host, 1_024, resolve);
    });
    server.on("error", () => {}); // accept failed (no descriptors left): the next one may not
    this.#servers.push(server);
    this.#watch ??= setInterval(() => this.#closeIdle(), WATCH_MS);
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  send(flow: Flow, octets: string): void {
    const connection = this.#connections.get(flow.connection);
    if (connection !== undefined) this.#write(connection, octets);
  }

  /** Over a connection to this address, an open one if there is one. */
  sendTo(ticket: number, remote: Address, octets: string): void {
    const key = formatAddress(remote);
    const connection = this.#byRemote.get(key) ?? this.#connect(key, remote);
    if (connection === undefined || connection.tickets.length >= MAX_WAITING_TICKETS) return this.#events.failed(ticket);
    if (connection.flow === undefined) connection.tickets.push(ticket);
    this.#write(connection, octets);
    if (connection.flow !== undefined) this.#events.connected(ticket, connection.flow);
  }

  closeConnection(number: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    // What was written (an error answer, say) still leaves; then nothing is waited for.
    connection.socket.end();
    setTimeout(() => connection.socket.destroy(), 1_000).unref();
    this.#forget(connection);
  }

  async closeAll(): Promise<void> {
    clearInterval(this.#watch);
    const closed = this.#servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)));
    for (const connection of [...this.#connections.values()]) {
      connection.socket.destroy();
      this.#forget(connection);
    }
    await Promise.all(closed);
  }

  #accepted(socket: Socket): void {
    const source = plain(socket.remoteAddress ?? "");
    const count = this.#perSource.get(source) ?? 0;
    const limited = this.#limitLoopback || !(source.startsWith("127.") || source === "::1");
    if (source === "" || (limited && count >= MAX_PER_SOURCE)) return void socket.destroy();
    const connection = this.#add(socket, source, "");
    if (connection === undefined) return void socket.destroy();
    connection.flow = flowOf(connection);
  }

  #connect(key: string, remote: Address): Connection | undefined {
    if (this.#connections.size >= MAX_CONNECTIONS) return undefined;
    const socket = connect({ host: remote.host, port: remote.port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, lookup: refuseNames });
    const connection = this.#add(socket, remote.host, key);
    if (connection === undefined) return undefined;
    this.#byRemote.set(key, connection);
    const timeout = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS);
    socket.once("close", () => clearTimeout(timeout));
    socket.once("connect", () => {
      clearTimeout(timeout);
      const flow = flowOf(connection);
      connection.flow = flow;
      for (const ticket of connection.tickets.splice(0)) this.#events.connected(ticket, flow);
    });
    return connection;
  }

  #add(socket: Socket, source: string, remoteKey: string): Connection | undefined {
    const now = performance.now();
    const inbound = remoteKey === "";
    const connection: Connection = {
      number: ++this.#last, socket, inbound, source, remoteKey, openedAt: now, lastHeard: now, used: !inbound, flow: undefined, tickets: [],
    };
    if (!this.#connections.set(connection.number, connection)) return undefined;
    if (inbound) this.#perSource.set(source, (this.#perSource.get(source) ?? 0) + 1);
    socket.on("data", (bytes: Buffer) => {
      connection.lastHeard = performance.now();
      connection.used = true;
      if (connection.flow !== undefined && this.#connections.has(connection.number)) {
        this.#events.received(connection.flow, bytes.toString("latin1"));
      }
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => this.#forget(connection));
    return connection;
  }

  #write(connection: Connection, octets: string): void {
    connection.socket.write(octets, "latin1");
    if (connection.socket.writableLength > MAX_QUEUED_BYTES) connection.socket.destroy(); // it does not read
  }

  #forget(connection: Connection): void {
    if (!this.#connections.delete(connection.number)) return;
    if (this.#byRemote.get(connection.remoteKey) === connection) this.#byRemote.delete(connection.remoteKey);
    if (connection.inbound) this.#countDown(connection.source);
    for (const ticket of connection.tickets.splice(0)) this.#events.failed(ticket);
    if (connection.flow !== undefined) this.#events.closed(connection.number);
  }

  #countDown(source: string): void {
    const count = (this.#perSource.get(source) ?? 1) - 1;
    if (count === 0) this.#perSource.delete(source);
    else this.#perSource.set(source, count);
  }

  #closeIdle(): void {
    const now = performance.now();
    for (const connection of [...this.#connections.values()]) {
      const isMute = !connection.used && now - connection.openedAt > FIRST_OCTETS_MS;
      if (isMute || now - connection.lastHeard > IDLE_MS) connection.socket.destroy();
    }
  }
}

function flowOf({ number, socket }: Connection): Flow {
  return {
    transport: "tcp",
    local: { host: plain(socket.localAddress ?? ""), port: socket.localPort ?? 0 },
    remote: { host: plain(socket.remoteAddress ?? ""), port: socket.remotePort ?? 0 },
    connection: number,
  };
}

/** An IPv4 address as a dual-stack socket shows it, as IPv4. */
const plain = (host: string): string => (host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host);

/** Only numeric addresses are connected to; names were resolved before. */
function refuseNames(host: string, _options: unknown, callback: (error: Error, address: string, family: number) => void): void {
  callback(new Error(`${host} is not a numeric address`), "", 0);
}
