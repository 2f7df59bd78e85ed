// Who is let through to a route. Every request passes here before anything else is done for it.

import type { IncomingMessage } from "node:http";
import { milliseconds, seconds } from "../../base/time.ts";
import { isOwnHost, isOwnOrigin } from "../../health/access/host-names.ts";
import type { OneTimeCodes } from "../../health/access/one-time-codes.ts";
import type { Session, Sessions } from "../../health/access/sessions.ts";
import { sourceOf, TryLimit } from "../../health/access/try-limit.ts";
import { systemClock } from "../../io/clock.ts";
import type { Route } from "./routes.ts";

/** `__Host-`: a browser takes it over HTTPS only, from this host only, for the whole of it. */
export const COOKIE = "__Host-ringbox";
const TOKEN_HEADER = "x-ringbox-token";

/** Requests of one source; a page with its assets is a dozen, and a chart asks once a minute. */
const REQUESTS_AT_ONCE = 200;
const REQUEST_PAUSE = milliseconds(50);

/** Over what a request came. `local`: the agent's own socket, which only the box's user may open. */
export type Way = "http" | "https" | "local";

export interface Visitor {
  readonly session: Session;
  /** What its cookie holds; empty on the local socket. */
  readonly token: string;
}

export interface Refusal {
  readonly status: number;
  readonly text: string;
}

export interface DoorSettings {
  readonly sessions: Sessions;
  readonly codes: OneTimeCodes;
  /** Names and addresses of this box, lower case. */
  readonly names: () => ReadonlySet<string>;
  /** A session is over, however that came. */
  readonly onEnded: (session: Session) => void;
}

const CONSOLE: Visitor = { session: { id: "console", right: "shell", who: "the box's own console", csrf: "" }, token: "" };

export class Door {
  readonly sessions: Sessions;
  readonly codes: OneTimeCodes;
  readonly #settings: DoorSettings;
  readonly #requests = new TryLimit(REQUESTS_AT_ONCE, REQUEST_PAUSE);
  readonly #timer: NodeJS.Timeout;

  constructor(settings: DoorSettings) {
    this.#settings = settings;
    this.sessions = settings.sessions;
    this.codes = settings.codes;
    this.#timer = setInterval(() => this.#expire(), seconds(5));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Before its route is known: whether the request is for this box at all, and not one too many. */
  greet(request: IncomingMessage, way: Way, port: number): Refusal | undefined {
    if (way === "local") return undefined;
    const { host } = request.headers;
    // Node goes by the first; somebody before it may go by the last.
    if (request.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host").length > 1) return { status: 400, text: "One Host, not two." };
    const address = addressOf(request);
    const names = this.#settings.names();
    if (!isOwnHost(host, { names, port, fromHere: isLoopback(address) })) return { status: 421, text: "This box does not go by that name." };
    if (!this.#requests.allows(systemClock.now(), sourceOf(address))) return { status: 429, text: "Too many requests; wait a moment." };
    return undefined;
  }

  /** Who asks for a route that not everybody may ask for; `undefined` for what needs no session. */
  admit(request: IncomingMessage, way: Way, { access, method }: Pick<Route, "access" | "method">): Visitor | Refusal | undefined {
    if (access === "reading" || access === "fleet") return undefined;
    if (way === "local") return CONSOLE;
    if (access === "local") return { status: 404, text: "There is nothing here." };
    if (way !== "https") return { status: 403, text: "Over HTTPS only." };
    if (method === "POST" && !isOwnOrigin(request.headers.origin, request.headers.host ?? "")) return { status: 403, text: "Not from another page." };
    if (access === "sign-in") return undefined;
    const visitor = this.visitor(request);
    if (visitor === undefined) return { status: 401, text: "Sign in first." };
    const sent = request.headers[TOKEN_HEADER];
    if (method === "POST" && !(typeof sent === "string" && this.sessions.same(sent, visitor.session.csrf))) return { status: 403, text: "The page's token is missing or old; load the page anew." };
    return visitor;
  }

  /** A WebSocket is opened by GET, and a foreign page may open one: its origin counts as that of a POST does. */
  admitUpgrade(request: IncomingMessage): Visitor | Refusal {
    if (!isOwnOrigin(request.headers.origin, request.headers.host ?? "")) return { status: 403, text: "Not from another page." };
    return this.visitor(request) ?? { status: 401, text: "Sign in first." };
  }

  visitor(request: IncomingMessage): Visitor | undefined {
    const token = cookieOf(request);
    const session = token === undefined ? undefined : this.sessions.find(systemClock.now(), token);
    return token === undefined || session === undefined ? undefined : { session, token };
  }

  /** Signs in whoever typed a code that is good, in the place of whom the browser was signed in as. */
  signIn(request: IncomingMessage, typed: string): { readonly visitor: Visitor } | Refusal {
    const now = systemClock.now();
    const address = addressOf(request);
    const redeemed = this.codes.redeem(now, address, typed);
    if (!redeemed.ok) {
      return redeemed.reason === "wrong" ? { status: 403, text: "This code is not one that is good now." } : { status: 429, text: "Too many tries; wait a minute." };
    }
    this.signOut(cookieOf(request) ?? "");
    const { token, session, ended } = this.sessions.open(now, redeemed.grant, address);
    for (const over of ended) this.#settings.onEnded(over);
    return { visitor: { session, token } };
  }

  signOut(token: string): void {
    const session = this.sessions.close(token);
    if (session !== undefined) this.#settings.onEnded(session);
  }

  #expire(): void {
    for (const session of this.sessions.expire(systemClock.now())) this.#settings.onEnded(session);
  }
}

export const isRefusal = (answer: object | undefined): answer is Refusal => answer !== undefined && "status" in answer;

export const addressOf = ({ socket }: IncomingMessage): string => {
  const address = socket.remoteAddress ?? "";
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
};

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

function cookieOf({ headers }: IncomingMessage): string | undefined {
  for (const part of (headers.cookie ?? "").split(";")) {
    const [name, value] = part.trim().split("=", 2);
    if (name === COOKIE && value !== undefined && value.length <= 128) return value;
  }
  return undefined;
}
