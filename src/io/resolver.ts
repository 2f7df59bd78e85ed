// NOTICE FROM THE LEAD: this file is being written by somebody else right now (branches io-mdns, main). Leave it alone; go on with links.ts and enrollment.ts only, then commit and report.
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
