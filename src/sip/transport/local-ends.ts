// Which addresses and names mean this box, from which of its addresses a peer is reached, and which
// addresses a request may be relayed to at all.

import { type Address, formatAddress, isIpv6 } from "../../base/address.ts";
import { NO_STREAM_PORTS, type SipSettings, type StreamPorts, type TransportName } from "../ports.ts";
import { canonicalHost, isLinkLocal, isLoopback, isNoPlace, parseNumericHost } from "./numeric-host.ts";

/** Addresses by which phones know boxes, and which move to another box when theirs is dead. */
export interface ServiceEnds {
  /** On this box now, its own first. */
  readonly here: readonly string[];
  /** All on the links of this box, those included. */
  readonly known: readonly string[];
}

export class LocalEnds {
  readonly #domain: string;
  readonly #port: number;
  /** A port of this box that is none of SIP. */
  readonly #otherPort: number | undefined;
  #streams: StreamPorts = NO_STREAM_PORTS;
  /** BOUNDED: by the interfaces of this machine. */
  #addresses: readonly string[];
  /** BOUNDED: by the members of the fleet, like the next two. */
  #fleetAddresses: readonly Address[] = [];
  /** BOUNDED: by the members of the fleet. */
  #fleet: ReadonlySet<string> = new Set();
  /** BOUNDED: by the members of the fleet. */
  #fleetHosts: ReadonlySet<string> = new Set();

  /** BOUNDED: by the boxes on the links of this one. */
  #service: ServiceEnds = { here: [], known: [] };

  constructor(settings: SipSettings) {
    this.#domain = settings.domain;
    this.#port = settings.sipPort;
    this.#otherPort = settings.overlayPort;
    this.#addresses = settings.localAddresses.map(canonicalHost);
  }

  setAddresses(addresses: readonly string[]): void {
    this.#addresses = addresses.map(canonicalHost);
  }

  setStreamPorts(ports: StreamPorts): void {
    this.#streams = ports;
  }

  get streamPorts(): StreamPorts {
    return this.#streams;
  }

  /** Our port of a transport; the SIP port where that transport is not served. */
  portOf(transport: TransportName): number {
    return transport === "udp" || transport === "tcp" ? this.#port : (this.#streams[transport] ?? this.#port);
  }

  /** Whether a port is one of those on which this box serves SIP. */
  #isOwnPort(port: number): boolean {
    const { tls, ws, wss } = this.#streams;
    return port === this.#port || port === tls || port === ws || port === wss;
  }

  /** The SIP addresses of the other boxes. */
  setFleetAddresses(addresses: readonly Address[]): void {
    this.#fleetAddresses = addresses;
    this.#fleetHosts = new Set(addresses.map(({ host }) => canonicalHost(host)));
    this.#fleet = new Set(addresses.map(({ host, port }) => formatAddress({ host: canonicalHost(host), port })));
  }

  get fleetAddresses(): readonly Address[] {
    return this.#fleetAddresses;
  }

  setServiceEnds({ here, known }: ServiceEnds): void {
    this.#service = { here: here.map(canonicalHost), known: known.map(canonicalHost) };
  }

  /** Whether it is a service address of some box: where it answers now, another one may answer soon. */
  isServiceAddress(host: string): boolean {
    return this.#service.known.includes(canonicalHost(host));
  }

  /**
   * The address for Record-Route in the place of one of this box: one that survives it, so that what follows in the
   * dialog finds another box when this one is dead.
   */
  lasting(host: string): string {
    const { here } = this.#service;
    if (here.length === 0 || here.includes(canonicalHost(host))) return host;
    return here.find((address) => isIpv6(address) === isIpv6(host)) ?? host;
  }

  /** Whether it is the service address of a box that is dead, and is here in the meantime. */
  hasTaken(host: string): boolean {
    return this.#service.here.indexOf(canonicalHost(host)) > 0;
  }

  /** Whether this box has an address that another one takes when it dies. */
  get outlives(): boolean {
    return this.#service.here.length > 0;
  }

  /** The service address to send a request from, so that its responses come there; `undefined`: as the routes say. */
  serviceFor(remote: string): string | undefined {
    return this.#service.here.find((address) => isIpv6(address) === isIpv6(remote));
  }

  isFleetHost(host: string): boolean {
    return this.#fleetHosts.has(canonicalHost(host)) || this.isServiceAddress(host);
  }

  /** Whether a Route's host and port name this box. */
  isThisBox(host: string, port: number | undefined): boolean {
    const isOwnPort = port === undefined || this.#isOwnPort(port);
    if (host === this.#domain) return isOwnPort || port === 5060 || port === 5061;
    return isOwnPort && this.isLocal(host);
  }

  /**
   * Whether a URI's host and port mean the domain: phones may be set up with the address of a box in its
   * place, and go to another one when that box is dead.
   */
  isOurs(host: string, port: number | undefined): boolean {
    if (this.isThisBox(host, port) || (this.isServiceAddress(host) && this.#isOwnPort(port ?? 5060))) return true;
    return this.#fleet.size > 0 && this.#fleet.has(formatAddress({ host: canonicalHost(host), port: port ?? 5060 }));
  }

  /** Whether a Via sent-by is this box (for loops). */
  isSentBy(host: string, port: number | undefined): boolean {
    return this.#isOwnPort(port ?? 5060) && this.isLocal(host);
  }

  /** Whether SIP is served on this address now. */
  isLocal(host: string): boolean {
    return this.#addresses.includes(canonicalHost(host));
  }

  /** The local end to send from. */
  localFor(remote: string): Address {
    const { here } = this.#service;
    const own = here.length === 0 ? this.#addresses : this.#addresses.filter((address) => !here.includes(address));
    const host = nearestAddress(own, remote) ?? nearestAddress(this.#addresses, remote) ?? (isIpv6(remote) ? "::" : "0.0.0.0");
    return { host, port: this.#port };
  }

  /**
   * Whether a request may be sent there because somebody named the place: no link-local one, which means another
   * machine on each link, unless it is a box of ours.
   */
  mayRelayTo(remote: Address): boolean {
    return this.mayReach(remote) && (!isLinkLocal(remote.host) || this.isFleetHost(remote.host));
  }

  /**
   * Whether a request may be sent there: not to multicast or broadcast, not to loopback unless SIP is
   * served on it, not to ourselves, and only where we have an address of that family.
   */
  mayReach(remote: Address): boolean {
    const host = canonicalHost(remote.host);
    if (remote.port < 1 || remote.port > 65_535 || isNoPlace(host)) return false;
    if (isLoopback(host) && !this.#addresses.some(isLoopback)) return false;
    if (this.#addresses.includes(host) && (this.#isOwnPort(remote.port) || remote.port === this.#otherPort)) return false;
    return this.#addresses.some((address) => isIpv6(address) === isIpv6(host));
  }
}

/** Of several local addresses the one of the same family with the longest common prefix: the one to send from. */
function nearestAddress(addresses: readonly string[], remote: string): string | undefined {
  let best: string | undefined;
  let bestBits = -1;
  for (const address of addresses) {
    if (isIpv6(address) !== isIpv6(remote)) continue;
    const bits = isLoopback(address) === isLoopback(remote) ? commonBits(address, remote) : -1;
    if (best === undefined || bits > bestBits) {
      best = address;
      bestBits = bits;
    }
  }
  return best;
}

function commonBits(a: string, b: string): number {
  const left = parseNumericHost(a);
  const right = parseNumericHost(b);
  if (left === undefined || right === undefined) return 0;
  let bits = 0;
  for (const [i, byte] of left.entries()) {
    const difference = byte ^ (right[i] ?? 0);
    if (difference !== 0) return bits + Math.clz32(difference) - 24;
    bits += 8;
  }
  return bits;
}
