// Signing in and out. There is no password: a code comes from the box's own console or from `ringbox web-code`.

import { hours } from "../../base/time.ts";
import { shownText } from "../../health/access/shown-text.ts";
import { systemClock } from "../../io/clock.ts";
import { sendJson, sendText } from "./answers.ts";
import { readJson, textIn } from "./json-body.ts";
import { COOKIE, type Door, isRefusal, type Visitor } from "./door.ts";
import type { Route } from "./routes.ts";

/** What `GET /api/session` and a sign-in answer; the page sends `token` as `x-ringbox-token` with each POST. */
export interface SessionAnswer {
  readonly who: string;
  readonly right: "actions" | "shell";
  readonly token: string;
}

export interface SignInSettings {
  readonly door: Door;
  readonly onEvent: (text: string) => void;
  /** SHA-256 of the page's certificate, for people to compare. */
  readonly fingerprint: () => string;
  /** Where to type the code: `https://host:port/…`. */
  readonly page: string;
}

/** The browser forgets the cookie then; the box ends the session before. */
const COOKIE_LIVES = hours(12);

export function signInRoutes({ door, onEvent, fingerprint, page }: SignInSettings): readonly Route[] {
  return [
    // Where the page is, for whoever has the report already.
    { method: "GET", path: "/api/address", access: "reading", answer: ({ response }) => sendJson(response, 200, { page }) },
    // From the plain page to the one that can do something: by the name that the browser knows this box by.
    {
      method: "GET", path: "/sign-in", access: "reading",
      answer: ({ request, response }) => {
        const to = new URL(page);
        if (request.headers.host !== undefined) to.hostname = new URL(`http://${request.headers.host}`).hostname;
        response.writeHead(302, { location: to.href });
        response.end();
      },
    },
    {
      method: "GET", path: "/api/session", access: "sign-in",
      answer: ({ request, response }) => {
        const visitor = door.visitor(request);
        if (visitor === undefined) sendText(response, 401, "Nobody is signed in.");
        else sendJson(response, 200, answerOf(visitor));
      },
    },
    {
      method: "POST", path: "/api/sign-in", access: "sign-in",
      answer: async ({ request, response }) => {
        const body = await readJson(request);
        if (isRefusal(body)) return sendText(response, body.status, body.text);
        const signedIn = door.signIn(request, textIn(body, "code"));
        if (isRefusal(signedIn)) return sendText(response, signedIn.status, signedIn.text);
        const { visitor } = signedIn;
        onEvent(`${visitor.session.who} signed in on the page.`);
        response.setHeader("set-cookie", `${COOKIE}=${visitor.token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${COOKIE_LIVES / 1_000}`);
        sendJson(response, 200, answerOf(visitor));
      },
    },
    {
      method: "POST", path: "/api/sign-out", access: "signed-in",
      answer: ({ response, visitor }) => {
        if (visitor !== undefined) door.signOut(visitor.token);
        response.setHeader("set-cookie", `${COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`);
        sendJson(response, 200, { text: "Signed out." });
      },
    },
    {
      method: "POST", path: "/api/code", access: "local",
      answer: async ({ request, response }) => {
        const body = await readJson(request);
        if (isRefusal(body)) return sendText(response, body.status, body.text);
        const right = textIn(body, "right") === "shell" ? "shell" : "actions";
        const holder = shownText(textIn(body, "holder"), 40);
        const now = systemClock.now();
        const { code, until } = door.codes.make(now, { right, holder });
        onEvent(`A code to sign in on the page was made${holder === "" ? "" : ` for ${holder}`}${right === "shell" ? ", with the right to a shell" : ""}.`);
        sendJson(response, 200, { code, right, goodForSeconds: Math.round((until - now) / 1_000), page, fingerprint: fingerprint() });
      },
    },
  ];
}

const answerOf = ({ session: { who, right, csrf } }: Visitor): SessionAnswer => ({ who, right, token: csrf });
