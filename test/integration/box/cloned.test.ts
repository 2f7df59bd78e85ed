// Somebody copies the data directory of a box, and starts both.

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { suite, test } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  addSubscriber, assertNoTrace, assertOneLine, logOf, makeBox, serving, servingPair, skipWithoutBox, succeed,
} from "../../support/built-ring.ts";

suite("a cloned identity", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("is found, both boxes take no changes and say why, so do the others; when one has stopped the other is back", async (t) => {
    const { first, second, fleet, directory } = await servingPair(t);
    const third = makeBox(t, directory, { name: "third", ticket: fleet.ticket, hints: [first] });
    third.start();
    for (const box of [first, second, third]) await serving(box, 3);
    await third.kill("SIGTERM");
    const clone = makeBox(t, directory, { name: "clone", ticket: fleet.ticket, hints: [second] });
    cpSync(third.dataDirectory, clone.dataDirectory, { recursive: true });
    third.start();
    await serving(third, 3);
    clone.start();
    const codes = async (box: typeof first): Promise<readonly string[]> => (await box.status()).conditions.map(({ code }) => code);
    const { seconds } = await until("all four say so", PATIENCE, async () => {
      for (const box of [third, clone]) assert.ok((await codes(box)).includes("identity-double"), box.name);
      for (const box of [first, second]) assert.ok((await codes(box)).includes("identity-double-elsewhere"), box.name);
    });
    t.diagnostic(`all four say so ${seconds.toFixed(1)} s after the start of the copy`);
    for (const box of [third, clone]) {
      assertOneLine(addSubscriber(box, "100"), /Another box uses this box's identity|not serving yet/);
      assert.match(logOf(box), /^warning: Another box uses this box's identity/m);
    }
    succeed(addSubscriber(first, "200"));
    await clone.kill();
    const back = await until("it is in the ring again", 3 * PATIENCE, async () => assert.equal((await third.status()).boxes.serving, 3));
    t.diagnostic(`${back.seconds.toFixed(0)} s after the copy stopped the other is in the ring again`);
    succeed(addSubscriber(third, "100"));
    for (const box of [first, second, third, clone]) assertNoTrace(logOf(box));
  });
});
