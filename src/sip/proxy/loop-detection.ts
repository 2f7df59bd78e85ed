// Loop detection (RFC 5393 4.2): the second part of our branches is a hash of all that routing looks at.

import type { ValidRequest } from "../message/message.ts";
import { textHash } from "../transaction/transaction-key.ts";
import type { LocalEnds } from "../transport/local-ends.ts";

/** Of the request as it came in; the method is left out, so that a CANCEL is no spiral of its INVITE. */
export function routingHash(request: ValidRequest): string {
  const parts = [request.uriText, request.fromTag, request.toTag, request.callId, String(request.cseq.number)];
  for (const route of request.routes) parts.push(route.uriText);
  for (const name of ["proxy-require", "proxy-authorization"]) parts.push(...request.headers(name));
  return textHash(parts);
}

/** Whether this request passed here before with the same routing inputs. */
export function isLooped(request: ValidRequest, ends: LocalEnds): boolean {
  const ours = (request.vias ?? []).filter((via) => ends.isSentBy(via.host, via.port));
  if (ours.length === 0) return false;
  const mark = `.${routingHash(request)}`;
  return ours.some(({ branch }) => branch.endsWith(mark));
}
