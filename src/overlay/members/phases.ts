// Where this box stands on its way into the ring and out of it.

import type { Phase } from "../ports.ts";

export type PhaseTrigger =
  /** An Update from a linked member: there is a ring. */
  | "ring found"
  /** Nobody was found in time, and this box may stand alone. */
  | "alone"
  /** This box has its share. */
  | "share received"
  /** No linked member is in a ring any more. */
  | "ring lost"
  /** The ring has lived without this box for so long that it must come back as a blank one. */
  | "away too long"
  | "leave asked"
  | "handed over"
  /** The own disk has refused durable writes for so long that others are to hold this box's share. */
  | "disk unfit"
  /** Those others cannot either. */
  | "heirs refuse"
  /** The own disk has taken all for a while. */
  | "disk fit"
  /** The fleet believes this box no more. */
  | "revoked";

/** Whether a box in this phase takes what phones send. */
export const servesPhones = (phase: Phase): boolean => phase === "serving" || phase === "withdrawing" || phase === "aside";

export type PhaseCell = Phase | "ignore";

export const PHASE_TRANSITIONS = {
  seeking: {
    "ring found": "joining",
    alone: "serving",
    "share received": "ignore",
    "ring lost": "ignore",
    "away too long": "ignore",
    "leave asked": "left",
    "handed over": "ignore",
    "disk unfit": "ignore",
    "heirs refuse": "ignore",
    "disk fit": "ignore",
    revoked: "revoked",
  },
  joining: {
    "ring found": "ignore",
    alone: "ignore",
    "share received": "serving",
    "ring lost": "seeking",
    "away too long": "ignore",
    "leave asked": "left",
    "handed over": "ignore",
    "disk unfit": "ignore",
    "heirs refuse": "ignore",
    "disk fit": "ignore",
    revoked: "revoked",
  },
  serving: {
    // Two rings meet: both go on serving and unite.
    "ring found": "ignore",
    alone: "ignore",
    "share received": "ignore",
    // Both halves of a cut go on.
    "ring lost": "ignore",
    "away too long": "seeking",
    "leave asked": "leaving",
    "handed over": "ignore",
    "disk unfit": "withdrawing",
    "heirs refuse": "ignore",
    "disk fit": "ignore",
    revoked: "revoked",
  },
  withdrawing: {
    "ring found": "ignore",
    alone: "ignore",
    "share received": "ignore",
    "ring lost": "ignore",
    "away too long": "seeking",
    "leave asked": "leaving",
    "handed over": "aside",
    "disk unfit": "ignore",
    "heirs refuse": "serving",
    // What has begun is ended; then it may come back.
    "disk fit": "ignore",
    revoked: "revoked",
  },
  aside: {
    "ring found": "ignore",
    alone: "ignore",
    "share received": "ignore",
    // Nobody else is left: what this box still has in its memory is better than nothing.
    "ring lost": "seeking",
    "away too long": "ignore",
    "leave asked": "left",
    "handed over": "ignore",
    "disk unfit": "ignore",
    "heirs refuse": "ignore",
    "disk fit": "joining",
    revoked: "revoked",
  },
  leaving: {
    "ring found": "ignore",
    alone: "ignore",
    "share received": "ignore",
    "ring lost": "ignore",
    "away too long": "ignore",
    "leave asked": "ignore",
    "handed over": "left",
    "disk unfit": "ignore",
    "heirs refuse": "ignore",
    "disk fit": "ignore",
    revoked: "revoked",
  },
  left: {
    "ring found": "ignore",
    alone: "ignore",
    "share received": "ignore",
    "ring lost": "ignore",
    "away too long": "ignore",
    "leave asked": "ignore",
    "handed over": "ignore",
    "disk unfit": "ignore",
    "heirs refuse": "ignore",
    "disk fit": "ignore",
    revoked: "ignore",
  },
  revoked: {
    "ring found": "ignore",
    alone: "ignore",
    "share received": "ignore",
    "ring lost": "ignore",
    "away too long": "ignore",
    "leave asked": "left",
    "handed over": "ignore",
    "disk unfit": "ignore",
    "heirs refuse": "ignore",
    "disk fit": "ignore",
    revoked: "ignore",
  },
} as const satisfies Record<Phase, Record<PhaseTrigger, PhaseCell>>;
