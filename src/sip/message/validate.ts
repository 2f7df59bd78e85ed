// Verdicts of the message layer. validateRequest goes before everything else, for every request of any method;
// validateRegister besides it for the REGISTERs that this element serves as registrar (RFC 3261 10.3); validateResponse
// for every response. What depends on the element's role (Max-Forwards 0, Require, Proxy-Require, domain) is not here.

import { fault, ok, type Result } from "../../base/result.ts";
import { LIMITS } from "./limits.ts";
import type { SipMessage, SipRequest, SipResponse, ValidRequest, ValidResponse } from "./message.ts";
import { COMMA, equalIgnoringCase } from "./scan.ts";
import { isSipUri, type Uri } from "./uri.ts";
import { MAGIC_COOKIE } from "./via.ts";

/** Answer it statelessly with `responseTo(request, status, reason)`, which copies what can be read; but never an ACK. */
export interface Rejection {
  readonly type: "rejected";
  readonly status: number;
  readonly reason: string;
  /** As far as it could be read. */
  readonly request: SipRequest;
}

export const reject = (request: SipRequest, status: number, reason: string): Rejection => ({
  type: "rejected",
  status,
  reason,
  request,
});

/** ACK is never answered (RFC 3261 17.2.1), nor what has no Via to copy: nobody could match the answer. */
export const isAnswerable = (request: SipRequest): boolean => request.method !== "ACK" && request.has("via");

/** The first thing that is wrong with the request, whatever its method, or the request as a valid one. */
export function validateRequest(request: SipRequest): Result<ValidRequest, Rejection> {
  const wrong = wrongField(request) ?? wrongUri(request.uri) ?? wrongList(request);
  if (wrong !== undefined) return fault(reject(request, 400, wrong));
  const { uri, cseq } = request;
  if (cseq?.method !== request.method) return fault(methodMismatch(request));
  if (uri !== undefined && !ROUTABLE.includes(uri.scheme)) return fault(reject(request, 416, "Unsupported URI Scheme"));
  return ok(request as ValidRequest);
}

/** Schemes that some element behind us may know; for others 416 (RFC 3261 16.3 step 2). */
const ROUTABLE: readonly string[] = ["sip", "sips", "tel", "urn"];

/** RFC 3261 8.1.1 and 16.3: the six fields that a request must have, except that RFC 2543 knew no Max-Forwards. */
function wrongField(request: SipRequest): string | undefined {
  return (
    wrongCount(request) ??
    (request.topVia === undefined ? "Malformed Via" : undefined) ??
    (request.from === undefined ? "Malformed From" : undefined) ??
    (request.to === undefined ? "Malformed To" : undefined) ??
    (request.callId === undefined ? "Malformed Call-ID" : undefined) ??
    (request.cseq === undefined ? "Malformed CSeq" : undefined) ??
    (request.maxForwards === undefined && request.has("max-forwards") ? "Malformed Max-Forwards" : undefined) ??
    (equalIgnoringCase(request.topVia?.branch ?? "", MAGIC_COOKIE) ? "Missing Transaction Identifier" : undefined)
  );
}

interface Counts {
  via: number;
  from: number;
  to: number;
  callId: number;
  cseq: number;
  maxForwards: number;
}

/** A reason phrase for what is missing or there too often. */
function wrongCount(message: SipMessage): string | undefined {
  const counts = countFields(message);
  if (counts.via === 0) return "Missing Via";
  if (counts.via > LIMITS.vias) return "Too Many Vias";
  if (counts.from !== 1) return counts.from === 0 ? "Missing From" : "Multiple From";
  if (counts.to !== 1) return counts.to === 0 ? "Missing To" : "Multiple To";
  if (counts.callId !== 1) return counts.callId === 0 ? "Missing Call-ID" : "Multiple Call-ID";
  if (counts.cseq !== 1) return counts.cseq === 0 ? "Missing CSeq" : "Multiple CSeq";
  return counts.maxForwards > 1 ? "Multiple Max-Forwards" : undefined;
}

function countFields(message: SipMessage): Counts {
  const counts: Counts = { via: 0, from: 0, to: 0, callId: 0, cseq: 0, maxForwards: 0 };
  for (const field of message.fields) {
    switch (field.name) {
      case "via":
        counts.via += 1 + countCommas(field.text, field.valueStart, field.end);
        break;
      case "from":
        counts.from++;
        break;
      case "to":
        counts.to++;
        break;
      case "call-id":
        counts.callId++;
        break;
      case "cseq":
        counts.cseq++;
        break;
      case "max-forwards":
        counts.maxForwards++;
        break;
      default:
    }
  }
  return counts;
}

function countCommas(text: string, start: number, end: number): number {
  let commas = 0;
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === COMMA) commas++;
  return commas;
}

/** A Request-URI has no headers (RFC 3261 19.1.1); the rest is grammar. */
function wrongUri(uri: Uri | undefined): string | undefined {
  if (uri === undefined) return "Malformed Request-URI";
  return isSipUri(uri) && uri.headers !== undefined ? "Headers in Request-URI" : undefined;
}

function wrongList(request: SipRequest): string | undefined {
  if (request.contacts === undefined) return "Malformed Contact";
  if (request.routes === undefined) return "Malformed Route";
  return request.contacts === "*" && request.method !== "REGISTER" ? "Malformed Contact" : undefined;
}

/** A method that we do not know is not implemented, whatever its CSeq says (RFC 4475 3.1.2.18). */
const methodMismatch = (request: SipRequest): Rejection =>
  METHODS.has(request.method) ? reject(request, 400, "CSeq Method Mismatch") : reject(request, 501, "Not Implemented");

/** Methods with an RFC. A proxy forwards others too. */
export const METHODS: ReadonlySet<string> = new Set([
  "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "INFO", "PRACK",
  "UPDATE", "REFER",
]);

/** RFC 3261 10.3 steps 5 and 6, as far as they need no location service: To, and the wildcard's company. */
export function validateRegister(request: ValidRequest): Rejection | undefined {
  if (!isSipUri(request.to.uri)) return reject(request, 400, "To Is Not a SIP URI");
  if (request.contacts === "*") {
    return request.expires === 0 ? undefined : reject(request, 400, "Wildcard Contact without Expires 0");
  }
  // A wildcard beside other Contact values does not parse as a name-addr and was refused before.
  for (const contact of request.contacts) {
    if (!isSipUri(contact.uri)) return reject(request, 400, "Contact Is Not a SIP URI");
  }
  return undefined;
}

/** `undefined`: drop it (RFC 3261 18.1.2). */
export function validateResponse(response: SipResponse): ValidResponse | undefined {
  if (wrongCount(response) !== undefined) return undefined;
  const { topVia, from, to, callId, cseq } = response;
  const isWhole = topVia !== undefined && from !== undefined && to !== undefined && callId !== undefined && cseq !== undefined;
  return isWhole ? (response as ValidResponse) : undefined;
}
