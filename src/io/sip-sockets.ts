// Where SIP comes in and goes out, on one address or on all of the box: UDP and TCP on one port, TLS and
// WebSocket on ports of their own.

import { createSocket } from "node:dgram";
import { type Address, isIpv6 } from "../base/address.ts";
import { type Flow, NO_STREAM_PORTS, type SipEffect, type SipInput, type StreamPorts } from "../sip/ports.ts";
import { ListenError } from "./listen-error.ts";
import { isOnLink, type LocalAddress, localAddresses } from "./local-addresses.ts";
import { SipConnections } from "./sip-connections.ts";
import { StreamDialer } from "./stream-dialer.ts";
import { type ContextFor, StreamPort, type StreamTransport } from "./stream-port.ts";
import type { TlsPem } from "./sip-certificate.ts";
import { type Datagram, UdpPort } from "./udp-port.ts";
import { WebSockets } from "./websockets.ts";

export type SipCommand = Extract<SipEffect, { type: "send" | "connect" | "close-connection" }>;
export type SipEvent = Extract<SipInput, { type: "received" | "connection-closed" | "connected" | "transport-error" }>;

/** A port for phones beside the SIP port. `wanted`: it was asked for, and a box without it does not start. */
export interface ExtraPort {
  readonly port: number;
  readonly wanted: boolean;
}

export interface SecureSettings {
  readonly contextFor: ContextFor;
  readonly identity: () => TlsPem | Record<string, never>;
  /** PEM of the fleet's root. */
  readonly fleetAuthority: string;
}

export interface SipSocketsSettings {
  /** 0: any free port, the same for UDP and TCP. */
  readonly port: number;
  /** `undefined`: every address of the box, followed as they come and go. */
  readonly listen: string | undefined;
  readonly onInput: (input: SipEvent) => void;
  /** The local addresses on which SIP is served have changed. */
  readonly onAddresses: (addresses: readonly string[]) => void;
  readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
  /** Ports of TLS and WebSocket; those that are left out are not served. */
  readonly extra?: { readonly tls?: ExtraPort | undefined; readonly ws?: ExtraPort | undefined; readonly wss?: ExtraPort | undefined };
  /** Without it nothing is served or dialed over TLS. */
  readonly secure?: SecureSettings;
  /** Whether the bound on connections from one address holds for loopback too. */
  readonly limitLoopback?: boolean;
}

const WATCH_MS = 2_000;
const FREE_PORT_TRIES = 20;
const OPTIONS: Readonly<Record<StreamTransport, string>> = { tcp: "--sip-port", tls: "--sips-port", ws: "--ws-port", wss: "--wss-port" };
const EXTRA = ["tls", "ws", "wss"] as const;

export class SipSockets {
  readonly #settings: SipSocketsSettings;
  readonly #udp: UdpPort;
  readonly #connections: SipConnections;
  readonly #webSockets: WebSockets;
  readonly #dialer: StreamDialer;
  /** BOUNDED: one a transport. */
  readonly #ports: StreamPort[] = [];
  #streamPorts: StreamPorts = NO_STREAM_PORTS;
  #port = 0;
  #locals: readonly LocalAddress[] = [];
  /** Which address the kernel would send from when the other side is on no link of ours. */
  #defaultSources: { readonly 4: string | undefined; readonly 6: string | undefined } = { 4: undefined, 6: undefined };
  #watch: NodeJS.Timeout | undefined;
  #isClosed = false;
  #following: Promise<void> = Promise.resolve();

  constructor(settings: SipSocketsSettings) {
    this.#settings = settings;
    const { onInput } = settings;
    this.#udp = new UdpPort(
      (local, remote, octets) => onInput({ type: "received", flow: { transport: "udp", local, remote, connection: 0 }, octets }),
      settings.onReport,
    );
    this.#connections = new SipConnections(
      {
        received: (flow, octets) => onInput({ type: "received", flow, octets }),
        closed: (connection) => onInput({ type: "connection-closed", connection }),
        connected: (ticket, flow) => onInput({ type: "connected", ticket, flow }),
        failed: (ticket) => onInput({ type: "transport-error", ticket }),
      },
      settings.limitLoopback ?? false,
    );
    this.#webSockets = new WebSockets(this.#connections);
    const { identity = () => ({}), fleetAuthority = "" } = settings.secure ?? {};
    this.#dialer = new StreamDialer({ connections: this.#connections, identity, fleetAuthority });
  }

  /** Rejects with `ListenError`. */
  async open(): Promise<void> {
    const { port, listen } = this.#settings;
    for (let tries = port === 0 ? FREE_PORT_TRIES : 1; ; tries--) {
      try {
        await this.#openAll(port);
        break;
      } catch (error) {
        // A port that is free for UDP may be taken for TCP; with a fixed port that is the end of it.
        await this.#closeAll();
        if (tries <= 1 || !(error instanceof ListenError)) throw error;
      }
    }
    this.#streamPorts = await this.#openExtra();
    this.#defaultSources = await findDefaultSources();
    if (listen === undefined) this.#watch = setInterval(() => void this.follow(), WATCH_MS);
  }

  get port(): number {
    return this.#port;
  }
  /** Those of TLS and WebSocket that are served. */
  get streamPorts(): StreamPorts {
    return this.#streamPorts;
  }
  get addresses(): readonly string[] {
    return this.#udp.addresses;
  }

  /** A whole batch. */
  perform(commands: readonly SipCommand[]): void {
    const datagrams: Datagram[] = [];
    for (const command of commands) {
      if (command.type === "close-connection") this.#connections.closeConnection(command.connection);
      else if (command.type === "connect") this.#connect(command, datagrams);
      else if (command.flow.transport !== "udp") this.#connections.send(command.flow, command.octets);
      else datagrams.push({ from: command.flow.local.host, to: command.flow.remote, octets: command.octets });
    }
    this.#udp.send(datagrams);
  }

  /** The local UDP end from which an address is reached, as `connect` would choose it. */
  localFor(remote: Address): Flow["local"] | undefined {
    const host = this.#sourceFor(remote.host);
    return host === undefined ? undefined : { host, port: this.#port };
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#isClosed = true;
    await this.#closeAll();
  }

  #connect({ ticket, transport, remote, name, from: wanted, octets }: Extract<SipCommand, { type: "connect" }>, datagrams: Datagram[]): void {
    const onError = (): void => this.#settings.onInput({ type: "transport-error", ticket });
    if (transport === "tcp" || (transport === "tls" && this.#settings.secure !== undefined)) {
      return this.#dialer.send(ticket, transport, remote, name, octets);
    }
    if (transport !== "udp") return onError();
    const from = wanted ?? this.#sourceFor(remote.host);
    if (from === undefined) onError();
    else datagrams.push({ from, to: remote, octets, onError });
  }

  #sourceFor(remote: string): string | undefined {
    const { listen } = this.#settings;
    // The only address there is; the system does not list all that it has (127.0.0.2 is one).
    if (listen !== undefined) return isIpv6(listen) === isIpv6(remote) ? listen : undefined;
    const served = this.#locals;
    const own = served.find(({ address }) => address === remote) ?? served.find((local) => isOnLink(remote, local));
    if (own !== undefined) return own.address;
    const family = isIpv6(remote) ? 6 : 4;
    const byDefault = this.#defaultSources[family];
    if (served.some(({ address }) => address === byDefault)) return byDefault;
    const usable = served.filter(({ address }) => isIpv6(address) === (family === 6));
    return (usable.find(({ internal }) => !internal) ?? usable[0])?.address;
  }

  async #openAll(wanted: number): Promise<void> {
    const { listen } = this.#settings;
    const hosts = listen === undefined ? localAddresses().map(({ address }) => address) : [listen];
    this.#port = wanted;
    for (const host of hosts) this.#port = await this.#openAddress(host, this.#port);
    await this.#openStream("tcp", this.#port);
    this.#locals = this.#served();
  }

  async #openStream(transport: StreamTransport, port: number): Promise<number> {
    const { listen, secure } = this.#settings;
    const contextFor = secure?.contextFor ?? (() => undefined);
    const stream = new StreamPort({ transport, connections: this.#connections, webSockets: this.#webSockets, contextFor, option: OPTIONS[transport] });
    const bound = await stream.open(listen, port);
    this.#ports.push(stream);
    return bound;
  }

  /** A port that nobody asked for by name may be taken: then this box goes without, and says so. */
  async #openExtra(): Promise<StreamPorts> {
    const ports: { tls: number | undefined; ws: number | undefined; wss: number | undefined } = { ...NO_STREAM_PORTS };
    for (const transport of EXTRA) {
      const extra = this.#settings.extra?.[transport];
      if (extra === undefined) continue;
      try {
        ports[transport] = await this.#openStream(transport, extra.port);
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
        if (extra.wanted) {
          await this.#closeAll();
          throw error;
        }
        this.#settings.onReport("warning", `no phones over ${transport.toUpperCase()}: ${error.message}`);
      }
    }
    return ports;
  }

  async #openAddress(host: string, port: number): Promise<number> {
    try {
      return await this.#udp.open(host, port);
    } catch (error) {
      // Among all addresses one may just have gone, or may still be checked for duplicates by the kernel.
      const mayWait = this.#settings.listen === undefined && error instanceof ListenError && error.isAddressMissing;
      if (!mayWait) throw error;
      return port;
    }
  }

  async #closeAll(): Promise<void> {
    this.#udp.closeAll();
    const closed = this.#ports.splice(0).map((port) => port.close());
    this.#connections.closeAll();
    await Promise.all(closed);
  }

  #served(): readonly LocalAddress[] {
    const open = new Set(this.#udp.addresses);
    return localAddresses().filter(({ address }) => open.has(address));
  }

  /** Cables are pulled, leases run out, interfaces come up late. Resolves when SIP is served on what there is now. */
  follow(): Promise<void> {
    this.#following = this.#following.then(() => this.#adapt()).catch((error: unknown) => {
      this.#settings.onReport("warning", `SIP addresses: ${error instanceof Error ? error.message : String(error)}`);
    });
    return this.#following;
  }

  /** In good order: the other side is told, and may connect anew. */
  closeConnectionsAt(host: string): void {
    this.#connections.closeAt(host);
  }

  async #adapt(): Promise<void> {
    if (this.#isClosed) return;
    const present = new Set(localAddresses().map(({ address }) => address));
    const before = this.#udp.addresses;
    for (const host of before) if (!present.has(host)) this.#udp.close(host);
    for (const host of present) if (!before.includes(host)) await this.#openLater(host);
    this.#locals = this.#served();
    this.#defaultSources = await findDefaultSources();
    if (this.#udp.addresses.join() !== before.join()) this.#settings.onAddresses(this.#udp.addresses);
  }

  async #openLater(host: string): Promise<void> {
    try {
      await this.#udp.open(host, this.#port);
      this.#settings.onReport("info", `SIP is served on ${host} too`);
    } catch (error) {
      // A new IPv6 address cannot be bound until the kernel has seen that nobody else has it: next time.
      this.#settings.onReport("debug", error instanceof Error ? error.message : String(error));
    }
  }
}

/** Asks the kernel's routes, by connecting a socket that sends nothing. */
async function findDefaultSources(): Promise<{ readonly 4: string | undefined; readonly 6: string | undefined }> {
  return { 4: await sourceTowards("192.0.2.1", "udp4"), 6: await sourceTowards("2001:db8::1", "udp6") };
}

function sourceTowards(host: string, type: "udp4" | "udp6"): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(type);
    const answer = (error?: Error): void => {
      const source = error === undefined ? socket.address().address : undefined; // no route, or no such family
      socket.close();
      resolve(source);
    };
    socket.once("error", answer);
    socket.connect(9, host, answer);
  });
}
