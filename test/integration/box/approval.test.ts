// A box without a ticket shows a code, and whoever types it at a member lets the box in.

import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test } from "node:test";
import { promisify } from "node:util";
import { execFile, spawnSync } from "node:child_process";
import { DIST } from "../../lab/box.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  assertNoTrace, assertOneLine, type BuiltBox, logOf, makeBox, makeFleet, ringbox, serving, servingPair, skipWithoutBox,
} from "../../support/built-ring.ts";

const run = promisify(execFile);
const CODE = /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/;

/** The code in a box's log, which must be the one that its status shows. */
async function codeOf(box: BuiltBox): Promise<string> {
  await until(`${box.name} shows a code`, PATIENCE, () => assert.match(logOf(box), CODE));
  const code = CODE.exec(logOf(box))?.[0] ?? "";
  const status = spawnSync(join(DIST, "ringbox"), ["--data", box.dataDirectory, "status"], { encoding: "utf8" });
  assertOneLine(status, new RegExp(`belongs to no fleet. Its code is ${code}`));
  return code;
}

const admit = (at: BuiltBox, code: string) => run(join(DIST, "ringbox"), ["--data", at.dataDirectory, "admit", code]);

suite("approval by code", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("a box without a ticket waits, and joins when its code is typed at another member than the one it found; the code is good once", async (t) => {
    const { first, second, directory } = await servingPair(t);
    const blank = makeBox(t, directory, { name: "blank", ticket: undefined, hints: [second] });
    blank.start();
    const code = await codeOf(blank);
    const typed = performance.now();
    const { stdout } = await admit(first, code.toLowerCase().replace("-", ""));
    t.diagnostic(`admitted ${((performance.now() - typed) / 1_000).toFixed(1)} s after the code was typed`);
    await serving(blank, 3);
    const { nodeId, fleet, domain } = await blank.status();
    assert.match(stdout, new RegExp(`${code} is admitted: ${nodeId}`));
    assert.deepEqual({ fleet, domain }, { fleet: "acme", domain: "acme.example" });
    await blank.kill("SIGTERM");
    blank.start();
    await serving(blank, 3);
    assert.equal((await blank.status()).nodeId, nodeId);
    assert.equal(logOf(blank).match(new RegExp(CODE, "g"))?.length, 2, "an enrolled box shows no code");
    for (const box of [first, second, blank]) assertNoTrace(logOf(box));
  });

  test("a code typed at a fleet admits nobody but the box that shows it; the other one waits on", async (t) => {
    const { first, second, directory } = await servingPair(t);
    const other = makeBox(t, directory, { name: "other", ticket: undefined, hints: [first] });
    const blank = makeBox(t, directory, { name: "blank", ticket: undefined, hints: [first] });
    other.start();
    blank.start();
    const code = await codeOf(blank);
    assert.notEqual(await codeOf(other), code);
    await admit(second, code);
    await serving(blank, 3);
    assert.equal((await first.status()).boxes.known, 3);
    assert.doesNotMatch(logOf(other), /In service/);
    assert.ok(other.isRunning);
  });

  test("a box finds and waits at members of two fleets, and belongs to the one where its code was typed", async (t) => {
    const { first, directory } = await servingPair(t);
    const foreign = makeBox(t, directory, { name: "foreign", ticket: makeFleet(directory, "other").ticket });
    foreign.start();
    await serving(foreign);
    const blank = makeBox(t, directory, { name: "blank", ticket: undefined, hints: [foreign, first] });
    blank.start();
    await admit(foreign, await codeOf(blank));
    await serving(blank, 2);
    assert.equal((await blank.status()).fleet, "other");
  });

  test("what is no code is one line", () => {
    for (const wrong of ["ABCD-EFG", "ABCD-EFGI", "ABCD-EFG0", "x".repeat(5_000), ""]) assertOneLine(ringbox("admit", wrong), /no box is running|is not a code/);
  });
});
