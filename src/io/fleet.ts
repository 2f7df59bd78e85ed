import type { Duration } from "../base/time.ts";
export declare function createFleet(fleet: { readonly name: string; readonly domain: string }): Promise<{ readonly rootKeyPem: string; readonly fleetTicket: string }>;
/** Throws `FleetError` with a plain sentence if key and ticket do not belong together. */
export declare function createJoinTicket(request: {
  readonly rootKeyPem: string;
  readonly fleetTicket: string;
  readonly expires: Duration;
  /** `host:port` each. */
  readonly hints: readonly string[];
  readonly zone: string;
}): Promise<string>;
/** Its message is a sentence for the operator. */
export declare class FleetError extends Error {}
