// From the bindings of an AoR to the order of trying them (RFC 3261 16.5, 16.6; RFC 5626 7).

import type { WallTime } from "../../base/time.ts";
import type { FlowTokens } from "../flow-token.ts";
import type { RelayedOffer } from "../media/media-relay.ts";
import { isSipUri, parseUri, type SipUri, uriParameter } from "../message/uri.ts";
import type { Binding, FoundBinding, Flow, TransportName } from "../ports.ts";
import type { LocalEnds } from "../transport/local-ends.ts";
import { parseNumericHost } from "../transport/numeric-host.ts";
import type { Hop } from "../transport/transport.ts";
import { isTaken } from "./route-preprocessing.ts";
import { type Address, formatAddress } from "../../base/address.ts";

/** The way to one place. */
export type Way =
  | { readonly type: "hop"; readonly hop: Hop }
  /** By RFC 3263. */
  | { readonly type: "resolve"; readonly host: string; readonly port: number | undefined; readonly transport: TransportName | undefined }
  | { readonly type: "none"; readonly status: number };

export interface ProxyTarget {
  /** The new Request-URI. */
  readonly uriText: string;
  /** Routes to put before those that stay, first one first. */
  readonly routes: readonly string[];
  readonly way: Way;
  /** The binding that it comes from. */
  readonly binding: { readonly aor: string; readonly key: string } | undefined;
  /** The registered phone that it is. */
  readonly phone?: Binding;
  /** What it is sent in the place of the caller's description. */
  readonly offer?: RelayedOffer;
  /** Whether somebody named the place, instead of having been seen there. */
  readonly isNamed?: boolean;
  /** Tried beside it when the box on the way says nothing: it may have died a moment ago. */
  readonly rescue?: ProxyTarget;
}

/** Tried one after another until one is not merely unreachable: contacts of one instance, the newest first. */
export type Turns = readonly ProxyTarget[];

/** Groups of equal preference, the highest first; within a group all at once. `secure`: only over TLS (a `sips:` request). */
export function targetGroups(
  aor: string,
  bindings: readonly FoundBinding[],
  wall: WallTime,
  ends: LocalEnds,
  tokens: FlowTokens,
  secure: boolean,
): readonly (readonly Turns[])[] {
  const living = bindings.filter((binding) => binding.expiresAt > wall && (!secure || isSecure(binding)));
  const byPreference = Map.groupBy(living, (binding) => binding.preference);
  const preferences = [...byPreference.keys()].sort((a, b) => b - a);
  return preferences.map((preference) => {
    const byInstance = Map.groupBy(byPreference.get(preference) ?? [], (binding) => binding.instance || `contact ${binding.key}`);
    return [...byInstance.values()].map((turns) =>
      turns.sort(newestFirst).map((binding) => bindingTarget(aor, binding, ends, tokens, secure)),
    );
  });
}

/** Whether a phone is reached over TLS on its last hop. */
const isSecure = ({ transport, flowToken }: Binding): boolean => flowToken !== "" && (transport === "tls" || transport === "wss");

const newestFirst = (a: FoundBinding, b: FoundBinding): number =>
  b.expiresAt - a.expiresAt || (a.key < b.key ? -1 : 1);

function bindingTarget(aor: string, binding: FoundBinding, ends: LocalEnds, tokens: FlowTokens, secure: boolean): ProxyTarget {
  const base = { uriText: binding.contact, binding: { aor, key: binding.key }, phone: binding };
  if (binding.flowToken === "") return { ...base, isNamed: true, routes: binding.path, way: wayToUri(binding.path[0] ?? binding.contact) };
  switch (binding.reach.at) {
    case "here":
      return { ...base, routes: binding.path, way: wayOfFlow(binding, ends, tokens) };
    case "elsewhere": {
      if (secure) return { ...base, ...secureWayToBox(binding, tokens) };
      const box = lastingWayTo(binding.reach.box, binding, ends, tokens);
      const route = `<sip:${binding.flowToken}@${formatAddress(box)};lr>`;
      const hop: Hop = { type: "address", transport: "udp", remote: box };
      const direct = wayWithoutOwner(binding, ends);
      const target: ProxyTarget = { ...base, routes: [route, ...binding.path], way: { type: "hop", hop } };
      return direct.type === "none" ? target : { ...target, rescue: { ...base, routes: binding.path, way: direct } };
    }
    case "gone":
      return { ...base, routes: binding.path, ...wayOfTaken(base, binding, ends, tokens) };
  }
}

/** A box by its service address, where the phone's flow ends there: what follows after the INVITE finds whoever has it then. */
function lastingWayTo(box: Address, { flowToken, transport }: FoundBinding, ends: LocalEnds, tokens: FlowTokens): Address {
  if (transport !== "udp") return box;
  const reading = tokens.read(flowToken, "");
  return reading.type === "flow" && ends.isServiceAddress(reading.flow.local.host) && !ends.isLocal(reading.flow.local.host) ? reading.flow.local : box;
}

/**
 * `sips:` between boxes goes over TLS as well (RFC 5630): to the port at which the phone's own flow ends, which
 * the token tells. The flow of a WebSocket phone ends at a port that takes no TLS of SIP: its binding names the one that does.
 */
function secureWayToBox(binding: FoundBinding, tokens: FlowTokens): Pick<ProxyTarget, "routes" | "way"> {
  const reading = tokens.read(binding.flowToken, "");
  const port = reading.type !== "flow" ? undefined : reading.flow.transport === "tls" ? reading.flow.local.port : binding.securePort;
  if (reading.type !== "flow" || port === undefined) return { routes: [], way: { type: "none", status: 480 } };
  const local = { host: reading.flow.local.host, port };
  const route = `<sips:${binding.flowToken}@${formatAddress(local)};lr>`;
  return { routes: [route, ...binding.path], way: { type: "hop", hop: { type: "address", transport: "tls", remote: local } } };
}

function wayOfFlow(binding: FoundBinding, ends: LocalEnds, tokens: FlowTokens): Way {
  const reading = tokens.read(binding.flowToken, "");
  if (reading.type !== "flow") return wayWithoutOwner(binding, ends);
  return { type: "hop", hop: { type: "flow", flow: reading.flow } };
}

/**
 * The flow's owner is dead. Where this box has taken its service address the flow goes on; where another may have, the
 * phone is called past it, and if it says nothing (a NAT lets in only what comes from the address it knows) through it.
 */
function wayOfTaken(base: Pick<ProxyTarget, "uriText" | "binding" | "phone">, binding: FoundBinding, ends: LocalEnds, tokens: FlowTokens): Pick<ProxyTarget, "way" | "rescue"> {
  const direct = wayWithoutOwner(binding, ends);
  const reading = tokens.read(binding.flowToken, "");
  if (reading.type !== "flow" || !ends.isServiceAddress(reading.flow.local.host)) return { way: direct };
  const { local } = reading.flow;
  if (isTaken(reading.flow, ends)) return { way: { type: "hop", hop: { type: "flow", flow: reading.flow } } };
  if (ends.isLocal(local.host) || binding.transport !== "udp") return { way: direct };
  const route = `<sip:${binding.flowToken}@${formatAddress(local)};lr>`;
  const hop: Hop = { type: "address", transport: "udp", remote: local };
  return { way: direct, rescue: { ...base, routes: [route, ...binding.path], way: { type: "hop", hop } } };
}

/**
 * The flow's owner is dead: a UDP phone may answer where it was seen last; a TCP phone can only be
 * called where it says it listens, and only if that is where it was seen.
 */
function wayWithoutOwner(binding: FoundBinding, ends: LocalEnds): Way {
  const { received } = binding;
  if (binding.transport === "udp") {
    if (!ends.mayReach(received)) return { type: "none", status: 480 };
    return { type: "hop", hop: { type: "address", transport: "udp", remote: received } };
  }
  // A phone takes no TLS connections that it can be known by, and a browser takes none at all.
  if (binding.transport !== "tcp") return { type: "none", status: 480 };
  const uri = parseUri(binding.contact);
  if (uri === undefined || !isSipUri(uri) || uri.host !== received.host) return { type: "none", status: 480 };
  const remote = { host: uri.host, port: uri.port ?? 5060 };
  if (!ends.mayReach(remote)) return { type: "none", status: 480 };
  return { type: "hop", hop: { type: "address", transport: "tcp", remote } };
}

/** Where a URI (or a Route) leads by itself. */
export function wayToUri(text: string): Way {
  const uri = parseUri(text.startsWith("<") ? text.slice(1, text.indexOf(">")) : text);
  return uri !== undefined && isSipUri(uri) ? wayToSipUri(uri) : { type: "none", status: 480 };
}

export function wayToSipUri(uri: SipUri): Way {
  const named = transportOf(uri);
  if (named === "none") return { type: "none", status: 480 };
  const host = uriParameter(uri, "maddr") ?? uri.host;
  if (parseNumericHost(host) === undefined) return { type: "resolve", host, port: uri.port, transport: named };
  return { type: "hop", hop: { type: "address", transport: named ?? "udp", remote: { host, port: uri.port ?? (named === "tls" ? 5061 : 5060) } } };
}

/** How a URI wants to be reached; WebSocket phones cannot be dialed, and `sips:` never goes without TLS. */
function transportOf(uri: SipUri): "udp" | "tcp" | "tls" | undefined | "none" {
  const named = uriParameter(uri, "transport")?.toLowerCase();
  if (uri.scheme === "sips") return named === undefined || named === "tcp" || named === "tls" ? "tls" : "none";
  return named === undefined || named === "udp" || named === "tcp" || named === "tls" ? named : "none";
}

/** Over the flow that a token of ours named. */
export const flowTarget = (uriText: string, flow: Flow): ProxyTarget => ({
  uriText,
  routes: [],
  way: { type: "hop", hop: { type: "flow", flow } },
  binding: undefined,
});
