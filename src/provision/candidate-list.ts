// Addresses at which a member might be found. Anybody on the link can fill this list with inventions, so
// it is short, hints come before rumors, and what has failed most makes room first.

import { BoundedMap } from "../base/bounded-map.ts";
import type { Random } from "../base/random.ts";
import { after, type Instant, milliseconds, seconds } from "../base/time.ts";
import { formatHint, type Hint } from "./hint.ts";

interface Candidate {
  readonly address: Hint;
  readonly source: "hint" | "rumor";
  /** The instance tag it announced; empty for a hint. */
  instance: string;
  /** Worth a dial: a hint, or said to be serving. */
  serving: boolean;
  failures: number;
  dialing: boolean;
  nextAttempt: Instant;
}

const FIRST_BACK_OFF = seconds(1);
const LONGEST_BACK_OFF = seconds(30);
const AFTER_REFUSAL = seconds(60);
const MAX_CANDIDATES = 64;
/** Among those of one host. */
const MAX_FAILURES_RANKED = 1_000;

export class CandidateList {
  /** BOUNDED: a newcomer displaces the rumor that failed most, and is dropped if none has failed. */
  readonly #candidates = new BoundedMap<string, Candidate>(MAX_CANDIDATES, "refuse");
  readonly #random: Random;
  #dialing = 0;
  /** A blank box said goodbye, whichever tag it had: very likely it founds now and comes back as a serving one. */
  #hasDeparted = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#candidates.size;
  }
  /** How many dials have not been answered yet. */
  get dialing(): number {
    return this.#dialing;
  }

  addHint(now: Instant, address: Hint): void {
    const known = this.#candidates.get(formatHint(address));
    if (known === undefined) this.#add({ ...blank(now, address), source: "hint", serving: true });
    else known.serving = true;
  }

  addRumor(now: Instant, address: Hint, instance: string, serving: boolean): void {
    const known = this.#candidates.get(formatHint(address));
    if (known === undefined) {
      this.#add({ ...blank(now, address), instance, serving });
      return;
    }
    // A box that begins to serve is worth a dial at once, whatever failed before.
    if (known.source === "rumor" && serving && !known.serving && !known.dialing) known.nextAttempt = now;
    known.instance = instance;
    if (known.source === "rumor") known.serving = serving;
  }

  /** The box with this instance tag is no longer announced. */
  forget(instance: string): void {
    for (const [key, candidate] of this.#candidates) {
      if (candidate.source !== "rumor" || candidate.instance !== instance || candidate.dialing) continue;
      this.#candidates.delete(key);
      if (!candidate.serving) this.#hasDeparted = true;
    }
  }

  /** An address to dial now: on the host that failed least, so that one with many inventions does not come before the others. */
  takeDue(now: Instant): Hint | undefined {
    let best: Candidate | undefined;
    const troubles = this.#troublesByHost();
    const rank = ({ address, failures }: Candidate): number => (troubles.get(address.host) ?? 0) * MAX_FAILURES_RANKED + Math.min(failures, MAX_FAILURES_RANKED - 1);
    for (const candidate of this.#waiting()) {
      if (candidate.nextAttempt <= now && (best === undefined || rank(candidate) < rank(best))) best = candidate;
    }
    if (best === undefined) return undefined;
    best.dialing = true;
    this.#dialing++;
    return best.address;
  }

  /** Dials under way and failures, of all candidates of a host. */
  #troublesByHost(): ReadonlyMap<string, number> {
    const troubles = new Map<string, number>();
    for (const { address, failures, dialing } of this.#candidates.values()) {
      troubles.set(address.host, (troubles.get(address.host) ?? 0) + failures + (dialing ? 1 : 0));
    }
    return troubles;
  }

  nextAttempt(): Instant | undefined {
    let next: Instant | undefined;
    for (const { nextAttempt } of this.#waiting()) if (next === undefined || nextAttempt < next) next = nextAttempt;
    return next;
  }

  /** Whether it is this candidate's first failure. */
  failed(now: Instant, address: Hint): boolean {
    const candidate = this.#ended(address);
    if (candidate === undefined) return false;
    candidate.failures++;
    const doubled = Math.min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** (candidate.failures - 1));
    candidate.nextAttempt = after(now, milliseconds(doubled * (0.75 + 0.5 * this.#random.fraction())));
    return candidate.failures === 1;
  }

  declined(now: Instant, address: Hint): void {
    const candidate = this.#ended(address);
    if (candidate === undefined) return;
    candidate.failures++;
    candidate.nextAttempt = after(now, AFTER_REFUSAL);
  }

  /** What there is to hope for, for a box with this instance tag that may found a ring. */
  outlook(instance: string): { readonly served: boolean; readonly untried: boolean; readonly comesBefore: boolean } {
    let served = false;
    let untried = false;
    let comesBefore = this.#hasDeparted;
    for (const candidate of this.#candidates.values()) {
      if (candidate.source === "hint") untried ||= candidate.failures === 0;
      else if (candidate.serving) served = true;
      else comesBefore ||= candidate.instance < instance;
    }
    return { served, untried, comesBefore };
  }

  *#waiting(): Generator<Candidate> {
    for (const candidate of this.#candidates.values()) if (candidate.serving && !candidate.dialing) yield candidate;
  }

  #ended(address: Hint): Candidate | undefined {
    const candidate = this.#candidates.get(formatHint(address));
    if (candidate?.dialing !== true) return undefined;
    candidate.dialing = false;
    this.#dialing--;
    return candidate;
  }

  #add(candidate: Candidate): void {
    const key = formatHint(candidate.address);
    if (this.#candidates.set(key, candidate)) return;
    const displaced = this.#mostFailedRumor();
    if (displaced === undefined) return;
    this.#candidates.delete(displaced);
    this.#candidates.set(key, candidate);
  }

  #mostFailedRumor(): string | undefined {
    let worst: string | undefined;
    let failures = 0;
    for (const [key, candidate] of this.#candidates) {
      if (candidate.source === "rumor" && !candidate.dialing && candidate.failures > failures) {
        worst = key;
        failures = candidate.failures;
      }
    }
    return worst;
  }
}

const blank = (now: Instant, address: Hint): Candidate => ({
  address, source: "rumor", instance: "", serving: false, failures: 0, dialing: false, nextAttempt: now,
});
