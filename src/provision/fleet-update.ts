// How a fleet stands on its way to another version, for people and programs.

import type { Stage } from "./roll-out-stages.ts";
import { compareVersions } from "./version.ts";

/** A bundle that the fleet is to have: `/api/update`. */
export interface FleetUpdate {
  readonly version: string;
  readonly architecture: string;
  /** Why no box begins any more; `null`: it goes on, or is done. */
  readonly stopped: string | null;
  readonly boxes: readonly BoxUpdateStage[];
}
export interface BoxUpdateStage {
  /** 32 hex digits; `null` for a box that has none yet. */
  readonly nodeId: string | null;
  /** Its name, made of the Node-ID. */
  readonly words: string;
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

/** What a box does on its way to `version`, as page and command say it. */
export function stageWords({ stage: at, percent, running, detail, state }: BoxUpdateStage, version: string): string {
  const more = detail === "" ? "" : ` (${detail})`;
  switch (at) {
    case "not-by-image":
      return "is left as it is: not made from the image for this architecture, or its agent does not tell";
    case "idle":
      return running !== null && compareVersions(running, version) > 0 ? `runs ${running}, which is newer` : `runs ${running ?? "?"}${state === "serving" ? "" : `, ${state}`}${more}`;
    case "fetching":
      return `fetches the bundle, ${percent} %${more}`;
    case "ready":
      return `has the bundle, and waits for its turn${more}`;
    case "asking":
      return "asks those that share its replicas";
    case "writing":
      return "writes the other slot";
    case "draining":
      return "lets calls that are being set up end";
    case "starting":
      return "starts anew";
    case "proving":
      return `runs ${version}, and proves itself`;
    case "kept":
      return `runs ${version}`;
    case "failed":
      return `FAILED${more}; runs ${running ?? "?"}`;
  }
}
