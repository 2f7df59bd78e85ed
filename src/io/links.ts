import type { TLSSocket } from "node:tls";
import type { Random } from "../base/random.ts";
import type { OverlayEffect, OverlayInput, Trust } from "../overlay/ports.ts";
import type { Clock } from "./clock.ts";

export type LinkCommand = Extract<OverlayEffect, { type: "dial" | "link-send" | "link-close" }>;
export type LinkEvent = Extract<
  OverlayInput,
  { type: "link-opened" | "link-message" | "link-silent" | "link-heard" | "link-closed" | "dial-failed" }
>;

export declare class Links {
  constructor(settings: {
    readonly overlayName: string;
    /** DER: this box's certificate and the issuing certificate, and its key. */
    readonly certificate: Uint8Array;
    readonly issuingCertificate: Uint8Array;
    readonly privateKeyPem: string;
    readonly trust: Trust;
    readonly random: Random;
    readonly clock: Clock;
    readonly maxMessageBytes: number;
    readonly onInput: (input: LinkEvent) => void;
    /** A connection with ALPN `http/1.1`. */
    readonly onEnrollment: (socket: TLSSocket) => void;
    readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
    /** TLS key log lines, for tests that let tshark read the wire. */
    readonly onKeyLog?: (line: Uint8Array) => void;
  });
  /** Listens; `host` undefined: every address. Rejects with `ListenError`. Port 0: any free port. */
  open(listen: { readonly host: string | undefined; readonly port: number }): Promise<void>;
  get port(): number;
  /** Carries out a whole batch; then writes once to each link. */
  perform(commands: readonly LinkCommand[]): void;
  /** The smoothed round trip of a link in milliseconds. */
  roundTrip(link: number): number | undefined;
  close(): Promise<void>;
}
