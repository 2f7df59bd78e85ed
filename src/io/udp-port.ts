// One UDP socket for each local address, so that the local end of every datagram is known. A transport on
// recvmmsg and sendmmsg would replace this file: it takes and gives whole batches already.

import { createSocket, type Socket } from "node:dgram";
import { type Address, isIpv6 } from "../base/address.ts";
import { describeListenError, ListenError } from "./listen-error.ts";

export interface Datagram {
  readonly from: string;
  readonly to: Address;
  readonly octets: string;
  /** Told if it could not be sent. */
  readonly onError?: () => void;
}

/** The kernel gives what `net.core.rmem_max` allows. The default holds 256 small packets, less than a burst of phones. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

export class UdpPort {
  readonly #onReceived: (local: Address, remote: Address, octets: string) => void;
  readonly #onReport: (level: "warning", text: string) => void;
  readonly #sockets = new Map<string, Socket>(); // BOUNDED: by the addresses of the box

  constructor(
    onReceived: (local: Address, remote: Address, octets: string) => void,
    onReport: (level: "warning", text: string) => void,
  ) {
    this.#onReceived = onReceived;
    this.#onReport = onReport;
  }

  get addresses(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  /** The port bound: the one asked for, or a free one for 0. Rejects with `ListenError`. */
  async open(host: string, port: number): Promise<number> {
    const socket = createSocket({
      type: isIpv6(host) ? "udp6" : "udp4",
      ipv6Only: isIpv6(host),
      recvBufferSize: RECEIVE_BUFFER_BYTES,
      lookup: numericLookup,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => {
        socket.close();
        reject(new ListenError(describeListenError(error, "SIP", "UDP", { host, port }, "--sip-port"), error));
      });
      socket.bind({ address: host, port, exclusive: true }, resolve);
    });
    const local = { host, port: socket.address().port };
    socket.removeAllListeners("error");
    socket.on("error", (error) => {
      this.#onReport("warning", `SIP over UDP on ${host}: ${error.message}`);
      this.close(host);
    });
    socket.on("message", (bytes, { address, port: remotePort }) => {
      // Nothing can be answered to port 0, and zone suffixes do not occur without link-local sockets.
      if (remotePort !== 0) this.#onReceived(local, { host: address, port: remotePort }, bytes.toString("latin1"));
    });
    this.#sockets.set(host, socket);
    return local.port;
  }

  send(datagrams: readonly Datagram[]): void {
    for (const { from, to, octets, onError } of datagrams) {
      const socket = this.#sockets.get(from);
      if (socket === undefined || to.port === 0) onError?.();
      else socket.send(Buffer.from(octets, "latin1"), to.port, to.host, onError === undefined ? ignoreError : (error) => error !== null && onError());
    }
  }

  close(host: string): void {
    const socket = this.#sockets.get(host);
    this.#sockets.delete(host);
    socket?.close();
  }

  closeAll(): void {
    for (const host of this.addresses) this.close(host);
  }
}

/** Without a callback a failed send would be an error of the whole socket; an answer nobody can get is nobody's. */
const ignoreError = (): void => {};

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

/** Everything is sent to numeric addresses; no name is ever looked up here. */
function numericLookup(host: string, _options: unknown, callback: LookupCallback): void {
  callback(null, host, isIpv6(host) ? 6 : 4);
}
