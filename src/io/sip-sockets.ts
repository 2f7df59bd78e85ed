// SIP's sockets: one UDP socket and one TCP listener for each local address, so that the local end of
// every flow is known. A transport around recvmmsg and sendmmsg would take the place of `udp-socket.ts`.

import { networkInterfaces } from "node:os";
import { formatAddress } from "../base/address.ts";
import type { SipEffect, SipInput } from "../sip/ports.ts";
import { nearestAddress } from "../sip/transport/local-ends.ts";
import { SipConnections } from "./sip-connections.ts";
import { UdpSocket } from "./udp-socket.ts";

export type SipCommand = Extract<SipEffect, { type: "send" | "connect" | "close-connection" }>;
export type SipEvent = Extract<SipInput, { type: "received" | "connection-closed" | "connected" | "transport-error" }>;

export interface SipSocketsSettings {
  /** 0: any free port, the same for UDP and TCP. */
  readonly port: number;
  /** `undefined`: every address of the box, followed as they come and go. */
  readonly listen: string | undefined;
  readonly onInput: (input: SipEvent) => void;
  /** The local addresses on which SIP is served have changed. */
  readonly onAddresses: (addresses: readonly string[]) => void;
  readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
}

/** Between two looks at the interfaces of the machine. */
const LOOK_EVERY_MS = 2_000;
/** BOUNDED: addresses served at once; further ones are left out. */
const ADDRESSES_MAX = 32;

export class SipSockets {
  readonly #settings: SipSocketsSettings;
  readonly #connections: SipConnections;
  /** By local address. BOUNDED: by ADDRESSES_MAX. */
  readonly #udp = new Map<string, UdpSocket>();
  #port: number;
  #watch: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(settings: SipSocketsSettings) {
    this.#settings = settings;
    this.#port = settings.port;
    this.#connections = new SipConnections(settings.onInput, settings.onReport);
  }

  get port(): number {
    return this.#port;
  }
  get addresses(): readonly string[] {
    return [...this.#udp.keys()];
  }

  /** Rejects with a `ListenError`, and serves nothing then. */
  async open(): Promise<void> {
    const wanted = this.#settings.listen === undefined ? ownAddresses() : [this.#settings.listen];
    try {
      for (const host of wanted) await this.#serve(host);
    } catch (error) {
      await this.close();
      throw error;
    }
    if (this.#settings.listen === undefined) this.#watch = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  /** Carries out a whole batch. */
  perform(commands: readonly SipCommand[]): void {
    for (const command of commands) {
      switch (command.type) {
        case "send":
          if (command.flow.transport === "tcp") this.#connections.send(command.flow.connection, command.octets);
          else this.#socketOf(command.flow.local.host)?.send(command.flow.remote, command.octets);
          break;
        case "connect":
          this.#connect(command);
          break;
        case "close-connection":
          this.#connections.end(command.connection);
          break;
      }
    }
    this.#connections.flush();
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await this.#connections.close();
    await Promise.all([...this.#udp.values()].map((socket) => socket.close()));
    this.#udp.clear();
  }

  #connect({ ticket, transport, remote, octets }: Extract<SipCommand, { type: "connect" }>): void {
    const local = nearestAddress(this.addresses, remote.host);
    if (local === undefined) return this.#settings.onInput({ type: "transport-error", ticket });
    if (transport === "tcp") return this.#connections.connect(ticket, local, remote, octets);
    const failed = (): void => this.#settings.onInput({ type: "transport-error", ticket });
    this.#udp.get(local)?.send(remote, octets, failed);
  }

  #socketOf(host: string): UdpSocket | undefined {
    return this.#udp.get(host) ?? this.#udp.values().next().value;
  }

  async #serve(host: string): Promise<void> {
    const socket = new UdpSocket(this.#settings.onInput, this.#settings.onReport);
    await socket.open({ host, port: this.#port });
    this.#udp.set(host, socket);
    this.#port = socket.port;
    await this.#connections.listen({ host, port: this.#port });
    this.#settings.onReport("debug", `SIP is served on ${formatAddress({ host, port: this.#port })}`);
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#follow(ownAddresses()).finally(() => {
      this.#looking = false;
    });
  }

  /** Serves addresses that came and forgets those that went. */
  async #follow(wanted: readonly string[]): Promise<void> {
    const gone = this.addresses.filter((host) => !wanted.includes(host));
    const come = wanted.filter((host) => !this.#udp.has(host));
    for (const host of gone) {
      await this.#udp.get(host)?.close();
      this.#udp.delete(host);
      this.#connections.stopListening(host);
    }
    for (const host of come) {
      await this.#serve(host).catch((error: Error) => this.#settings.onReport("warning", error.message));
    }
    if (gone.length + come.length > 0) this.#settings.onAddresses(this.addresses);
  }
}

/** Every address of the machine on which a phone could reach it; link-local ones of IPv6 need a scope and are left out. */
export function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address)
    .filter((address) => !address.startsWith("fe80:"))
    .slice(0, ADDRESSES_MAX);
}
