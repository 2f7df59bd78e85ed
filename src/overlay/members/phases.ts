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
  /** The fleet believes this box no more. */
  | "revoked";

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
    revoked: "ignore",
  },
} as const satisfies Record<Phase, Record<PhaseTrigger, PhaseCell>>;
