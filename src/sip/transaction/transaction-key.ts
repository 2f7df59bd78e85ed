// Which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3).

import type { SipMessage, ValidRequest, ValidResponse } from "../message/message.ts";
import { MAGIC_COOKIE } from "../message/via.ts";

/** Of a request that came in. ACK and the CANCEL's target match the INVITE. */
export function serverKey(request: ValidRequest, method: string): string {
  const via = request.topVia;
  if (hasCookie(via.branch)) return branchKey(via.branch, via.host, via.port, method);
  return rfc2543Key(request, method);
}

/** With a cookie: branch, sent-by and method (RFC 3261 17.2.3). */
export const branchKey = (branch: string, host: string, port: number | undefined, method: string): string =>
  `${branch.toLowerCase()} ${host}:${port ?? 5060} ${method}`;

/** Without a cookie: Request-URI, From tag, Call-ID, CSeq number and the whole top Via. */
function rfc2543Key(request: ValidRequest, method: string): string {
  const via = request.topVia;
  const top = `${via.host}:${via.port ?? 5060};${via.branch}`;
  return `2543 ${request.uriText} ${request.fromTag} ${request.callId} ${request.cseq.number} ${top} ${method}`;
}

export const matchedMethod = (method: string): string => (method === "ACK" ? "INVITE" : method);

const hasCookie = (branch: string): boolean =>
  branch.length > MAGIC_COOKIE.length && branch.slice(0, MAGIC_COOKIE.length).toLowerCase() === MAGIC_COOKIE.toLowerCase();

/** Of a request that we sent, and of the responses to it. */
export const clientKey = (branch: string, method: string): string => `${branch.toLowerCase()} ${method}`;

export const responseKey = (response: ValidResponse): string => clientKey(response.topVia.branch, response.cseq.method);

/** A message's text without its own length bound: for the tags of stateless answers and for loops. */
export function textHash(parts: readonly string[]): string {
  let high = 0x2545f491;
  let low = 0x6c62272e;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) {
      const code = part.charCodeAt(i);
      high = Math.imul(high ^ code, 0x01000193);
      low = Math.imul(low ^ (code + (high >>> 24)), 0x5bd1e995);
    }
    high = Math.imul(high ^ 0xff, 0x01000193);
    low ^= low >>> 13;
  }
  return (high >>> 0).toString(36) + (low >>> 0).toString(36);
}

/** The To tag of a response without a transaction is the same for each retransmission (RFC 3261 8.2.7). */
export const statelessTag = (message: SipMessage): string =>
  textHash([message.callId ?? "", message.fromTag, String(message.cseq?.number ?? 0), message.topVia?.branch ?? ""]);
