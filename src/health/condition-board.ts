// Which conditions are present, since when, and which of them are shown: those that are present long enough, and that
// no other one explains.

import { after, type Instant } from "../base/time.ts";
import { CATALOGUE, type ConditionCode, inOrder } from "./catalogue.ts";
import type { Condition } from "./report.ts";

export type ConditionWords = Omit<Condition, "since">;

interface Entry {
  words: ConditionWords;
  readonly since: Instant;
  /** It is so; an entry that is not goes at the next settling. */
  present: boolean;
  shown: boolean;
}

export interface ConditionChange {
  readonly code: ConditionCode;
  readonly appeared: boolean;
  readonly words: ConditionWords;
}

export interface ShownCondition {
  readonly words: ConditionWords;
  readonly since: Instant;
  readonly stopsCalls: boolean;
}

export class ConditionBoard {
  /** BOUNDED: by the catalogue. */
  readonly #entries = new Map<ConditionCode, Entry>();

  /** `words` undefined: it is not so, or not any more. */
  set(now: Instant, code: ConditionCode, words: ConditionWords | undefined): void {
    const known = this.#entries.get(code);
    if (known === undefined) {
      if (words !== undefined) this.#entries.set(code, { words, since: now, present: true, shown: false });
      return;
    }
    known.present = words !== undefined;
    if (words !== undefined) known.words = words;
  }

  has(code: ConditionCode): boolean {
    return this.#entries.get(code)?.present === true;
  }

  /** What is shown from now on that was not, and what was shown and is not any more. */
  settle(now: Instant): ConditionChange[] {
    const changes: ConditionChange[] = [];
    for (const [code, entry] of this.#entries) {
      const shown = entry.present && this.#isVisible(now, code, entry);
      if (shown !== entry.shown) changes.push({ code, appeared: shown, words: entry.words });
      entry.shown = shown;
    }
    for (const [code, { present }] of [...this.#entries]) if (!present) this.#entries.delete(code);
    return changes;
  }

  /** As of the last `settle`, most pressing first. */
  shown(): ShownCondition[] {
    return [...this.#entries]
      .filter(([, { shown }]) => shown)
      .sort(([a], [b]) => inOrder(a, b))
      .map(([code, { words, since }]) => ({ words, since, stopsCalls: CATALOGUE[code].stopsCalls === true }));
  }

  #isVisible(now: Instant, code: ConditionCode, { since }: Entry): boolean {
    const { visibleAfter, dependsOn } = CATALOGUE[code];
    return after(since, visibleAfter) <= now && !dependsOn.some((cause) => this.has(cause));
  }
}
