// One way to a SIP port, as a phone has it: a socket or a connection of its own.

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import { type Address, formatAddress, isIpv6 } from "../../base/address.ts";
import { seconds } from "../../base/time.ts";
import type { SipTransport } from "../../health/report.ts";
import { StreamFramer } from "../../sip/message/stream-framer.ts";

export interface SipWire {
  readonly transport: SipTransport;
  readonly local: Address;
  /** Whether what is sent may be lost, and is to be sent again. */
  readonly lossy: boolean;
  send(octets: string): void;
  close(): void;
}

export interface WireEvents {
  readonly message: (octets: string) => void;
  /** It can carry nothing any more; in plain words. */
  readonly broken: (reason: string) => void;
}

/** Rejects with an error in plain words. */
export function openWire(transport: SipTransport, remote: Address, events: WireEvents): Promise<SipWire> {
  if (transport === "UDP") return openUdp(remote, events);
  if (transport === "WS" || transport === "WSS") return openWebSocket(transport, remote, events);
  return openStream(transport, remote, events);
}

function openUdp(remote: Address, events: WireEvents): Promise<SipWire> {
  return new Promise((opened, failed) => {
    const socket: UdpSocket = createSocket(isIpv6(remote.host) ? "udp6" : "udp4");
    let isOpen = true;
    const close = (): void => {
      if (isOpen) socket.close();
      isOpen = false;
    };
    socket.on("error", (error) => {
      const reason = plainWords(error);
      failed(new Error(reason));
      events.broken(reason);
      close();
    });
    socket.on("message", (datagram) => events.message(datagram.toString("latin1")));
    // A connected socket hears that nobody has the port, and has the source address that leads there.
    socket.connect(remote.port, remote.host, () => {
      const { address, port } = socket.address();
      opened({
        transport: "UDP", lossy: true, local: { host: address, port },
        send: (octets) => {
          if (isOpen) socket.send(Buffer.from(octets, "latin1"));
        },
        close,
      });
    });
  });
}

/** Whom a certificate is for is not looked at: a trial asks whether phones are served, and tells no secrets. */
const TLS = { rejectUnauthorized: false, minVersion: "TLSv1.2" } as const;

function openStream(transport: "TCP" | "TLS", remote: Address, events: WireEvents): Promise<SipWire> {
  return new Promise((opened, failed) => {
    const to = { port: remote.port, host: remote.host };
    const socket: Socket = transport === "TCP" ? connect(to) : connectTls({ ...to, ...TLS });
    socket.setNoDelay(true);
    const framer = new StreamFramer();
    socket.on("error", (error) => {
      const reason = plainWords(error);
      failed(new Error(reason));
      events.broken(reason);
    });
    socket.on("close", () => events.broken("the box closed the connection"));
    socket.on("data", (octets) => {
      for (const piece of framer.push(octets.toString("latin1"))) {
        if (piece.type === "message") events.message(piece.octets);
        if (piece.type === "broken") socket.destroy(new Error("what came is not SIP"));
      }
    });
    socket.on(transport === "TCP" ? "connect" : "secureConnect", () => {
      opened({
        transport, lossy: false, local: localOf(socket),
        send: (octets) => socket.write(octets, "latin1"),
        close: () => socket.destroy(),
      });
    });
  });
}

/** RFC 7118. */
function openWebSocket(transport: "WS" | "WSS", remote: Address, events: WireEvents): Promise<SipWire> {
  return new Promise((opened, failed) => {
    const socket = new WebSocket(`${transport.toLowerCase()}://${formatAddress(remote)}/`, ["sip"], { ...TLS, handshakeTimeout: HANDSHAKE_WAIT, maxPayload: 65_536 });
    let local: Address = { host: "", port: 0 };
    socket.on("upgrade", (response) => {
      local = localOf(response.socket);
    });
    socket.on("error", (error) => {
      const reason = plainWords(error);
      failed(new Error(reason));
      events.broken(reason);
    });
    socket.on("close", () => events.broken("the box closed the connection"));
    socket.on("message", (content: Buffer) => events.message(content.toString("latin1")));
    socket.on("open", () => {
      opened({ transport, lossy: false, local, send: (octets) => sendText(socket, octets), close: () => socket.terminate() });
    });
  });
}

/** On a connection that is closing nothing goes out: whoever waits for an answer is told so. */
function sendText(socket: WebSocket, octets: string): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(Buffer.from(octets, "latin1"), { binary: false });
}

const HANDSHAKE_WAIT = seconds(3);

const localOf = (socket: Socket): Address => ({ host: socket.localAddress ?? "", port: socket.localPort ?? 0 });

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody is at its SIP port",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  ETIMEDOUT: "no answer at all",
  ECONNRESET: "it closed the connection",
};

const plainWords = (error: Error): string => ("code" in error && typeof error.code === "string" ? WORDS[error.code] : undefined) ?? error.message;
