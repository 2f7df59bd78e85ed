import { createSocket, type Socket } from "node:dgram";
import { type Address, isIpv6 } from "../base/address.ts";
import type { Flow } from "../sip/ports.ts";
import { describeListenError, ListenError } from "./listen-error.ts";
import type { SipEvent } from "./sip-sockets.ts";

/** The usual buffer holds some 250 small datagrams; a burst of REGISTERs is more. The kernel may grant less. */
const BUFFER_BYTES = 4 * 1_024 * 1_024;

/** One UDP socket on one local address: datagrams in as octet strings, and out. */
export class UdpSocket {
  readonly #onInput: (input: SipEvent) => void;
  readonly #onReport: (level: "debug", text: string) => void;
  #socket: Socket | undefined;
  #local: Address = { host: "", port: 0 };

  constructor(onInput: (input: SipEvent) => void, onReport: (level: "debug", text: string) => void) {
    this.#onInput = onInput;
    this.#onReport = onReport;
  }

  get port(): number {
    return this.#local.port;
  }

  /** Rejects with a `ListenError`. */
  async open({ host, port }: Address): Promise<void> {
    const family = isIpv6(host) ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? "udp6" : "udp4",
      ipv6Only: family === 6,
      // Addresses are numeric: answering at once keeps datagrams in order and spares a turn of the loop.
      lookup: (name, _options, found) => found(null, name, family),
      recvBufferSize: BUFFER_BYTES,
      sendBufferSize: BUFFER_BYTES,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => {
        socket.close();
        reject(new ListenError(describeListenError(error, "SIP", "UDP", { host, port }, "--sip-port")));
      });
      socket.bind({ address: host, port, exclusive: true }, resolve);
    });
    socket.removeAllListeners("error");
    socket.on("error", (error) => this.#onReport("debug", `UDP on ${host}: ${error.message}`));
    this.#local = { host, port: socket.address().port };
    this.#socket = socket;
    socket.on("message", (message, { address, port: from }) => {
      const flow: Flow = { transport: "udp", local: this.#local, remote: { host: address, port: from }, connection: 0 };
      this.#onInput({ type: "received", flow, octets: message.toString("latin1") });
    });
  }

  /** `failed` is called if the kernel refuses the datagram. */
  send(remote: Address, octets: string, failed?: () => void): void {
    const bytes = Buffer.from(octets, "latin1");
    this.#socket?.send(bytes, 0, bytes.length, remote.port, remote.host, (error) => {
      if (error === null || error === undefined) return;
      this.#onReport("debug", `a datagram could not be sent: ${error.message}`);
      failed?.();
    });
  }

  close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    return new Promise((resolve) => (socket === undefined ? resolve() : socket.close(() => resolve())));
  }
}
