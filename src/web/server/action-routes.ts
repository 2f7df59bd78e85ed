// The page's buttons.

import { ACTIONS, type Actions } from "../../io/agent/actions.ts";
import { sendJson, sendText } from "./answers.ts";
import { isRefusal } from "./door.ts";
import { readJson, textIn } from "./json-body.ts";
import type { Route } from "./routes.ts";

/** Buttons being carried out at once; a person has two hands. */
const UNDER_WAY_MAX = 8;

/** `POST /api/actions/NAME` with `{target, confirm}`; answers `{ok, text}`, also where it could not be done. */
export function actionRoutes(actions: Actions): readonly Route[] {
  let underWay = 0;
  return ACTIONS.map((action) => ({
    method: "POST", path: `/api/actions/${action}`, access: "signed-in",
    answer: async ({ request, response, visitor }) => {
      const body = await readJson(request);
      if (isRefusal(body)) return sendText(response, body.status, body.text);
      if (underWay >= UNDER_WAY_MAX) return sendText(response, 429, "Too much is under way; wait a moment.");
      underWay += 1;
      try {
        const wish = { target: textIn(body, "target"), confirmed: body.values["confirm"] === true };
        sendJson(response, 200, await actions.perform(action, wish, visitor?.session.who ?? ""));
      } finally {
        underWay -= 1;
      }
    },
  }));
}
