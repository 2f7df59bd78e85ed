// Where the agents of the other boxes talk to this one. What they say is signed by a box of the fleet.

import { parseJson } from "../../io/control-frames.ts";
import { ENVELOPE_MAX_BYTES, type SignedText } from "../../io/agent/envelope.ts";
import { EXCHANGE_PATH } from "../../io/agent/fleet-talk.ts";
import { sendJson, sendText } from "./answers.ts";
import { readBody } from "./read-body.ts";
import type { Route } from "./routes.ts";

export function fleetRoutes(answerAgent: (envelope: unknown) => SignedText | undefined): readonly Route[] {
  return [
    {
      method: "POST", path: EXCHANGE_PATH, access: "fleet",
      answer: async ({ request, response }) => {
        const body = await readBody(request, ENVELOPE_MAX_BYTES);
        const answer = body === undefined ? undefined : answerAgent(parseJson(body));
        if (answer === undefined) sendText(response, 403, "This is not from a box of this fleet.");
        else sendJson(response, 200, answer);
      },
    },
  ];
}
