// Power that fails during the very first start, again and again.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { hours } from "../../../src/base/time.ts";
import {
  assertNoTrace, type BuiltBox, joinTicket, logOf, makeBox, serving, servingBox, skipWithoutBox, makeFleet, scratch,
} from "../../support/built-ring.ts";

const TRIES = 20;
/** The kills are spread over this: about as long as it takes until a box is enrolled, less on a slow machine. */
const FIRST_START_MS = 900;

/** What the box has promised to be so far, by its files. */
function identity(box: BuiltBox): { readonly key: string | undefined; readonly nodeId: string | undefined } {
  const read = (name: string): string | undefined => {
    const path = join(box.dataDirectory, name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  const fleet = read("fleet.json");
  return { key: read("identity.key"), nodeId: fleet === undefined ? undefined : JSON.parse(fleet).nodeId };
}

suite("a box killed at its first start", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("twenty times at different moments, is one member with one identity in the end", async (t) => {
    const { box: member, fleet, directory } = await servingBox(t);
    const ticket = joinTicket(fleet, hours(1), TRIES);
    let enrolledBefore = 0;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const box = makeBox(t, directory, { name: `newcomer${attempt}`, ticket, hints: [member] });
      box.start();
      await pause(60 + (FIRST_START_MS * attempt) / TRIES);
      await box.kill();
      const left = identity(box);
      if (left.nodeId !== undefined) enrolledBefore++;
      // A second kill, at another moment of the second start.
      box.start();
      await pause(60 + (FIRST_START_MS * ((attempt * 7) % TRIES)) / TRIES);
      await box.kill();
      box.start();
      await serving(box, 2);
      const { nodeId } = await box.status();
      const now = identity(box);
      if (left.key !== undefined) assert.equal(now.key, left.key, "its key is the one it made first");
      if (left.nodeId !== undefined) assert.equal(nodeId, left.nodeId, "its place is the one it was given first");
      assert.equal(now.nodeId, nodeId);
      const others = (await member.peers()).filter(({ self, nodeId: other }) => !self && other === nodeId);
      assert.equal(others.length, 1);
      await box.ask({ op: "leave" });
      await serving(member, 1);
      assertNoTrace(logOf(box));
    }
    const { known } = (await member.status()).boxes;
    t.diagnostic(`${enrolledBefore} of ${TRIES} were enrolled when first killed; the member knows ${known} boxes`);
    const seen = new Set(logOf(member).match(/as [0-9a-f]{32}/g));
    assert.equal(seen.size, TRIES, "one Node-ID for each newcomer");
  });

  test("six times while it founds its fleet, serves in the end, in one fleet with one ticket", async (t) => {
    const directory = scratch(t);
    const { ticket } = makeFleet(directory);
    for (let attempt = 0; attempt < 6; attempt++) {
      const box = makeBox(t, directory, { name: `founder${attempt}`, ticket });
      box.start();
      await pause(100 + 350 * attempt);
      await box.kill();
      const left = identity(box);
      box.start();
      await serving(box);
      if (left.nodeId !== undefined) assert.equal((await box.status()).nodeId, left.nodeId);
      if (left.key !== undefined) assert.equal(identity(box).key, left.key);
      assertNoTrace(logOf(box));
      await box.kill();
    }
  });
});
