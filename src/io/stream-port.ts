// One listening port of SIP connections: TCP or TLS, with SIP itself or with WebSocket on top.

import { createServer, type Server, type Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { describeListenError, ListenError } from "./listen-error.ts";
import { type SipConnection, type SipConnections, socketChannel } from "./sip-connections.ts";
import type { WebSockets } from "./websockets.ts";

export type StreamTransport = "tcp" | "tls" | "ws" | "wss";

/** The certificate for a name that a client asks for, or for none; `undefined`: there is none yet. */
export type ContextFor = (servername: string | undefined) => SecureContext | undefined;

export interface StreamPortSettings {
  readonly transport: StreamTransport;
  readonly connections: SipConnections;
  readonly webSockets: WebSockets;
  readonly contextFor: ContextFor;
  /** The option by which an operator chooses another port. */
  readonly option: string;
}

const KEEP_ALIVE_MS = 60_000;

export class StreamPort {
  readonly #settings: StreamPortSettings;
  #server: Server | undefined;

  constructor(settings: StreamPortSettings) {
    this.#settings = settings;
  }

  /** `host` undefined: every address. The port bound. Rejects with `ListenError`. */
  async open(host: string | undefined, port: number): Promise<number> {
    const { option, connections } = this.#settings;
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) => this.#accepted(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(new ListenError(describeListenError(error, "SIP", "TCP", { host, port }, option), error)));
      server.listen(port, host, 1_024, resolve);
    });
    server.on("error", () => {}); // accept failed (no descriptors left): the next one may not
    this.#server = server;
    connections.start();
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** Takes no more; connections that are open are the owner's to close. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  #accepted(socket: Socket): void {
    const { transport, connections } = this.#settings;
    const connection = connections.accept(socket, transport);
    if (connection === undefined) return;
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => connections.forget(connection));
    if (transport === "tcp" || transport === "ws") this.#speak(connection, socket);
    else this.#secure(connection, socket);
  }

  #secure(connection: SipConnection, socket: Socket): void {
    const { contextFor, connections } = this.#settings;
    const secureContext = contextFor(undefined);
    if (secureContext === undefined) return void socket.destroy();
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      SNICallback: (servername, answer) => answer(null, contextFor(servername)),
    });
    secured.on("error", () => void socket.destroy());
    secured.on("close", () => {
      socket.destroy();
      connections.forget(connection);
    });
    secured.once("secure", () => this.#speak(connection, secured));
  }

  #speak(connection: SipConnection, socket: Socket): void {
    const { transport, connections, webSockets } = this.#settings;
    if (transport === "ws" || transport === "wss") return webSockets.accept(connection, socket);
    connections.opened(connection, socket, socketChannel(socket));
    socket.on("data", (bytes: Buffer) => connections.heard(connection, bytes.toString("latin1")));
  }
}
