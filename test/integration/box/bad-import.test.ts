// A list of subscribers with mistakes in it changes nothing.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { addSubscriber, assertNoTrace, logOf, ringbox, servingBox, skipWithoutBox, succeed } from "../../support/built-ring.ts";

suite("importing subscribers", { skip: skipWithoutBox, timeout: 360_000 }, () => {
  test("a CSV with mistakes is refused with the number of each wrong line, and nothing of it is imported", async (t) => {
    const { box, directory } = await servingBox(t);
    succeed(addSubscriber(box, "100"));
    const file = join(directory, "people.csv");
    writeFileSync(file, 'username,password,display name\n201,secret,Anna\n202\n,secret,Nobody\n204,"open,Erna\n');
    const run = ringbox("--data", box.dataDirectory, "subscriber", "import", file);
    assert.equal(run.status, 1, run.stdout);
    for (const line of [3, 4, 5]) assert.match(run.stderr, new RegExp(`line ${line}\\b`));
    assert.doesNotMatch(run.stderr, /line 2\b/);
    assertNoTrace(run.stderr);
    assert.deepEqual(await box.usernames(), ["100"]);
  });

  test("noise, an empty file and a directory are one line each, and nothing is imported", async (t) => {
    const { box, directory } = await servingBox(t);
    const noise = join(directory, "noise.csv");
    writeFileSync(noise, Uint8Array.from({ length: 4_000 }, (_, index) => (index * 197 + 13) & 0xff));
    for (const file of [noise, directory, join(directory, "absent.csv")]) {
      const run = ringbox("--data", box.dataDirectory, "subscriber", "import", file);
      assert.equal(run.status, 1, run.stdout);
      assert.match(run.stderr, /^ringbox: [^\n]+\n$/);
    }
    assert.deepEqual(await box.usernames(), []);
    assertNoTrace(logOf(box));
  });
});
