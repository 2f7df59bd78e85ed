// Route preprocessing (RFC 3261 16.4) with flow tokens (RFC 5626 5.3): which Routes are ours, what they
// say about the way on, and what remains.

import type { FlowTokens } from "../flow-token.ts";
import type { ValidRequest } from "../message/message.ts";
import type { NameAddress } from "../message/name-address.ts";
import { isSipUri, type SipUri, type Uri, uriParameter } from "../message/uri.ts";
import type { Flow } from "../ports.ts";
import { sameAddress } from "../../base/address.ts";
import type { LocalEnds } from "../transport/local-ends.ts";

export interface Preprocessed {
  /** The Request-URI after the strict-router fix-up. */
  readonly uri: Uri;
  readonly uriText: string;
  /** Whether the last Route became the Request-URI, and leaves the list. */
  readonly takesLastRoute: boolean;
  /** How many Routes at the front are ours and go. */
  readonly ownRoutes: number;
  /** The Routes that stay. */
  readonly remaining: readonly NameAddress[];
  /** The flow that a token of ours names as the way on. */
  readonly flow: { readonly flow: Flow; readonly ours: boolean } | undefined;
  /** Whether a token of the fleet shows that this request is on a way that the fleet laid. */
  readonly vouched: boolean;
  /** What a Route of ours says of the media relay. */
  readonly media: string | undefined;
}

/** The parameter of a Record-Route that says so. */
export const MEDIA = "media";

/** "tampered": a Route of ours with a token that nobody of the fleet made. */
export function preprocessRoutes(
  request: ValidRequest,
  source: Flow,
  ends: LocalEnds,
  tokens: FlowTokens,
): Preprocessed | "tampered" {
  const fixed = fixStrictRoute(request, ends, tokens);
  const routes = fixed.takesLastRoute ? request.routes.slice(0, -1) : request.routes;
  let ownRoutes = 0;
  let vouched = false;
  let flow: Preprocessed["flow"];
  let media: string | undefined;
  for (const route of routes) {
    if (!isSipUri(route.uri) || !ends.isThisBox(route.uri.host, route.uri.port)) break;
    ownRoutes += 1;
    // Each Route of ours overrules the one before: of the two that one box wrote, the first names the
    // sender's side and the second the far side.
    flow = undefined;
    if (route.uri.user === undefined) continue;
    const reading = tokens.read(route.uri.user, request.callId);
    if (reading.type === "tampered") return "tampered";
    vouched = true;
    media = uriParameter(route.uri, MEDIA) ?? media;
    // One that leads back to the sender is the sender's own side, unless it stands in the second place: then two
    // users share a flow, as the handsets of one base station do.
    if (reading.type !== "flow") continue;
    const ours = reading.ours || isTaken(reading.flow, ends);
    const isBack = ours && isSameFlow(reading.flow, source);
    if (!(isBack && ownRoutes === 1)) flow = { flow: reading.flow, ours };
  }
  return { ...fixed, ownRoutes, remaining: routes.slice(ownRoutes), flow, vouched, media };
}

/** A strict router sends us our Record-Route as Request-URI, with the true one as the last Route (16.4). */
function fixStrictRoute(
  request: ValidRequest,
  ends: LocalEnds,
  tokens: FlowTokens,
): Pick<Preprocessed, "uri" | "uriText" | "takesLastRoute"> {
  const { uri, uriText, routes } = request;
  const last = routes.at(-1);
  if (last !== undefined && isOwnRecordRoute(uri, request, ends, tokens)) {
    return { uri: last.uri, uriText: last.uriText, takesLastRoute: true };
  }
  return { uri, uriText, takesLastRoute: false };
}

function isOwnRecordRoute(uri: Uri, request: ValidRequest, ends: LocalEnds, tokens: FlowTokens): boolean {
  if (!isSipUri(uri) || uri.user === undefined || uriParameter(uri, "lr") === undefined) return false;
  return ends.isThisBox(uri.host, uri.port) && tokens.read(uri.user, request.callId).type !== "tampered";
}

/**
 * Another box's flow is two addresses as long as it is of UDP: whoever has taken that box's service address sends from
 * the one to the other. A connection is dead with its box.
 */
export const isTaken = ({ transport, local }: Flow, ends: LocalEnds): boolean => transport === "udp" && ends.isServiceAddress(local.host) && ends.isLocal(local.host);

const isSameFlow = (a: Flow, b: Flow): boolean =>
  a.transport === b.transport && a.connection === b.connection && sameAddress(a.remote, b.remote);

export const isLooseRouter = (uri: SipUri): boolean => uriParameter(uri, "lr") !== undefined;
