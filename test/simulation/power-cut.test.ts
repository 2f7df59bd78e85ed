import { test } from "node:test";
import { requireSeeds, SEEDS } from "./require-seeds.ts";

test(`power fails, of one box, of two at once, of all: an hour of ten boxes with phones, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "peer", mix: "power-cut", boxes: 10, hours: 1, loss: 5, phones: 12 }, 1, SEEDS));

test(`power fails, of one box, of two at once, of all: an hour of seven overlay cores, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "overlay", mix: "power-cut", boxes: 7, hours: 1, loss: 5, phones: 0 }, 1_001, SEEDS));
