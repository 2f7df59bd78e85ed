// Loop detection (RFC 5393 4.2): the second part of our branches is a hash of all that routing looks at.

import { parseDigestCredentials } from "../message/digest.ts";
import type { ValidRequest } from "../message/message.ts";
import { textHash } from "../transaction/transaction-key.ts";
import type { LocalEnds } from "../transport/local-ends.ts";

/**
 * Of the request as it came in; the method is left out, so that a CANCEL is no spiral of its INVITE. Credentials for
 * our own realm go no further (RFC 3261 22.3) and decide nothing.
 */
export function routingHash(request: ValidRequest, realm: string, toTag = request.toTag): string {
  const parts = [request.uriText, request.fromTag, toTag, request.callId, String(request.cseq.number)];
  for (const route of request.routes) parts.push(route.uriText);
  parts.push(...request.headers("proxy-require"), ...foreignCredentials(request, "proxy-authorization", realm));
  return textHash(parts);
}

/** Credentials for other realms than ours, as they stand. */
export const foreignCredentials = (request: ValidRequest, name: string, realm: string): readonly string[] =>
  request.headers(name).filter((value) => parseDigestCredentials(value)?.realm !== realm);

/** Whether this request passed here before with the same routing inputs. */
export function isLooped(request: ValidRequest, ends: LocalEnds, realm: string): boolean {
  const ours = (request.vias ?? []).filter((via) => ends.isSentBy(via.host, via.port));
  if (ours.length === 0) return false;
  const mark = `.${routingHash(request, realm)}`;
  return ours.some(({ branch }) => branch.endsWith(mark));
}
