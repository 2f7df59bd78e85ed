import type { Machine } from "../base/machine.ts";
import type { Instant } from "../base/time.ts";
import type { Random } from "../base/random.ts";
import type { Hint } from "./ticket.ts";

export type AdmissionPhase = "blank" | "seeking" | "enrolling" | "founding" | "enrolled" | "refused";

/** What a box says of itself by multicast. A rumor: never trusted. */
export interface Announcement {
  /** First half of the SHA-256 of the root certificate, hex. */
  readonly fleetHash: string;
  readonly state: "serving" | "blank";
  /** Random per start of a box, hex; also orders blank boxes that may found. */
  readonly instance: string;
}

export type AdmissionInput =
  | { readonly type: "start" }
  | { readonly type: "hint"; readonly address: Hint }
  | { readonly type: "heard"; readonly address: Hint; readonly announcement: Announcement }
  | { readonly type: "unheard"; readonly instance: string }
  | { readonly type: "granted"; readonly address: Hint }
  | { readonly type: "declined"; readonly address: Hint; readonly reason: string }
  | { readonly type: "unreachable"; readonly address: Hint; readonly reason: string }
  | { readonly type: "founded" }
  | { readonly type: "tick" };

export type AdmissionEffect =
  /** Answered by `granted`, `declined` or `unreachable` with the same address. */
  | { readonly type: "enroll"; readonly address: Hint }
  /** Issue this box's certificate here; answered by `founded`. */
  | { readonly type: "found" }
  | { readonly type: "phase-changed"; readonly phase: AdmissionPhase }
  | { readonly type: "report"; readonly level: "info" | "warning"; readonly text: string };

export declare class Admission implements Machine<AdmissionInput, AdmissionEffect> {
  constructor(settings: {
    /** `undefined`: no ticket, the box stays blank. */
    readonly ticket: "fleet" | "join" | undefined;
    readonly fleetHash: string;
    readonly instance: string;
    /** Whether anything may be heard by multicast at all. */
    readonly listening: boolean;
    readonly random: Random;
  });
  get phase(): AdmissionPhase;
  step(now: Instant, input: AdmissionInput): readonly AdmissionEffect[];
  nextDeadline(): Instant | undefined;
}
