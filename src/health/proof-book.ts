// What was really done with a box lately, by whom, and how it ended. A proof counts for two intervals; what nobody
// proved since is not known, whatever was true before.

import { BoundedMap } from "../base/bounded-map.ts";
import { after, type Instant, seconds } from "../base/time.ts";
import { boxName } from "./box-words.ts";
import type { Proof, SipTransport, Verdict, WallTime } from "./report.ts";

/** Between two trial calls of one box through another, or through itself, over one transport. */
export const PROOF_INTERVAL = seconds(10);
export const PROOF_HOLDS = seconds(20);
/** A box is proved by itself and by two others over five transports; above it the oldest is forgotten. */
const PROOFS_MAX = 64;
/** What is not proved any more is shown as not known for so long, and then is gone. */
const PROOF_SHOWN = seconds(600);

/** One trial, as it ended. */
export interface Trial {
  readonly what: Proof["what"];
  readonly transport: SipTransport | null;
  /** Node-ID of the box whose agent did it. */
  readonly by: string;
  readonly outside: boolean;
  readonly succeeded: boolean;
  readonly tookMs: number | null;
  readonly detail: string;
  readonly signature: string | null;
}

interface Entry {
  readonly trial: Trial;
  readonly at: Instant;
}

export class ProofBook {
  readonly #entries = new BoundedMap<string, Entry>(PROOFS_MAX, "evict");

  record(at: Instant, trial: Trial): void {
    const key = `${trial.what} ${trial.transport} ${trial.by}`;
    const known = this.#entries.get(key);
    if (known !== undefined && known.at > at) return;
    this.#entries.delete(key);
    this.#entries.set(key, { trial, at });
  }

  /** What a transport that is served no more, or a box that proves us no more, said of us is forgotten. */
  forget(isMeant: (trial: Trial) => boolean): void {
    for (const [key, { trial }] of [...this.#entries]) if (isMeant(trial)) this.#entries.delete(key);
  }

  /**
   * Over the given proofs together: `broken` if one failed, `not-known` if one is missing or too old.
   * `wanted`: the transports that must be proved, each.
   */
  verdict(now: Instant, wanted: readonly SipTransport[], isMeant: (trial: Trial) => boolean): Verdict {
    const fresh = [...this.#entries.values()].filter(({ trial, at }) => isMeant(trial) && now <= after(at, PROOF_HOLDS));
    if (fresh.some(({ trial }) => !trial.succeeded)) return "broken";
    const isProved = (transport: SipTransport): boolean => fresh.some(({ trial }) => trial.transport === transport);
    return wanted.length > 0 && wanted.every(isProved) ? "works" : "not-known";
  }

  /** Whether one of the transports at least was proved lately, and nothing failed over it. */
  isProvedOverOne(now: Instant, wanted: readonly SipTransport[], isMeant: (trial: Trial) => boolean): boolean {
    return wanted.some((transport) => this.verdict(now, [transport], (trial) => trial.transport === transport && isMeant(trial)) === "works");
  }

  /** The newest failure that counts. */
  failure(now: Instant, isMeant: (trial: Trial) => boolean): Trial | undefined {
    return [...this.#entries.values()].findLast(({ trial, at }) => isMeant(trial) && !trial.succeeded && now <= after(at, PROOF_HOLDS))?.trial;
  }

  /** When the oldest of the newest proofs was made: so old is the verdict. */
  provedAt(isMeant: (trial: Trial) => boolean): Instant | undefined {
    return [...this.#entries.values()].filter(({ trial }) => isMeant(trial) && trial.succeeded).at(-1)?.at;
  }

  list(now: Instant, wall: (at: Instant) => WallTime): Proof[] {
    const shown = [...this.#entries.values()].filter(({ at }) => now <= after(at, PROOF_SHOWN));
    return shown.map(({ trial, at }) => {
      const isFresh = now <= after(at, PROOF_HOLDS);
      const { succeeded, by, ...rest } = trial;
      return { ...rest, by: boxName(by), verdict: isFresh ? (succeeded ? "works" : "broken") : "not-known", at: wall(at) };
    });
  }
}
