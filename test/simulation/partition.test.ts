import { test } from "node:test";
import { requireSeeds, SEEDS } from "./require-seeds.ts";

test(`the network is cut in two and heals: an hour of ten boxes with phones, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "peer", mix: "partition", boxes: 10, hours: 1, loss: 5, phones: 12 }, 1, SEEDS));

test(`the network is cut in two and heals: an hour of seven overlay cores, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "overlay", mix: "partition", boxes: 7, hours: 1, loss: 5, phones: 0 }, 1_001, SEEDS));
