// How a fleet stands on its way to another version, for people and programs.

import type { BoxName } from "../../health/report.ts";
import type { Stage } from "../../provision/roll-out-stages.ts";

/** A bundle that the fleet is to have: `/api/update`. */
export interface FleetUpdate {
  readonly version: string;
  readonly architecture: string;
  /** Why no box begins any more; `null`: it goes on, or is done. */
  readonly stopped: string | null;
  readonly boxes: readonly BoxUpdateStage[];
}
export interface BoxUpdateStage extends BoxName {
  readonly self: boolean;
  /** As the overlay has it. */
  readonly state: string;
  /** `not-by-image`: of another architecture, or not made from the image, or its agent has not told. */
  readonly stage: Stage | "not-by-image";
  /** Of the fetching, 0 to 100. */
  readonly percent: number;
  /** The version that it runs. */
  readonly running: string | null;
  readonly detail: string;
}
