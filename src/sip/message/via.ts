// Via values (RFC 3261 20.42, RFC 3581).

import type { Address } from "../../base/address.ts";
import { type Parameter, parameterValue, parseParameters, serializeParameters } from "./parameters.ts";
import { COLON, equalIgnoringCase, isBlank, parseUnsigned, skipBlank, skipClass, TOKEN } from "./scan.ts";
import { formatHostPort, type HostPort, parseHost, withPort } from "./uri.ts";

export const MAGIC_COOKIE = "z9hG4bK";

export interface Via {
  /** Upper case: "UDP", "TCP", … */
  readonly transport: string;
  /** sent-by host, lower case; IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  /** "" if there is none. */
  readonly branch: string;
  /** IPv6 without brackets. */
  readonly received: string | undefined;
  /** `"asked"`: present without a value. */
  readonly rport: number | "asked" | undefined;
  readonly parameters: readonly Parameter[];
}

/** `undefined` if malformed. The text is one value, unfolded. */
export function parseVia(text: string): Via | undefined {
  const versionStart = afterSlash(text, skipBlank(text, 0));
  const transportStart = versionStart < 0 ? -1 : afterSlash(text, versionStart);
  if (transportStart < 0) return undefined;
  const transportEnd = skipClass(text, transportStart, text.length, TOKEN);
  if (transportEnd === transportStart || !isBlank(text.charCodeAt(transportEnd))) return undefined;
  const sentBy = parseSentBy(text, skipBlank(text, transportEnd));
  if (sentBy === undefined) return undefined;
  const parameters = parseParameters(text, sentBy.end);
  if (parameters === undefined) return undefined;
  const transport = text.slice(transportStart, transportEnd);
  return viaOf(transport === "UDP" ? transport : transport.toUpperCase(), sentBy.host, sentBy.port, parameters);
}

/** Past `token SLASH`, -1 if it is not there. */
function afterSlash(text: string, at: number): number {
  const tokenEnd = skipClass(text, at, text.length, TOKEN);
  if (tokenEnd === at) return -1;
  const slash = skipBlank(text, tokenEnd);
  return text.charAt(slash) === "/" ? skipBlank(text, slash + 1) : -1;
}

/** sent-by allows LWS around its colon, unlike a URI. */
function parseSentBy(text: string, at: number): HostPort | undefined {
  const host = parseHost(text, at);
  if (host === undefined) return undefined;
  const colon = skipBlank(text, host.end);
  return text.charCodeAt(colon) === COLON ? withPort(text, host, skipBlank(text, colon + 1)) : host;
}

function viaOf(transport: string, host: string, port: number | undefined, parameters: readonly Parameter[]): Via | undefined {
  const received = parameterValue(parameters, "received");
  const rport = parameterValue(parameters, "rport");
  const rportNumber = rport === undefined ? undefined : rport === "" ? "asked" : parseUnsigned(rport, 65_535);
  if (rport !== undefined && (rportNumber === undefined || rportNumber === 0)) return undefined;
  return {
    transport,
    host,
    port,
    branch: parameterValue(parameters, "branch") ?? "",
    received: received?.startsWith("[") ? received.slice(1, -1) : received,
    rport: rportNumber,
    parameters,
  };
}

export const serializeVia = (via: Via): string =>
  `SIP/2.0/${via.transport} ${formatHostPort(via.host, via.port)}${serializeParameters(via.parameters)}`;

/**
 * `received` where sent-by differs from the source or rport was asked for, and rport's value if asked for
 * (RFC 3261 18.2.1, RFC 3581 4). What the sender claimed in either is overwritten.
 */
export function stampVia(via: Via, source: Address): Via {
  const asked = via.rport !== undefined;
  const parameters: Parameter[] = via.parameters.filter(
    ({ name }) => !equalIgnoringCase(name, "received") && !equalIgnoringCase(name, "rport"),
  );
  const received = asked || via.host !== source.host ? source.host : undefined;
  if (asked) parameters.push({ name: "rport", value: String(source.port) });
  if (received !== undefined) parameters.push({ name: "received", value: received });
  return { ...via, received, rport: asked ? source.port : undefined, parameters };
}

/** Where a response goes over UDP: received or sent-by host, rport or sent-by port or 5060 (RFC 3261 18.2.2, RFC 3581 4). */
export function responseAddress(via: Via): Address {
  const port = typeof via.rport === "number" ? via.rport : (via.port ?? 5_060);
  return { host: via.received ?? via.host, port };
}
