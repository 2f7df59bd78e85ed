// One TLS connection with the link machine on it, from the handshake's end to the close.

import type { TLSSocket } from "node:tls";
import type { Address } from "../base/address.ts";
import type { Duration, Instant } from "../base/time.ts";
import { type LinkEffect, type LinkInput, LinkMachine, type LinkSettings } from "../overlay/link/link-machine.ts";
import type { LinkId, NodeId, Ticket } from "../overlay/ports.ts";
import type { Clock } from "./clock.ts";
import { parseRefusal } from "./tls-identity.ts";
import { readCertificate } from "./trust.ts";

export interface LinkEnds {
  readonly nodeId: NodeId;
  readonly certificate: Uint8Array;
  readonly outbound: boolean;
  readonly remote: Address;
  readonly dial: Ticket | undefined;
}

export interface LinkListener {
  /** The other side is known to have accepted: its first frame has come. */
  readonly opened: (link: LinkConnection) => void;
  readonly told: (link: LinkConnection, effect: Extract<LinkEffect, { type: "message" | "silent" | "heard" }>) => void;
  /** The other side does not keep to the protocol; `closed` follows. */
  readonly broken: () => void;
  /** Once, whatever ended it; also for a link that never opened. */
  readonly closed: (link: LinkConnection, reason: string) => void;
  /** Something waits for the end of the batch, or the deadline has moved. */
  readonly stirred: (link: LinkConnection) => void;
}

/** BOUNDED: bytes that a slow reader leaves waiting here; above it the link is closed. */
const MAX_QUEUED_BYTES = 4 << 20;

export class LinkConnection {
  readonly id: LinkId;
  readonly ends: LinkEnds;
  /** The other side said so, in the place of its first frame. */
  wasRefused = false;
  #certificate: Uint8Array;
  readonly #socket: TLSSocket;
  readonly #machine: LinkMachine;
  readonly #clock: Clock;
  readonly #listener: LinkListener;
  #state: "greeting" | "open" | "closed" = "greeting";

  constructor(id: LinkId, socket: TLSSocket, ends: LinkEnds, settings: LinkSettings, clock: Clock, listener: LinkListener) {
    this.id = id;
    this.ends = ends;
    this.#certificate = ends.certificate;
    this.#socket = socket;
    this.#clock = clock;
    this.#listener = listener;
    this.#machine = new LinkMachine(settings, clock.now());
  }

  /** The newest one that the other side has shown. */
  get certificate(): Uint8Array {
    return this.#certificate;
  }
  /** Takes a newer one if it is of the same key. */
  renew(certificate: Uint8Array): void {
    const [known, renewed] = [readCertificate(this.#certificate), readCertificate(certificate)];
    if (known !== undefined && renewed?.publicKey.equals(known.publicKey) === true) this.#certificate = certificate;
  }
  get isOpen(): boolean {
    return this.#state === "open";
  }
  get roundTrip(): Duration | undefined {
    return this.#machine.roundTrip?.smoothed;
  }
  nextDeadline(): Instant | undefined {
    return this.#state === "closed" ? undefined : this.#machine.nextDeadline();
  }

  start(): void {
    this.#socket.on("data", (bytes: Buffer) => this.#received(bytes));
    this.#socket.on("end", () => this.close("the other side closed the link"));
    this.#socket.on("error", (error) => this.close(describeSocketError(error)));
    this.#socket.on("close", () => this.close("the link was cut"));
    this.#step({ type: "greet" });
    this.tick();
  }

  send(message: Uint8Array): void {
    if (this.#state === "open") this.#step({ type: "send", message });
  }

  /** Ends a batch, or looks at the clock. */
  tick(): void {
    this.#step({ type: "tick" });
  }

  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    // What was written still leaves if the other side reads; it has a second for that.
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), 1_000).unref();
    this.#listener.closed(this, reason);
  }

  #received(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    if (this.#state === "greeting") {
      const refusal = parseRefusal(bytes);
      if (refusal !== undefined) {
        this.wasRefused = true;
        return this.close(`refused by the other side: ${refusal}`);
      }
      this.#state = "open";
      this.#listener.opened(this);
    }
    this.#step({ type: "bytes", bytes, wall: this.#clock.wall() });
  }

  #step(input: LinkInput): void {
    if (this.#state === "closed") return;
    for (const effect of this.#machine.step(this.#clock.now(), input)) this.#carryOut(effect);
    this.#listener.stirred(this);
  }

  #carryOut(effect: LinkEffect): void {
    if (effect.type === "broken") {
      this.#listener.broken();
      return this.close(`the other side does not keep to the protocol: ${effect.reason}`);
    }
    if (effect.type !== "write") {
      // Verdicts on a link that the core does not know yet would only puzzle it.
      if (this.#state === "open") this.#listener.told(this, effect);
      else if (effect.type === "silent") this.close("the other side says nothing");
      return;
    }
    this.#socket.write(effect.bytes);
    if (this.#socket.writableLength > MAX_QUEUED_BYTES) this.close("the other side reads too slowly");
  }
}

const SOCKET_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was reset",
  EHOSTUNREACH: "no way there",
  ENETUNREACH: "no way there",
  ETIMEDOUT: "no answer",
  ENOTFOUND: "no such name",
  EAI_AGAIN: "the name could not be resolved",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the other side wants a certificate",
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: "the other side does not speak this protocol",
  ERR_SSL_WRONG_VERSION_NUMBER: "the other side does not speak TLS",
};

export function describeSocketError(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  return SOCKET_ERRORS[code] ?? error.message;
}
