// The agent's HTTP server: finds the route of a request, and refuses what has none.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { seconds } from "../../base/time.ts";
import { describeListenError, ListenError } from "../../io/listen-error.ts";
import { sendText } from "./answers.ts";
import { findRoute, type Route } from "./routes.ts";

const HEADERS_MAX_BYTES = 16 * 1_024;
const CONNECTIONS_MAX = 256;
const HEADERS_WAIT = seconds(10);
const REQUEST_WAIT = seconds(30);

export interface AgentServerSettings {
  /** Numeric address; `undefined`: all. */
  readonly listen: string | undefined;
  readonly port: number;
  readonly routes: readonly Route[];
}

export class AgentServer {
  readonly #settings: AgentServerSettings;
  readonly #server: Server;

  constructor(settings: AgentServerSettings) {
    this.#settings = settings;
    this.#server = createServer({ maxHeaderSize: HEADERS_MAX_BYTES, headersTimeout: HEADERS_WAIT, requestTimeout: REQUEST_WAIT }, (request, response) =>
      this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Rejects with a `ListenError`. Resolves with the port, which the system chose if it was 0. */
  open(): Promise<number> {
    const { listen, port } = this.#settings;
    return new Promise((opened, failed) => {
      this.#server.once("error", (error) => failed(new ListenError(describeListenError(error, "page's", "TCP", { host: listen, port }, "--http-port"), error)));
      this.#server.listen({ port, ...(listen === undefined ? {} : { host: listen }) }, () => {
        const address = this.#server.address();
        opened(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = urlOf(request);
    if (url === undefined) return sendText(response, 400, "This is no address.");
    const route = findRoute(this.#settings.routes, request.method ?? "", url.pathname);
    if (route === undefined) return sendText(response, 404, "There is nothing here.");
    if (route === "method") return sendText(response, 405, "Not by this method.");
    if (route.access === "signed-in") return sendText(response, 403, "Sign in over HTTPS.");
    try {
      Promise.resolve(route.answer({ request, response, url })).catch((error: unknown) => this.#fail(response, error));
    } catch (error) {
      this.#fail(response, error);
    }
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (!response.headersSent) sendText(response, 500, "The agent has a fault here; its journal says which.");
    process.stderr.write(`ringbox-agent: internal fault: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
}

function urlOf({ url }: IncomingMessage): URL | undefined {
  return url?.startsWith("/") === true && URL.canParse(url, "http://box") ? new URL(url, "http://box") : undefined;
}
