// Requests for the box itself: OPTIONS is answered truthfully, the rest refused.

import type { CoreContext } from "./core-context.ts";
import { ALLOW_EVENTS } from "./events/packages.ts";
import type { NameAndValue } from "./message/build.ts";
import type { ValidRequest } from "./message/message.ts";
import type { Flow } from "./ports.ts";

/** What passes through the box, and REGISTER, SUBSCRIBE, PUBLISH and OPTIONS, which end here. */
export const ALLOWED = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, REFER, SUBSCRIBE, NOTIFY, PUBLISH, INFO, UPDATE, PRACK";
const KNOWN: readonly string[] = ALLOWED.split(", ");

export interface Standing {
  /** Whether calls and registrations can be served at this moment. */
  readonly serving: boolean;
  /** Address of a page that tells more; may be empty. */
  readonly page: string;
}

export function answerForBox(core: CoreContext, request: ValidRequest, flow: Flow, standing: Standing): void {
  const { method } = request;
  if (method === "OPTIONS") return answerOptions(core, request, flow, standing);
  if (method === "SUBSCRIBE" || method === "PUBLISH") return core.answer(request, flow, 489, "", [["Allow-Events", ALLOW_EVENTS]]);
  if (!KNOWN.includes(method)) return core.answer(request, flow, 501, "", [["Allow", ALLOWED]]);
  if (request.toTag !== "") return core.answer(request, flow, 481);
  if (method === "INVITE") return core.answer(request, flow, 404);
  core.answer(request, flow, 405, "", [["Allow", "OPTIONS, REGISTER"]]);
}

export function answerOptions(core: CoreContext, request: ValidRequest, flow: Flow, { serving, page }: Standing): void {
  const fields: NameAndValue[] = [
    ["Allow", ALLOWED],
    ["Accept", "*/*"],
    ["Allow-Events", ALLOW_EVENTS],
    ["Supported", "path, outbound, gruu"],
  ];
  if (page !== "") fields.push(["Call-Info", `<${page}>;purpose=info`]);
  if (!serving) fields.push(core.retryAfter());
  core.answer(request, flow, serving ? 200 : 503, "", fields);
}
