// Whether something between a phone and this box changes the phone's SIP: an application layer gateway (SIP ALG) in a
// router. It replaces addresses in some places and leaves them in others, and no phone writes what comes out of that.
// Known for the operator's eyes only: nothing is routed by it.

import { BoundedMap } from "../../base/bounded-map.ts";
import { after, hours, type Instant } from "../../base/time.ts";
import { CORE_LIMITS } from "../limits.ts";
import { saysDescription } from "../media/description.ts";
import type { SipRequest } from "../message/message.ts";
import { isSipUri } from "../message/uri.ts";
import type { Via } from "../message/via.ts";
import type { Flow } from "../ports.ts";
import { canonicalHost, isPrivate } from "./numeric-host.ts";

/** A call shows what a REGISTER does not, and is told of with the next one; how long it counts. */
const CALL_COUNTS = hours(1);

export class RewritingSigns {
  /** By flow: until when a call of it counts; Infinity is a REGISTER's, until one comes without a sign. */
  readonly #until = new BoundedMap<string, number>(CORE_LIMITS.rewrittenFlows, "evict");

  /** Looks at a request as it came: before the top Via is stamped. `octets`: all that the datagram or stream piece had. */
  look(now: Instant, flow: Flow, request: SipRequest, octets: string): void {
    if (request.method === "REGISTER") {
      if (isRewritten(request, flow)) this.#until.set(keyOf(flow), Number.POSITIVE_INFINITY);
      else if (this.#until.get(keyOf(flow)) === Number.POSITIVE_INFINITY) this.#until.delete(keyOf(flow));
    } else if (flow.transport === "udp" && isCutShort(request, octets)) this.#until.set(keyOf(flow), after(now, CALL_COUNTS));
  }

  has(now: Instant, flow: Flow): boolean {
    return (this.#until.get(keyOf(flow)) ?? Number.NEGATIVE_INFINITY) > now;
  }
}

const keyOf = ({ remote, connection }: Flow): string => `${remote.host} ${remote.port} ${connection}`;

/** Only of a request that came from the phone itself: a proxy has the right to all of this. */
function isRewritten(request: SipRequest, flow: Flow): boolean {
  const via = request.topVia;
  if (via === undefined || !(isStampedByAnother(via, flow) || isHalfTranslated(via, request, flow))) return false;
  return request.vias?.length === 1;
}

/** A phone asks for `rport` and fills in neither of the two (RFC 3581 section 3). */
const isStampedByAnother = ({ received, rport }: Via, { remote }: Flow): boolean =>
  (received !== undefined && canonicalHost(received) !== canonicalHost(remote.host)) || (typeof rport === "number" && rport !== remote.port);

/** The Via names the outer end of the NAT, address and port, the Contact still the phone's own. */
function isHalfTranslated({ host, port = 5_060 }: Via, { contacts }: SipRequest, { remote }: Flow): boolean {
  if (port !== remote.port || canonicalHost(host) !== canonicalHost(remote.host)) return false;
  const [first] = contacts === "*" || contacts === undefined ? [] : contacts;
  if (first === undefined || !isSipUri(first.uri)) return false;
  return isPrivate(first.uri.host) && canonicalHost(first.uri.host) !== canonicalHost(remote.host);
}

/** A session description was made longer or shorter, and its Content-Length stayed as it was: lines are whole, but not where it says. */
function isCutShort(request: SipRequest, octets: string): boolean {
  if (!octets.endsWith("\n") || request.body.endsWith("\n")) return false;
  // Where more was announced than came, no body was made of it.
  return (request.contentLength ?? 0) > 0 && saysDescription(request);
}
