// The first line: how things stand, in words that need no explanation.

import type { Verdict } from "./report.ts";

export interface FirstLineFacts {
  readonly verdict: Verdict;
  /** Calls work over one transport at least: a broken box whose phones are not all without service. */
  readonly partly: boolean;
  /** The most pressing condition's sentence. */
  readonly reason: string | undefined;
  readonly phones: { readonly registered: number; readonly proved: number };
  /** Seconds within which a phone must have answered to count as proved. */
  readonly window: number;
  readonly boxes: { readonly serving: number; readonly known: number };
  readonly canLose: number;
}

/** "Phones work. 41 of 41 phones proved in the last minute. 3 of 3 boxes. You can lose 2." */
export function firstLine(facts: FirstLineFacts): string {
  return [opening(facts), ...phones(facts), ...ring(facts)].join(" ");
}

function opening({ verdict, partly, reason }: FirstLineFacts): string {
  switch (verdict) {
    case "works":
      return "Phones work.";
    case "impaired":
      return reason === undefined ? "Phones work, with something to look at." : `Phones work, but: ${reason}`;
    case "broken": {
      const who = partly ? "Some phones" : "Phones";
      return reason === undefined ? `${who} do not work on this box.` : `${who} do not work on this box: ${reason}`;
    }
    case "not-known":
      return "It is not known whether phones work on this box.";
  }
}

function phones({ verdict, phones: { registered, proved }, window }: FirstLineFacts): string[] {
  if (verdict === "broken" || verdict === "not-known") return [];
  if (registered === 0) return ["No phone is registered."];
  const within = window <= 60 ? "in the last minute" : `in the last ${Math.ceil(window / 60)} minutes`;
  return [`${proved} of ${registered} ${registered === 1 ? "phone" : "phones"} proved ${within}.`];
}

function ring({ boxes: { serving, known }, canLose, verdict }: FirstLineFacts): string[] {
  if (known === 0 || verdict === "not-known") return [];
  const counted = `${serving} of ${known} ${known === 1 ? "box" : "boxes"}.`;
  return [counted, canLose > 0 ? `You can lose ${canLose}.` : "You can lose none."];
}
