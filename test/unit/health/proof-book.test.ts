// The book of proofs against the plainest thing that could be right: a list of everything that was ever recorded.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instant, wallTime } from "../../../src/base/time.ts";
import { PROOF_HOLDS, ProofBook, type Trial } from "../../../src/health/proof-book.ts";
import type { SipTransport, Verdict } from "../../../src/health/report.ts";

const TRANSPORTS = ["UDP", "TCP"] as const;
const ALL = (): boolean => true;

const trial = (transport: SipTransport, by: string, succeeded: boolean): Trial => ({
  what: "call", transport, by, outside: by !== "own", succeeded, tookMs: succeeded ? 5 : null, detail: "", signature: null,
});

/** What is true by the rules, told from the whole history. */
function modelVerdict(history: readonly { readonly at: number; readonly trial: Trial }[], now: number): Verdict {
  const newest = new Map<string, { readonly at: number; readonly trial: Trial }>();
  for (const entry of history) newest.set(`${entry.trial.transport} ${entry.trial.by}`, entry);
  const fresh = [...newest.values()].filter(({ at }) => now - at <= PROOF_HOLDS);
  if (fresh.some((entry) => !entry.trial.succeeded)) return "broken";
  return TRANSPORTS.every((transport) => fresh.some((entry) => entry.trial.transport === transport)) ? "works" : "not-known";
}

test("after any history the verdict is that of the newest proof of each kind, while it is fresh", () => {
  const step = fc.record({
    pause: fc.integer({ min: 0, max: 12_000 }),
    transport: fc.constantFrom(...TRANSPORTS),
    by: fc.constantFrom("own", "other"),
    succeeded: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 0, max: 30_000 }), (steps, rest) => {
      const book = new ProofBook();
      const history: { at: number; trial: Trial }[] = [];
      let now = 0;
      for (const { pause, transport, by, succeeded } of steps) {
        now += pause;
        const made = trial(transport, by, succeeded);
        book.record(instant(now), made);
        history.push({ at: now, trial: made });
        assert.equal(book.verdict(instant(now), TRANSPORTS, ALL), modelVerdict(history, now));
      }
      assert.equal(book.verdict(instant(now + rest), TRANSPORTS, ALL), modelVerdict(history, now + rest));
    }),
  );
});

test("nothing is green once two intervals have gone without a proof", () => {
  const book = new ProofBook();
  for (const transport of TRANSPORTS) book.record(instant(0), trial(transport, "own", true));
  assert.equal(book.verdict(instant(PROOF_HOLDS), TRANSPORTS, ALL), "works");
  assert.equal(book.verdict(instant(PROOF_HOLDS + 1), TRANSPORTS, ALL), "not-known");
  assert.deepEqual(book.list(instant(PROOF_HOLDS + 1), (at) => wallTime(at)).map(({ verdict }) => verdict), ["not-known", "not-known"]);
});

test("a box that serves no transport is not proved by having nothing to prove", () => {
  assert.equal(new ProofBook().verdict(instant(0), [], ALL), "not-known");
});

test("an older receipt that comes late does not undo a newer one", () => {
  const book = new ProofBook();
  book.record(instant(1_000), trial("UDP", "own", false));
  book.record(instant(500), trial("UDP", "own", true));
  assert.equal(book.verdict(instant(1_000), ["UDP"], ALL), "broken");
});
