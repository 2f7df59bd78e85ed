// Recent calls and their messages. Who called whom, and by which Call-ID and tags, is for who is signed in: with those
// anybody could end a call that goes on.

import { CALL_PATH } from "../../io/agent/call-exchange.ts";
import { parseJson } from "../../io/control-frames.ts";
import { ENVELOPE_MAX_BYTES, type SignedText } from "../../io/agent/envelope.ts";
import type { CallEntry, CallLadder } from "../../health/report.ts";
import { callListPage, ladderPage } from "../page/call-view.ts";
import { send, sendJson, sendText } from "./answers.ts";
import { readBody } from "./read-body.ts";
import type { Exchange, Route } from "./routes.ts";

export interface CallReadings {
  readonly entries: () => readonly CallEntry[];
  readonly ladder: (name: string) => Promise<CallLadder | undefined>;
  readonly answerCall: (envelope: unknown) => Promise<SignedText | undefined>;
  readonly wall: () => number;
}

const PAGES = "/calls/";
const DOCUMENTS = "/api/calls/";

export function callRoutes({ entries, ladder, answerCall, wall }: CallReadings): readonly Route[] {
  const found = async ({ response, url }: Exchange, prefix: string, answer: (call: CallLadder) => void): Promise<void> => {
    const call = await ladder(nameIn(url.pathname.slice(prefix.length)));
    if (call === undefined) sendText(response, 404, "No box remembers such a call.");
    else answer(call);
  };
  return [
    signedIn("/api/calls", ({ response }) => sendJson(response, 200, entries())),
    signedIn("/calls", ({ response }) => send(response, 200, "text/html; charset=utf-8", callListPage(entries(), wall()))),
    signedIn(`${DOCUMENTS}*`, (exchange) => found(exchange, DOCUMENTS, (call) => sendJson(exchange.response, 200, call))),
    signedIn(`${PAGES}*`, (exchange) => found(exchange, PAGES, (call) => send(exchange.response, 200, "text/html; charset=utf-8", ladderPage(call)))),
    {
      method: "POST", path: CALL_PATH, access: "fleet",
      answer: async ({ request, response }) => {
        const body = await readBody(request, ENVELOPE_MAX_BYTES);
        const answer = body === undefined ? undefined : await answerCall(parseJson(body));
        if (answer === undefined) sendText(response, 403, "This is not from a box of this fleet.");
        else sendJson(response, 200, answer);
      },
    },
  ];
}

const signedIn = (path: string, answer: Route["answer"]): Route => ({ method: "GET", path, access: "signed-in", answer });

/** As a path writes it; empty if that is nothing. */
function nameIn(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // not an escape: no call has that name
  }
}
