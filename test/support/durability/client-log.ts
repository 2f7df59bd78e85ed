// What a client of the fleet was promised: its own log of what it asked for and what was acknowledged, kept
// outside the boxes. After the storm it is held against what the boxes have.

import { appendFileSync } from "node:fs";
import { ControlRefused } from "../../../src/cli/control-client.ts";
import { type BuiltBox, DOMAIN } from "../built-ring.ts";

interface Attempt {
  readonly number: number;
  readonly what: "put" | "remove";
  outcome: "unknown" | "acknowledged" | "refused";
  copies: number;
}

/** What is found of a user: the number of the attempt that wrote it; `absent`: there is none, or a tombstone. */
export type Found = number | "absent";

export class ClientLog {
  readonly #file: string;
  /** Each user has one writer, who waits for one answer before the next question. */
  readonly #attempts = new Map<string, Attempt[]>();
  #count = 0;
  /** Reads that contradicted what was acknowledged before. */
  readonly contradictions: string[] = [];

  /** `file`: where the log is also written, to be read after a failure. */
  constructor(file: string) {
    this.#file = file;
  }

  get users(): readonly string[] {
    return [...this.#attempts.keys()];
  }
  get acknowledged(): number {
    return this.#all().filter(({ outcome }) => outcome === "acknowledged").length;
  }
  /** Acknowledgements that promised so many copies. */
  withCopies(copies: number): number {
    return this.#all().filter((attempt) => attempt.outcome === "acknowledged" && attempt.copies === copies).length;
  }
  get unknown(): number {
    return this.#all().filter(({ outcome }) => outcome === "unknown").length;
  }

  /** Writes a user, or removes it, at a box. Whether that was acknowledged; `acted` runs in the moment of the answer. */
  async write(box: BuiltBox, user: string, what: "put" | "remove", acted: () => void = () => undefined): Promise<boolean> {
    const attempt: Attempt = { number: ++this.#count, what, outcome: "unknown", copies: 0 };
    const before = this.possible(user);
    this.#attempts.set(user, [...(this.#attempts.get(user) ?? []), attempt]);
    this.#note(user, attempt, "asked", box.name);
    try {
      const { copies } = what === "put" ? await box.ask<"subscriber-add">(addRequest(user, attempt.number)) : await box.ask<"subscriber-remove">({ op: "subscriber-remove", username: user });
      acted();
      attempt.copies = copies;
      attempt.outcome = "acknowledged";
    } catch (error) {
      acted();
      const isAbsent = error instanceof ControlRefused && error.fault === "absent";
      if (isAbsent) attempt.outcome = "refused";
      if (isAbsent && !before.has("absent")) this.contradictions.push(`${user}: absent at ${box.name}, but ${[...before].join(" or ")}`);
      this.#note(user, attempt, error instanceof Error ? error.message : String(error), box.name);
      return false;
    }
    this.#note(user, attempt, `acknowledged, ${attempt.copies} copies`, box.name);
    return true;
  }

  /** What may be found of a user: the last acknowledged attempt, or a later one of which nothing is known. */
  possible(user: string): ReadonlySet<Found> {
    const attempts = (this.#attempts.get(user) ?? []).filter(({ outcome }) => outcome !== "refused");
    const last = attempts.findLastIndex(({ outcome }) => outcome === "acknowledged");
    const found = attempts.slice(Math.max(0, last)).map(({ what, number }): Found => (what === "put" ? number : "absent"));
    return new Set(last < 0 ? ["absent", ...found] : found);
  }

  /** Users of whom something else is found than may be. */
  lost(found: (user: string) => Found): readonly string[] {
    return this.users.flatMap((user) => {
      const what = found(user);
      return this.possible(user).has(what) ? [] : [`${user}: found ${what}, acknowledged ${[...this.possible(user)].join(" or ")}`];
    });
  }

  #all(): readonly Attempt[] {
    return [...this.#attempts.values()].flat();
  }
  #note(user: string, { number, what }: Attempt, text: string, box: string): void {
    appendFileSync(this.#file, `${new Date().toISOString()} ${user} ${what} ${number} at ${box}: ${text}\n`);
  }
}

/** The number of the attempt is the user's display name. */
const addRequest = (username: string, number: number) => ({
  op: "subscriber-add" as const,
  subscriber: { username, realm: DOMAIN, displayName: `v${number}`, ha1Md5: "00".repeat(16), ha1Sha256: "00".repeat(32) },
  existing: "replace" as const,
});

/** The number in a display name. */
export const numberIn = (displayName: string): number => Number(displayName.slice(1));
