// Whether two phones can send each other sound by themselves, or need a relay between them.

import { isSipUri, parseUri, uriParameter } from "../message/uri.ts";
import type { ValidRequest } from "../message/message.ts";
import type { Binding, Flow } from "../ports.ts";
import { canonicalHost, parseNumericHost } from "../transport/numeric-host.ts";
import type { DescribedMedia } from "./description.ts";

/** One of the two, as its box sees it. */
export interface MediaEnd extends DescribedMedia {
  /** The outer address of the NAT that it is behind; `undefined`: behind none that can be seen. */
  readonly nat: string | undefined;
}

/** Of the phone that sent a request straight to this box; a request of another proxy says nothing of a NAT. */
export function callerEnd(request: ValidRequest, flow: Flow, described: DescribedMedia): MediaEnd {
  const isDirect = request.vias?.length === 1;
  const [first] = request.contacts === "*" ? [] : request.contacts;
  const contact = first?.uri;
  const host = contact !== undefined && isSipUri(contact) ? contact.host : "";
  return { ...described, nat: isDirect ? natBetween(host, flow.remote.host) : undefined };
}

/** Of a registered phone. That it does ICE it may say in its registration (RFC 5768); one behind another proxy was not seen itself. */
export function calleeEnd({ contact, parameters, transport, received, path }: Binding): MediaEnd {
  const uri = parseUri(contact);
  const isBrowser = transport === "ws" || transport === "wss" || (uri !== undefined && isSipUri(uri) && uriParameter(uri, "transport")?.toLowerCase() === "ws");
  const doesIce = isBrowser || parameters.toLowerCase().split(";").some((parameter) => parameter.trim() === "+sip.ice");
  const nat = uri !== undefined && isSipUri(uri) && path.length === 0 ? natBetween(uri.host, received.host) : undefined;
  return { side: isBrowser ? "webrtc" : "plain", doesIce, nat };
}

export type NatSeen = "none" | "translated" | "rewritten" | "not-known";

/** What the registration of a phone tells of the way between it and its box. */
export function natOf({ contact, received, isRewritten, path }: Binding): NatSeen {
  if (isRewritten === true) return "rewritten";
  const uri = parseUri(contact);
  if (path.length > 0 || uri === undefined || !isSipUri(uri) || parseNumericHost(uri.host) === undefined) return "not-known";
  return natBetween(uri.host, received.host) === undefined ? "none" : "translated";
}

/** A phone that names another address than the one it comes from. A name (of a browser: `….invalid`) tells nothing. */
function natBetween(named: string, seen: string): string | undefined {
  if (parseNumericHost(named) === undefined) return undefined;
  return canonicalHost(named) === canonicalHost(seen) ? undefined : canonicalHost(seen);
}

/**
 * A browser and a telephone do not understand each other. Two telephones do, unless one of them names an address that
 * means nothing where the other is: when they are not behind the same NAT, and do not both look for a way by ICE.
 */
export function needsRelay(caller: MediaEnd, callee: MediaEnd): boolean {
  if (caller.side !== callee.side) return true;
  return caller.nat !== callee.nat && !(caller.doesIce && callee.doesIce);
}
