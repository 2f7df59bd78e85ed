// The copy of a request that goes on (RFC 3261 16.6).

import { type Address, formatAddress } from "../../base/address.ts";
import type { CoreContext } from "../core-context.ts";
import { RequestEdit } from "../message/edit.ts";
import type { SipRequest, ValidRequest } from "../message/message.ts";
import { parseUnsigned } from "../message/scan.ts";
import { isSipUri, parseUri } from "../message/uri.ts";
import type { Flow, TransportName } from "../ports.ts";
import { type Hop, hopRemote, hopTransport } from "../transport/transport.ts";
import { foreignCredentials } from "./loop-detection.ts";
import { isLooseRouter, MEDIA, type Preprocessed } from "./route-preprocessing.ts";
import type { ProxyTarget } from "./target-set.ts";

/** Fields by which a phone could claim what only the fleet may say (RFC 3325), and kin. */
const TRUST_FIELDS: ReadonlySet<string> = new Set([
  "p-asserted-identity", "p-preferred-identity", "remote-party-id", "p-asserted-service", "p-preferred-service",
  "p-charging-vector", "p-charging-function-addresses", "p-access-network-info", "p-visited-network-id", "p-called-party-id",
  "p-served-user", "p-profile-key", "p-user-database", "p-private-network-indication",
]);

/** Requests that make a dialog; only these are record-routed. */
const DIALOG_METHODS = ["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"];

export interface Forwarding {
  readonly request: ValidRequest;
  readonly source: Flow;
  /** The phone's flow on the caller's side, if it needs a token to be found again. */
  readonly callerFlow: Flow | undefined;
  readonly route: Preprocessed;
}

/** RFC 5393 5.3.3: as many branches as a request may still become. */
const USUAL_BREADTH = 60;

/** What a request brings, at most the usual; what cannot be read counts as the usual. */
export function breadthOf(request: ValidRequest): number {
  const written = parseUnsigned((request.header("max-breadth") ?? "").trim(), Number.MAX_SAFE_INTEGER);
  return Math.min(written ?? USUAL_BREADTH, USUAL_BREADTH);
}

/** The request for one target, one hop and one branch. */
export function forwardedRequest(core: CoreContext, forwarding: Forwarding, target: ProxyTarget, hop: Hop, branch: string, breadth?: number): SipRequest {
  const { request, route } = forwarding;
  const edit = new RequestEdit(request);
  if (route.takesLastRoute) edit.removeLastRoute();
  for (let i = 0; i < route.ownRoutes; i++) edit.removeFirstRoute();
  for (const value of target.routes.toReversed()) edit.pushRoute(value.startsWith("<") ? value : `<${value}>`);
  edit.setUri(target.uriText);
  if (target.offer !== undefined) edit.setBody(target.offer.body);
  fixForStrictRouter(edit, target, route);
  edit.setMaxForwards((request.maxForwards ?? 71) - 1);
  for (const { name } of request.fields) if (TRUST_FIELDS.has(name) || name === "max-breadth") edit.remove(name);
  if (breadth !== undefined) edit.append("Max-Breadth", String(breadth));
  removeOwnCredentials(core, edit, request);
  if (request.toTag === "" && DIALOG_METHODS.includes(request.method)) {
    for (const value of recordRoutes(core, forwarding, hop, target.offer?.mark)) edit.pushRecordRoute(value);
  }
  edit.pushVia(ownVia(core, hop, branch)).setContentLength();
  return edit.request();
}

/** 16.6 step 6: a next hop without lr gets its own URI as Request-URI, and the true one as the last Route. */
function fixForStrictRouter(edit: RequestEdit, target: ProxyTarget, route: Preprocessed): void {
  const first = target.routes[0] ?? route.remaining[0]?.uriText;
  if (first === undefined) return;
  const text = first.startsWith("<") ? first.slice(1, first.indexOf(">")) : first;
  const uri = parseUri(text);
  if (uri === undefined || !isSipUri(uri) || isLooseRouter(uri)) return;
  edit.removeFirstRoute();
  edit.appendRoute(`<${target.uriText}>`);
  edit.setUri(text);
}

export function ownVia(core: CoreContext, hop: Hop, branch: string): string {
  const local = localEnd(core, hop);
  return `SIP/2.0/${hopTransport(hop).toUpperCase()} ${formatAddress(local)};branch=${branch};rport`;
}

const localEnd = (core: CoreContext, hop: Hop) => {
  const { host } = hop.type === "flow" && hop.flow.local.host !== "" ? hop.flow.local : core.ends.localFor(hopRemote(hop).host);
  const from = hop.type === "address" ? hop.from : undefined;
  return { host: from ?? host, port: core.ends.portOf(hopTransport(hop)) };
};

/**
 * Two entries, always (RFC 5658): the first-written for the caller's side, the second for the far
 * side. Each is a flow token where a phone hangs on that side, else a token that only says "onward";
 * so a request within the dialog finds its way in both directions by the last of the two it meets.
 */
function recordRoutes(core: CoreContext, { request, source, callerFlow }: Forwarding, hop: Hop, media: string | undefined): readonly string[] {
  const onward = core.tokens.onward(request.callId);
  const near = callerFlow === undefined ? onward : core.tokens.forFlow(callerFlow);
  const far = hop.type === "flow" ? core.tokens.forFlow(hop.flow) : onward;
  const { ends } = core;
  const farEnd = localEnd(core, hop);
  // What came as `sips:` stays secure for the whole dialog (RFC 3261 16.6 step 4); from another box it comes by its Route.
  const scheme = [request.uri, request.routes[0]?.uri].some((uri) => uri !== undefined && isSipUri(uri) && uri.scheme === "sips") ? "sips" : "sip";
  const relayed = media === undefined ? "" : `;${MEDIA}=${media}`;
  return [
    recordRoute(scheme, near, { host: ends.lasting(source.local.host), port: ends.portOf(source.transport) }, source.transport, relayed),
    recordRoute(scheme, far, { host: ends.lasting(farEnd.host), port: farEnd.port }, hopTransport(hop), relayed),
  ];
}

const recordRoute = (scheme: string, token: string, place: Address, transport: TransportName, relayed: string): string =>
  `<${scheme}:${token}@${formatAddress(place)}${transportParameter(scheme, transport)}${relayed};lr>`;

/** `sips:` says TLS by itself; a secure WebSocket is `transport=ws` of it (RFC 7118 section 5.2.1 and its examples). */
function transportParameter(scheme: string, transport: TransportName): string {
  if (transport === "udp") return "";
  if (scheme === "sip") return `;transport=${transport}`;
  return transport === "wss" ? ";transport=ws" : "";
}

/** Credentials for our realm are for us alone (RFC 3261 22.3). */
function removeOwnCredentials(core: CoreContext, edit: RequestEdit, request: ValidRequest): void {
  for (const name of ["Proxy-Authorization", "Authorization"]) {
    const foreign = foreignCredentials(request, name.toLowerCase(), core.settings.domain);
    if (foreign.length === request.headers(name.toLowerCase()).length) continue;
    edit.remove(name.toLowerCase());
    for (const value of foreign) edit.append(name, value);
  }
}
