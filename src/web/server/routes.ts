// Every path that the agent serves: what answers it, who may ask, and over what. A test walks this table.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Visitor } from "./door.ts";

export interface Route {
  readonly method: "GET" | "POST";
  /** Exact; with a `/*` at its end also all below. */
  readonly path: string;
  /**
   * `reading`: anybody on the LAN; it says no secrets. `fleet`: signed by a box of the fleet. `sign-in`: over
   * HTTPS, without a session. `signed-in`: over HTTPS, with one. `local`: on the agent's own socket only. That socket is served everything.
   */
  readonly access: "reading" | "fleet" | "sign-in" | "signed-in" | "local";
  readonly answer: (exchange: Exchange) => void | Promise<void>;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** Who asks; there for each route that is not for reading or signing in. */
  readonly visitor: Visitor | undefined;
}

/** The route of a request; `"method"`: the path is known, its method is not. */
export function findRoute(routes: readonly Route[], method: string, path: string): Route | "method" | undefined {
  const ofPath = routes.filter((route) => (route.path.endsWith("/*") ? path.startsWith(route.path.slice(0, -1)) : path === route.path));
  const wanted = method === "HEAD" ? "GET" : method;
  return ofPath.find((route) => route.method === wanted) ?? (ofPath.length > 0 ? "method" : undefined);
}
