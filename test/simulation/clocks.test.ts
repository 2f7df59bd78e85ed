import { test } from "node:test";
import { requireRuns, requireSeeds, SEEDS } from "./require-seeds.ts";

test(`wall clocks are wrong by minutes and jump: an hour of eight boxes with phones, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "peer", mix: "clocks", boxes: 8, hours: 1, loss: 5, phones: 12 }, 1, SEEDS));

/** Where 32 bits of seconds end, signed and unsigned; the ring is a quarter of an hour old then. */
const ENDS = [["2038", 2 ** 31], ["2106", 2 ** 32]] as const;

for (const [year, seconds] of ENDS) {
  test(`the end of 32 bits of seconds in ${year}: two hours of five boxes with phones that die, are cut and return`, () => {
    const start = seconds * 1_000 - 900_000;
    const request = { machine: "peer", boxes: 5, hours: 2, loss: 5, phones: 20, start } as const;
    return requireRuns((["churn", "partition"] as const).flatMap((mix) => [1, 2, 3].map((seed) => ({ ...request, mix, seed }))));
  });
}
