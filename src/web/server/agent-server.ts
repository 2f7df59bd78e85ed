// The agent's servers, one for each way in: plain HTTP for reading, HTTPS for who is signed in, and a Unix socket for
// the box's own console. All serve the same routes; the door decides.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import { seconds } from "../../base/time.ts";
import { sourceOf } from "../../health/access/try-limit.ts";
import { describeListenError, ListenError } from "../../io/listen-error.ts";
import { sendText } from "./answers.ts";
import { type Door, isRefusal, type Refusal, type Visitor, type Way } from "./door.ts";
import { findRoute, type Route } from "./routes.ts";

const HEADERS_MAX_BYTES = 16 * 1_024;
const CONNECTIONS_MAX = 256;
/** So that one slow reader leaves room for the others. */
const CONNECTIONS_PER_SOURCE_MAX = 32;
const HEADERS_WAIT = seconds(10);
const REQUEST_WAIT = seconds(15);
const HANDSHAKE_WAIT = seconds(10);

export interface AgentServerSettings {
  readonly listen: { readonly host: string | undefined; readonly port: number } | { readonly path: string };
  /** The option by which another port is chosen. */
  readonly option: string;
  /** With it, HTTPS. */
  readonly secure?: SecureContextOptions;
  readonly routes: readonly Route[];
  readonly door: Door;
  /** A WebSocket at this path, once the visitor is known to be signed in. */
  readonly upgrade?: { readonly path: string; readonly open: (upgrade: Upgrade) => Refusal | undefined };
}

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly url: URL;
  readonly visitor: Visitor;
}

export class AgentServer {
  readonly #settings: AgentServerSettings;
  readonly #server: Server | SecureServer;
  readonly #way: Way;
  /** Open connections by source. BOUNDED: by CONNECTIONS_MAX. */
  readonly #sources = new Map<string, number>();
  #port = 0;

  constructor(settings: AgentServerSettings) {
    this.#settings = settings;
    const limits = { maxHeaderSize: HEADERS_MAX_BYTES, headersTimeout: HEADERS_WAIT, requestTimeout: REQUEST_WAIT, connectionsCheckingInterval: 2_000 };
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response);
    this.#way = "path" in settings.listen ? "local" : settings.secure === undefined ? "http" : "https";
    this.#server =
      settings.secure === undefined
        ? createServer(limits, answer)
        : createSecureServer({ ...limits, ...settings.secure, minVersion: "TLSv1.2", handshakeTimeout: HANDSHAKE_WAIT }, answer);
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("connection", (socket: Socket) => this.#accept(socket));
    this.#server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head));
  }

  /** Rejects with a `ListenError`. Resolves with the port, which the system chose if it was 0. */
  open(): Promise<number> {
    const { listen, option } = this.#settings;
    return new Promise((opened, failed) => {
      this.#server.once("error", (error) =>
        failed("path" in listen ? new ListenError(`the socket ${listen.path} cannot be served: ${error.message}`, error) : new ListenError(describeListenError(error, "page's", "TCP", listen, option), error)),
      );
      const where = "path" in listen ? { path: listen.path } : { port: listen.port, ...(listen.host === undefined ? {} : { host: listen.host }) };
      // A Unix socket is bound before `listen` returns, and nobody else may open it, not even for a moment.
      const mask = process.umask(0o177);
      this.#server.listen(where, () => {
        const address = this.#server.address();
        this.#port = typeof address === "object" && address !== null ? address.port : 0;
        opened(this.#port);
      });
      process.umask(mask);
    });
  }

  /** Connections that are open keep what they have; the next ones get this. */
  renew(secure: SecureContextOptions): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext({ ...secure, minVersion: "TLSv1.2" });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #accept(socket: Socket): void {
    if (this.#way === "local") return;
    const source = sourceOf(socket.remoteAddress ?? "");
    const open = this.#sources.get(source) ?? 0;
    if (open >= CONNECTIONS_PER_SOURCE_MAX) return void socket.destroy();
    this.#sources.set(source, open + 1);
    socket.on("close", () => {
      const left = (this.#sources.get(source) ?? 1) - 1;
      if (left > 0) this.#sources.set(source, left);
      else this.#sources.delete(source);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { routes, door } = this.#settings;
    const greeted = door.greet(request, this.#way, this.#port);
    if (greeted !== undefined) return refuse(response, greeted);
    const url = urlOf(request);
    if (url === undefined) return refuse(response, { status: 400, text: "This is no address." });
    const route = findRoute(routes, request.method ?? "", url.pathname);
    if (route === undefined) return refuse(response, { status: 404, text: "There is nothing here." });
    if (route === "method") return refuse(response, { status: 405, text: "Not by this method." });
    const visitor = door.admit(request, this.#way, route);
    if (isRefusal(visitor)) return refuse(response, visitor);
    try {
      Promise.resolve(route.answer({ request, response, url, visitor })).catch((error: unknown) => this.#fail(response, error));
    } catch (error) {
      this.#fail(response, error);
    }
  }

  /** A refused upgrade is answered in plain HTTP, before anything is made for it. */
  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const { door, upgrade } = this.#settings;
    const url = urlOf(request);
    const refused = door.greet(request, this.#way, this.#port);
    if (refused !== undefined) return refuseUpgrade(socket, refused);
    if (upgrade === undefined || url === undefined || url.pathname !== upgrade.path || this.#way !== "https") return refuseUpgrade(socket, { status: 404, text: "There is nothing here." });
    const visitor = door.admitUpgrade(request);
    const answer = isRefusal(visitor) ? visitor : upgrade.open({ request, socket, head, url, visitor });
    if (answer !== undefined) refuseUpgrade(socket, answer);
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (!response.headersSent) sendText(response, 500, "The agent has a fault here; its journal says which.");
    process.stderr.write(`ringbox-agent: internal fault: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}

/** Whatever else the request brings is not read. */
function refuse(response: ServerResponse, { status, text }: Refusal): void {
  response.setHeader("connection", "close");
  sendText(response, status, text);
}

const refuseUpgrade = (socket: Duplex, { status, text }: Refusal): void =>
  void socket.end(`HTTP/1.1 ${status} Refused\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`);

function urlOf({ url }: IncomingMessage): URL | undefined {
  return url?.startsWith("/") === true && URL.canParse(url, "http://box") ? new URL(url, "http://box") : undefined;
}
