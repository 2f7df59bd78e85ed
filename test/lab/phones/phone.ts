import type { Host } from "../network.ts";

/** Who a phone is, and the box it knows. */
export interface Account {
  readonly username: string;
  readonly password: string;
  readonly domain: string;
  /** Address of the box it registers at and calls through. */
  readonly box: string;
  readonly boxPort?: number;
  /** UDP if not given. */
  readonly transport?: "udp" | "tcp" | "tls";
  /** PEM file of the authority that the box's certificate is held against. */
  readonly authority?: string;
  /** Between two signs of life on a connection, seconds (linphone). */
  readonly keepAlive?: number;
  /** Of baresip: hums, where it otherwise says what it hears (and as a caller in version 1.0 nothing). */
  readonly tone?: true;
  /** A second box to register at over a flow of its own (RFC 5626). */
  readonly secondBox?: string;
  /** Rings until `accept`, where the phone can (baresip). */
  readonly byHand?: boolean;
  /** The phone's own address, if not the first of its host. */
  readonly address?: string;
  /** The phone's own SIP port. */
  readonly port?: number;
  /** How long a registration is asked for, seconds. */
  readonly expires?: number;
  /** Of linphone: says that it is there (PUBLISH), as it registers. */
  readonly publishes?: true;
  /** Of baresip: further modules, and people it watches. */
  readonly modules?: readonly string[];
  readonly watches?: readonly string[];
}

export type CallOutcome =
  | { readonly answered: true; readonly seconds: number }
  /** In the phone's own words. */
  | { readonly answered: false; readonly reason: string };

/** A real phone: one account, one call at a time, answers by itself. */
export interface Phone {
  readonly aor: string;
  readonly host: Host;
  /** Registers (again); rejects with the phone's own words if that did not succeed. */
  register(): Promise<void>;
  /** Dials; settles when the other side answered or the call failed. */
  call(aor: string, seconds?: number): Promise<CallOutcome>;
  /** Waits until this phone says that it talks with somebody whose address contains `peer`. */
  talkingWith(peer: string, seconds?: number): Promise<void>;
  /** Waits until this phone says that its call has ended. */
  idle(seconds?: number): Promise<void>;
  hangUp(): Promise<void>;
  close(): Promise<void>;
}
