// SIP over TCP: connections that phones opened and those that we did, by number. A number is never used
// twice in the life of the process, so that a flow token of a connection that is gone never names another.

import { connect, createServer, type Server, type Socket } from "node:net";
import { type Address, formatAddress, isIpv6 } from "../base/address.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import type { Flow } from "../sip/ports.ts";
import { describeListenError, ListenError } from "./listen-error.ts";
import type { SipEvent } from "./sip-sockets.ts";

/** At the bound a new connection is closed unread. */
const CONNECTIONS_MAX = 20_000;
/** From one address; many phones behind one NAT are fewer. Loopback has no bound of its own. */
const CONNECTIONS_OF_ONE_SOURCE_MAX = 256;
/** A connection that has not said anything yet. */
const FIRST_OCTETS_MS = 10_000;
/** A connection that has: phones refresh their registration far more often. */
const IDLE_MS = 2 * 3_600_000;
const CONNECT_MS = 4_000;
/** Octets that the other side does not take; above it the connection is given up. */
const UNSENT_MAX = 1_024 * 1_024;
/** Messages that wait for a connection to open; above it the next one fails. */
const WAITING_MAX = 64;

interface Connection {
  readonly socket: Socket;
  readonly flow: Flow;
  readonly source: string;
  /** Messages that wait for the connection to open, with their tickets. BOUNDED: by WAITING_MAX. */
  readonly waiting: { readonly ticket: number; readonly octets: string }[];
  isOpen: boolean;
}

export class SipConnections {
  readonly #onInput: (input: SipEvent) => void;
  readonly #onReport: (level: "debug" | "info" | "warning", text: string) => void;
  readonly #connections = new BoundedMap<number, Connection>(CONNECTIONS_MAX, "refuse");
  /** Connections by the address at their far end, for reuse. BOUNDED: by the connections. */
  readonly #byRemote = new Map<string, number>();
  /** How many there are from each source. BOUNDED: by the connections. */
  readonly #bySource = new Map<string, number>();
  /** Written to since the last flush. BOUNDED: by the connections. */
  readonly #corked = new Set<Socket>();
  /** By local address. BOUNDED: by the addresses served. */
  readonly #servers = new Map<string, Server>();
  #last = 0;

  constructor(
    onInput: (input: SipEvent) => void,
    onReport: (level: "debug" | "info" | "warning", text: string) => void,
  ) {
    this.#onInput = onInput;
    this.#onReport = onReport;
  }

  /** Rejects with a `ListenError`. */
  async listen({ host, port }: Address): Promise<void> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) =>
        reject(new ListenError(describeListenError(error, "SIP", "TCP", { host, port }, "--sip-port"))),
      );
      server.listen({ host, port, ipv6Only: isIpv6(host), backlog: 1_024 }, resolve);
    });
    server.removeAllListeners("error");
    server.on("error", (error) => this.#onReport("warning", `SIP over TCP on ${host}: ${error.message}`));
    this.#servers.set(host, server);
  }

  stopListening(host: string): void {
    this.#servers.get(host)?.close();
    this.#servers.delete(host);
  }

  send(number: number, octets: string): void {
    const connection = this.#connections.get(number);
    if (connection !== undefined) this.#write(connection, octets);
  }

  /** Over an open connection to that address, or a new one from `local`. */
  connect(ticket: number, local: string, remote: Address, octets: string): void {
    const known = this.#connections.get(this.#byRemote.get(formatAddress(remote)) ?? 0);
    const connection = known ?? this.#dial(local, remote);
    if (connection === undefined || connection.waiting.length >= WAITING_MAX) {
      return this.#onInput({ type: "transport-error", ticket });
    }
    connection.waiting.push({ ticket, octets });
    if (connection.isOpen) this.#sendWaiting(connection);
  }

  /** Ends a connection after what was written to it. */
  end(number: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    this.#uncork(connection.socket);
    connection.socket.end(() => connection.socket.destroy());
  }

  /** What was written since the last flush leaves in one piece a connection. */
  flush(): void {
    for (const socket of this.#corked) socket.uncork();
    this.#corked.clear();
  }

  async close(): Promise<void> {
    for (const { socket } of this.#connections.values()) socket.destroy();
    await Promise.all([...this.#servers.values()].map((server) => new Promise((resolve) => server.close(resolve))));
    this.#servers.clear();
  }

  #accept(socket: Socket): void {
    const source = socket.remoteAddress ?? "";
    const count = this.#bySource.get(source) ?? 0;
    if (count >= CONNECTIONS_OF_ONE_SOURCE_MAX && source !== "127.0.0.1" && source !== "::1") return void socket.destroy();
    const remote = { host: source, port: socket.remotePort ?? 0 };
    const local = { host: socket.localAddress ?? "", port: socket.localPort ?? 0 };
    const connection = this.#add(socket, { transport: "tcp", local, remote, connection: ++this.#last });
    if (connection === undefined) return void socket.destroy();
    connection.isOpen = true;
    socket.setTimeout(FIRST_OCTETS_MS);
  }

  #dial(local: string, remote: Address): Connection | undefined {
    const socket = connect({ host: remote.host, port: remote.port, localAddress: local, noDelay: true, keepAlive: true });
    const flow: Flow = { transport: "tcp", local: { host: local, port: 0 }, remote, connection: ++this.#last };
    const connection = this.#add(socket, flow);
    if (connection === undefined) {
      socket.destroy();
      return undefined;
    }
    socket.setTimeout(CONNECT_MS);
    socket.once("connect", () => {
      connection.isOpen = true;
      socket.setTimeout(IDLE_MS);
      this.#sendWaiting(connection);
      this.flush();
    });
    return connection;
  }

  #add(socket: Socket, flow: Flow): Connection | undefined {
    const source = flow.remote.host;
    const connection: Connection = { socket, flow, source, waiting: [], isOpen: false };
    socket.on("error", (error) => this.#onReport("debug", `SIP over TCP with ${formatAddress(flow.remote)}: ${error.message}`));
    if (!this.#connections.set(flow.connection, connection)) return undefined;
    this.#bySource.set(source, (this.#bySource.get(source) ?? 0) + 1);
    this.#byRemote.set(formatAddress(flow.remote), flow.connection);
    socket.on("timeout", () => socket.destroy());
    socket.on("data", (chunk) => {
      socket.setTimeout(IDLE_MS);
      this.#onInput({ type: "received", flow, octets: chunk.toString("latin1") });
    });
    socket.on("close", () => this.#forget(connection));
    return connection;
  }

  #sendWaiting(connection: Connection): void {
    for (const { ticket, octets } of connection.waiting.splice(0)) {
      this.#onInput({ type: "connected", ticket, flow: connection.flow });
      this.#write(connection, octets);
    }
  }

  #write(connection: Connection, octets: string): void {
    const { socket } = connection;
    if (socket.writableLength > UNSENT_MAX) {
      this.#onReport("info", `${formatAddress(connection.flow.remote)} does not take what is sent to it over TCP; closed.`);
      return void socket.destroy();
    }
    if (!this.#corked.has(socket)) {
      socket.cork();
      this.#corked.add(socket);
    }
    socket.write(octets, "latin1");
  }

  #uncork(socket: Socket): void {
    if (this.#corked.delete(socket)) socket.uncork();
  }

  #forget(connection: Connection): void {
    const { flow, source, waiting, socket } = connection;
    this.#corked.delete(socket);
    this.#connections.delete(flow.connection);
    const remote = formatAddress(flow.remote);
    if (this.#byRemote.get(remote) === flow.connection) this.#byRemote.delete(remote);
    const left = (this.#bySource.get(source) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, left);
    for (const { ticket } of waiting.splice(0)) this.#onInput({ type: "transport-error", ticket });
    if (connection.isOpen) this.#onInput({ type: "connection-closed", connection: flow.connection });
  }
}
