// What the health agent says of this box, for as long as it is there to say it. An agent that fell silent proves
// nothing any more, neither that the box works nor that it does not.

import { after, type Instant, seconds } from "../base/time.ts";
import type { HeartbeatRequest } from "./control.ts";
import type { ConditionReport } from "./reports.ts";

/** The agent speaks every second. */
const TOLD_HOLDS = seconds(5);

export class AgentWord {
  #proofs: HeartbeatRequest["proofs"] = "not-known";
  #page = "";
  #conditions: readonly ConditionReport[] = [];
  #until: Instant | undefined;

  heard(now: Instant, { proofs, page, conditions }: HeartbeatRequest): void {
    this.#proofs = proofs;
    this.#page = page;
    this.#conditions = conditions;
    this.#until = after(now, TOLD_HOLDS);
  }

  /** Forgets what is too old. */
  tick(now: Instant): void {
    if (this.#until === undefined || now < this.#until) return;
    this.#until = undefined;
    this.#proofs = "not-known";
    this.#page = "";
    this.#conditions = [];
  }

  /** What it found that is the matter, and the box does not see itself. */
  get conditions(): readonly ConditionReport[] {
    return this.#conditions;
  }

  nextDeadline(): Instant | undefined {
    return this.#until;
  }

  /** Whether calls through this box were tried, and failed. */
  get isBroken(): boolean {
    return this.#proofs === "broken";
  }

  /** Where people read how this box is; empty if nowhere. */
  get page(): string {
    return this.#page;
  }
}
