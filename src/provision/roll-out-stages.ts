// The stages of one box on its way to another version, as a complete table.

export const STAGES = ["idle", "fetching", "ready", "asking", "writing", "draining", "starting", "proving", "kept", "failed"] as const;

/**
 * `idle`: nothing is wished, or nothing of it is for this box. `ready`: the bundle is here, checked. `asking`: for the leave
 * of those that share its replicas. `writing` to `proving`: it has that leave. `kept`: runs it, and the boot loader stays with it.
 */
export type Stage = (typeof STAGES)[number];

const OUT: readonly Stage[] = ["writing", "draining", "starting", "proving"];

/** Whether a box in this stage is out of service, or about to be, by the leave of those that share its replicas. */
export const isOut = (stage: Stage): boolean => OUT.includes(stage);

export type Trigger =
  | "wished" | "has it" | "fetched" | "refused" | "stopped" | "our turn" | "granted" | "not granted" | "written" | "not written" | "drained"
  | "not restarted" | "began anew" | "runs it" | "runs it, kept" | "runs the old one" | "proved";

/** `ignore`: cannot be, or changes nothing. */
type Cell = Stage | "ignore";

const NOTHING = {
  wished: "ignore", "has it": "ignore", fetched: "ignore", refused: "ignore", stopped: "ignore", "our turn": "ignore", granted: "ignore", "not granted": "ignore", written: "ignore", "not written": "ignore",
  drained: "ignore", "not restarted": "ignore", "began anew": "ignore", "runs it": "ignore", "runs it, kept": "ignore", "runs the old one": "ignore", proved: "ignore",
} as const satisfies Record<Trigger, Cell>;

/** The last six are of a program that has just begun, and stand for the stage that the one before it was in. */
export const ROLL_OUT_TRANSITIONS = {
  idle: { ...NOTHING, wished: "fetching", "has it": "ready", "runs it": "proving", "runs it, kept": "kept" },
  fetching: { ...NOTHING, fetched: "ready", refused: "failed", stopped: "idle", "began anew": "idle", "runs it": "proving", "runs it, kept": "kept" },
  ready: { ...NOTHING, "our turn": "asking", stopped: "idle", "began anew": "idle", "runs it": "proving", "runs it, kept": "kept" },
  asking: { ...NOTHING, granted: "writing", "not granted": "ready", stopped: "idle", "began anew": "idle", "runs it": "proving", "runs it, kept": "kept" },
  writing: { ...NOTHING, written: "draining", "not written": "failed", "began anew": "idle", "runs it": "proving", "runs it, kept": "kept" },
  draining: { ...NOTHING, drained: "starting", "began anew": "idle", "runs it": "proving", "runs it, kept": "kept" },
  starting: { ...NOTHING, "not restarted": "draining", "runs it": "proving", "runs it, kept": "kept", "runs the old one": "failed" },
  proving: { ...NOTHING, proved: "kept", "runs it": "proving", "runs it, kept": "kept", "runs the old one": "failed" },
  kept: { ...NOTHING, "began anew": "idle" },
  failed: { ...NOTHING, "runs it": "proving", "runs it, kept": "kept" },
} as const satisfies Record<Stage, Record<Trigger, Cell>>;
