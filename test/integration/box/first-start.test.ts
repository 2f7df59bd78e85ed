// Two blank boxes with one fleet ticket, and nobody there.

import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { suite, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { assertNoTrace, logOf, makeBox, makeFleet, OVERLAY_PORT, ownAddress, scratch, serving, skipWithoutBox } from "../../support/built-ring.ts";

suite("two boxes that start together with one fleet ticket", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  for (let start = 1; start <= 3; start++) {
    test(`are one ring in the end (start ${start})`, async (t) => {
      const directory = scratch(t);
      const { ticket } = makeFleet(directory);
      const addresses = [ownAddress(), ownAddress()] as const;
      const make = (name: string, address: string, other: string) =>
        makeBox(t, directory, { name, ticket, address, parameters: ["--hint", `${other}:${OVERLAY_PORT}`] });
      const boxes = [make("one", addresses[0], addresses[1]), make("two", addresses[1], addresses[0])] as const;
      const delay = randomInt(0, 1_500);
      boxes[0].start();
      await pause(delay);
      boxes[1].start();
      for (const box of boxes) await serving(box, 2);
      const reports = await Promise.all(boxes.map((box) => box.status()));
      assert.equal(new Set(reports.map(({ nodeId }) => nodeId)).size, 2);
      t.diagnostic(`the second ${delay} ms after the first`);
      for (const box of boxes) assertNoTrace(logOf(box));
    });
  }
});
