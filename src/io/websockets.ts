// SIP over WebSocket (RFC 7118): sub-protocol `sip`, one SIP message a WebSocket message, text or binary.

import { isUtf8 } from "node:buffer";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { LIMITS } from "../sip/message/limits.ts";
import type { Channel, SipConnection, SipConnections } from "./sip-connections.ts";

const SUBPROTOCOL = "sip";

export class WebSockets {
  readonly #connections: SipConnections;
  /** Never listens: its connections are given to it. */
  readonly #http: Server;
  readonly #upgrader: WebSocketServer;
  readonly #upgrading = new WeakMap<Duplex, { readonly connection: SipConnection; readonly socket: Socket }>();

  constructor(connections: SipConnections) {
    this.#connections = connections;
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: LIMITS.headerSection + LIMITS.body,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.#http = createServer({ maxHeaderSize: 16_384 }, (_, response) => {
      response.writeHead(426, { Connection: "close", Upgrade: "websocket", "Content-Type": "text/plain" });
      response.end("SIP over WebSocket is served here.\n");
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("clientError", (_, socket) => void socket.destroy());
  }

  /** A connection on which an HTTP request comes that asks for WebSocket. */
  accept(connection: SipConnection, socket: Socket): void {
    this.#upgrading.set(socket, { connection, socket });
    this.#http.emit("connection", socket);
  }

  #upgrade(request: IncomingMessage, duplex: Duplex, head: Buffer): void {
    const known = this.#upgrading.get(duplex);
    if (known === undefined || !offersSip(request)) {
      duplex.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const { connection, socket } = known;
    this.#upgrader.handleUpgrade(request, duplex, head, (webSocket) => this.#opened(connection, socket, webSocket));
  }

  #opened(connection: SipConnection, socket: Socket, webSocket: WebSocket): void {
    // ws puts messages together out of sight: a message is unfinished from its first octets on.
    socket.on("data", () => {
      connection.unfinishedSince ??= performance.now();
    });
    const whole = (): void => {
      connection.unfinishedSince = undefined;
      this.#connections.alive(connection);
    };
    webSocket.on("message", (data) => {
      whole();
      if (Buffer.isBuffer(data)) this.#connections.heard(connection, data.toString("latin1"));
    });
    webSocket.on("ping", whole);
    webSocket.on("pong", whole);
    webSocket.on("error", () => void socket.destroy());
    webSocket.on("close", () => this.#connections.forget(connection));
    this.#connections.opened(connection, socket, channelOf(webSocket));
  }
}

const offersSip = (request: IncomingMessage): boolean =>
  (request.headers["sec-websocket-protocol"] ?? "").split(",").some((name) => name.trim() === SUBPROTOCOL);

const channelOf = (webSocket: WebSocket): Channel => ({
  write: (octets) => {
    const bytes = Buffer.from(octets, "latin1");
    webSocket.send(bytes, { binary: !isUtf8(bytes) }); // a browser breaks off at a text that is not UTF-8
  },
  end: () => webSocket.close(1_000),
  destroy: () => webSocket.terminate(),
  queuedBytes: () => webSocket.bufferedAmount,
  ping: () => webSocket.ping(),
});
