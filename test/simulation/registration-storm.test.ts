import { test } from "node:test";
import { requireSeeds, SEEDS } from "./require-seeds.ts";

test(`sixty phones refresh every minute and call every five seconds while boxes come and go: an hour of five boxes, ${SEEDS} seeds`, () =>
  requireSeeds({ machine: "peer", mix: "registration-storm", boxes: 5, hours: 1, loss: 5, phones: 60 }, 1, SEEDS));
