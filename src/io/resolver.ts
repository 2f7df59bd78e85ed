import type { Random } from "../base/random.ts";
import type { SipEffect, Target } from "../sip/ports.ts";

export type ResolveCommand = Extract<SipEffect, { type: "resolve" }>;

/** RFC 3263 over the system's DNS servers. Every question is answered once. */
export declare class SipResolver {
  constructor(settings: {
    readonly random: Random;
    readonly onResolved: (ticket: number, targets: readonly Target[]) => void;
    /** DNS servers instead of the system's, `host:port` each. */
    readonly servers?: readonly string[];
  });
  resolve(command: ResolveCommand): void;
  close(): void;
}
