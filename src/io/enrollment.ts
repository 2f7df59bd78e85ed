import type { TLSSocket } from "node:tls";
import type { Crypto } from "../base/crypto.ts";
import type { Random } from "../base/random.ts";
import type { Placed } from "../provision/placement.ts";
import type { Hint } from "../provision/hint.ts";
import type { AdmissionTicket } from "../provision/ticket.ts";
import type { Clock } from "./clock.ts";
import type { Enrolled } from "./enrolled.ts";
import type { Credential } from "./pki.ts";

export type EnrollmentAnswer =
  | { readonly outcome: "granted"; readonly enrolled: Enrolled }
  | { readonly outcome: "declined"; readonly reason: string }
  | { readonly outcome: "unreachable"; readonly reason: string };

export declare function requestEnrollment(request: {
  readonly address: Hint;
  readonly ticket: AdmissionTicket;
  readonly privateKeyPem: string;
  readonly clock: Clock;
}): Promise<EnrollmentAnswer>;

/** Issues this box's own certificate: the first box of a fleet, from a fleet ticket. */
export declare function foundFleet(request: {
  readonly ticket: AdmissionTicket;
  readonly privateKeyPem: string;
  readonly random: Random;
}): Promise<Enrolled>;

export declare class EnrollmentServer {
  constructor(settings: {
    readonly overlayName: string;
    readonly root: Uint8Array;
    readonly issuing: Credential;
    readonly crypto: Crypto;
    readonly random: Random;
    readonly clock: Clock;
    /** Members now, whose Node-IDs are taken. */
    readonly members: () => readonly Placed[];
    readonly onReport: (level: "info" | "warning", text: string) => void;
  });
  /** Serves one connection that chose `http/1.1`. */
  accept(socket: TLSSocket): void;
  close(): void;
}
