import type { SipEffect, SipInput } from "../sip/ports.ts";

export type SipCommand = Extract<SipEffect, { type: "send" | "connect" | "close-connection" }>;
export type SipEvent = Extract<SipInput, { type: "received" | "connection-closed" | "connected" | "transport-error" }>;

export declare class SipSockets {
  constructor(settings: {
    /** 0: any free port, the same for UDP and TCP. */
    readonly port: number;
    /** `undefined`: every address of the box, followed as they come and go. */
    readonly listen: string | undefined;
    readonly onInput: (input: SipEvent) => void;
    /** The local addresses on which SIP is served have changed. */
    readonly onAddresses: (addresses: readonly string[]) => void;
    readonly onReport: (level: "debug" | "info" | "warning", text: string) => void;
  });
  /** Rejects with `ListenError`. */
  open(): Promise<void>;
  get port(): number;
  get addresses(): readonly string[];
  perform(commands: readonly SipCommand[]): void;
  close(): Promise<void>;
}
