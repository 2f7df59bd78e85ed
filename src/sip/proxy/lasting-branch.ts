// A ringing call outlives its box. The branch of an INVITE that a box with a service address sends on is not a random
// one: it follows from the request that came in, and carries a mark of the fleet over the way back. Whoever has taken the
// address of a dead box sees by the mark that a response to that branch is one to an INVITE of the fleet, and by the
// next Via where it goes; and it can make the branch again, to pass a CANCEL and an ACK after the INVITE.

import type { CoreContext } from "../core-context.ts";
import type { FlowTokens } from "../flow-token.ts";
import { ResponseEdit } from "../message/edit.ts";
import type { ValidRequest, ValidResponse } from "../message/message.ts";
import { MAGIC_COOKIE, responseAddress, type Via } from "../message/via.ts";
import { textHash } from "../transaction/transaction-key.ts";
import type { LocalEnds } from "../transport/local-ends.ts";
import { hopBack, type Hop } from "../transport/transport.ts";

const KIND = "s";

/** `attempt`: of those that one INVITE makes with the same Request-URI. `undefined`: this box has no address that outlives it. */
export function lastingBranch(core: CoreContext, invite: ValidRequest, uriText: string, attempt: number, routingHash: string): string | undefined {
  if (!core.ends.outlives || invite.topVia.branch === "") return undefined;
  const way = wayBack(invite.topVia, invite.callId, invite.cseq.number);
  const name = textHash([way, invite.fromTag, uriText, String(attempt)]);
  return `${MAGIC_COOKIE}${KIND}${name}.${core.tokens.mark(`${name} ${way}`)}.${routingHash}`;
}

/** A response on its way back past a dead box. */
export interface PassedResponse {
  /** `here`: the INVITE had come from the box that has the address now. */
  readonly to: Hop | "here";
  readonly octets: string;
}

/**
 * A response to an INVITE of a box that is dead, at the address that was its: it goes to where the INVITE had come from,
 * which may be this very box. Where that was over a connection, a new one is opened to where the sender listens.
 */
export function passLasting({ ends, tokens }: CoreContext, response: ValidResponse): PassedResponse | undefined {
  const [own, next] = response.vias ?? [];
  if (own === undefined || next === undefined || response.cseq.method !== "INVITE" || response.status === 100) return undefined;
  if (!ends.isServiceAddress(own.host) || !ends.isSentBy(own.host, own.port) ) return undefined;
  if (!isGenuine(tokens, own.branch, wayBack(next, response.callId, response.cseq.number))) return undefined;
  const to = next.transport === "UDP" ? byDatagram(next, ends) : ends.isSentBy(next.host, next.port) ? "here" : hopBack(next, ends);
  return to && { to, octets: new ResponseEdit(response).popVia().setContentLength().response().octets };
}

function byDatagram(next: Via, ends: LocalEnds): Hop | "here" | undefined {
  const remote = responseAddress(next);
  if (ends.isSentBy(remote.host, remote.port)) return "here";
  return ends.mayReach(remote) ? { type: "address", transport: "udp", remote } : undefined;
}

function isGenuine(tokens: FlowTokens, branch: string, way: string): boolean {
  const start = MAGIC_COOKIE.length + KIND.length;
  if (!branch.startsWith(`${MAGIC_COOKIE}${KIND}`)) return false;
  const [name = "", mark = ""] = branch.slice(start).split(".", 3);
  return tokens.isMark(`${name} ${way}`, mark);
}

/**
 * What of the INVITE's Via comes back with each response, and names its transaction. The port at which a connection began
 * does not: what the phone says of this call over the next one, a CANCEL or an ACK, comes from another.
 */
const wayBack = ({ transport, host, port, branch, received, rport }: Via, callId: string, cseq: number): string =>
  `${transport} ${host} ${port ?? ""} ${branch} ${received ?? ""} ${transport === "UDP" ? (rport ?? "") : ""} ${callId} ${cseq}`;
