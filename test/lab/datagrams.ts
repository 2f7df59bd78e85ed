// Raw SIP datagrams from several ports of one address, and what comes back to any of them.

import { createSocket, type Socket } from "node:dgram";

/** The ports to which answers may come are as many as the messages name; more are a mistake. */
const MOST_PORTS = 16;

export interface Arrival {
  readonly text: string;
  /** Of our sockets: the port it came to. */
  readonly port: number;
  readonly at: number;
}

export class Datagrams {
  /** Everything that came, in order. */
  readonly arrivals: Arrival[] = [];
  readonly #address: string;
  readonly #sockets = new Map<number, Socket>();

  constructor(address: string) {
    this.#address = address;
  }

  /** Opens a port if it is not open. */
  async listen(port: number): Promise<void> {
    if (this.#sockets.has(port)) return;
    if (this.#sockets.size >= MOST_PORTS) throw new Error("too many ports");
    const socket = createSocket("udp4");
    this.#sockets.set(port, socket);
    socket.on("message", (octets) => this.arrivals.push({ text: octets.toString("latin1"), port, at: performance.now() }));
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, this.#address, resolve);
    });
  }

  async send(from: number, to: { readonly address: string; readonly port: number }, octets: Uint8Array): Promise<void> {
    const socket = this.#sockets.get(from);
    if (socket === undefined) throw new Error(`port ${from} is not open`);
    await new Promise<void>((resolve, reject) => {
      socket.send(octets, to.port, to.address, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
  }
}
