// Connections that this box opens, over TCP or TLS, to wherever a message must go.

import { connect, type Socket } from "node:net";
import { checkServerIdentity, connect as connectSecurely, rootCertificates, type SecureContextOptions } from "node:tls";
import { type Address, formatAddress } from "../base/address.ts";
import { type SipConnection, type SipConnections, socketChannel } from "./sip-connections.ts";

const CONNECT_TIMEOUT_MS = 4_000;
const KEEP_ALIVE_MS = 60_000;

export interface DialerSettings {
  readonly connections: SipConnections;
  /** What this box shows as a client, if it has anything to show. */
  readonly identity: () => Pick<SecureContextOptions, "cert" | "key">;
  /** PEM of the fleet's own authority, which is believed for numeric addresses; for names the usual ones are. */
  readonly fleetAuthority: string;
}

export class StreamDialer {
  readonly #settings: DialerSettings;

  constructor(settings: DialerSettings) {
    this.#settings = settings;
  }

  /** `name`: what was resolved to `remote`, and what the certificate at the other end must be for (RFC 5922 7.1). */
  send(ticket: number, transport: "tcp" | "tls", remote: Address, name: string | undefined, octets: string): void {
    const expected = transport === "tls" ? (name ?? remote.host) : "";
    const key = `${transport} ${formatAddress(remote)} ${expected}`;
    this.#settings.connections.sendTo(ticket, key, octets, () => this.#dial(transport, remote, expected, key));
  }

  #dial(transport: "tcp" | "tls", remote: Address, expected: string, key: string): SipConnection | undefined {
    const { connections } = this.#settings;
    const socket = transport === "tcp" ? dialPlainly(remote) : this.#dialSecurely(remote, expected);
    const connection = connections.dialed(transport, remote.host, key, socketChannel(socket));
    if (connection === undefined) {
      socket.destroy();
      return undefined;
    }
    const timeout = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS);
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      clearTimeout(timeout);
      connections.forget(connection);
    });
    socket.once(transport === "tcp" ? "connect" : "secureConnect", () => {
      clearTimeout(timeout);
      connections.opened(connection, socket, socketChannel(socket));
    });
    socket.on("data", (bytes: Buffer) => connections.heard(connection, bytes.toString("latin1")));
    return connection;
  }

  #dialSecurely(remote: Address, expected: string): Socket {
    const { identity, fleetAuthority } = this.#settings;
    const isName = expected !== remote.host;
    return connectSecurely({
      host: remote.host,
      port: remote.port,
      ...identity(),
      ca: isName ? [...rootCertificates] : fleetAuthority,
      ...(isName ? { servername: expected } : {}),
      checkServerIdentity: (_, certificate) => checkServerIdentity(expected, certificate),
      lookup: refuseNames,
    });
  }
}

const dialPlainly = (remote: Address): Socket =>
  connect({ host: remote.host, port: remote.port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, lookup: refuseNames });

/** Only numeric addresses are connected to; names were resolved before. */
function refuseNames(host: string, _options: unknown, callback: (error: Error, address: string, family: number) => void): void {
  callback(new Error(`${host} is not a numeric address`), "", 0);
}
