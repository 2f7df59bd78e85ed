// A disk that takes nothing any more: what must be durable is refused in plain words, everything else goes on.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  addSubscriber, assertNoTrace, assertOneLine, atEnd, type BuiltBox, logOf, makeBox, makeFleet, refusedStart, scratch, serving, skipWithoutBox, succeed,
} from "../../support/built-ring.ts";
import { phonesWork } from "../../support/phone.ts";

/** A box whose data directory is a file system of its own; `undefined` and a skip where none can be mounted. */
async function boxOnOwnDisk(t: TestContext, size: string): Promise<{ readonly box: BuiltBox; readonly disk: string } | undefined> {
  const directory = scratch(t);
  const disk = join(directory, "disk");
  mkdirSync(disk);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "ringbox-test", disk], { encoding: "utf8" });
  if (mounted.status !== 0) {
    t.skip(`needs to mount a file system (root): ${mounted.stderr}`);
    return undefined;
  }
  atEnd(t, () => spawnSync("umount", ["-l", disk]));
  const box = makeBox(t, directory, { ticket: makeFleet(directory).ticket, directory: disk, parameters: ["--open-registration"] });
  box.start();
  await serving(box);
  return { box, disk };
}

/** Writes until nothing fits any more, and returns the file to delete. */
function fill(disk: string): string {
  const path = join(disk, "ballast");
  const file = openSync(path, "w");
  for (let size = 65_536; size >= 1; size >>= 4) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch {
      // It is full for pieces of this size.
    }
  }
  closeSync(file);
  assert.equal(statfsSync(disk).bavail, 0);
  return path;
}

/** Subscribers are refused until the log on disk has no room left of its own. */
async function refusesSubscribers(box: BuiltBox): Promise<string> {
  for (let number = 1; number < 400; number++) {
    const run = addSubscriber(box, `full${number}`);
    if (run.status === 0) continue;
    assert.equal(run.status, 1);
    assert.match(run.stderr, /^ringbox: [^\n]+\n$/);
    return run.stderr;
  }
  return assert.fail("400 subscribers were taken");
}

suite("a bad disk", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("full: a subscriber is refused in plain words, phones register and call, and there is room again after a file has gone", async (t) => {
    const on = await boxOnOwnDisk(t, "3m");
    if (on === undefined) return;
    const { box, disk } = on;
    succeed(addSubscriber(box, "100"));
    const ballast = fill(disk);
    const reason = await refusesSubscribers(box);
    assert.match(reason, /could write it to disk. Nothing was acknowledged/);
    assert.match(logOf(box), /^warning: durable\.db: .*the disk is full$/m);
    await phonesWork(t, box, ["100", "101"]);
    assert.equal((await box.status()).phase, "serving");
    rmSync(ballast);
    await until("a subscriber is taken again", PATIENCE, () => succeed(addSubscriber(box, "102")));
    await box.kill();
    box.start();
    await serving(box);
    for (const acknowledged of ["100", "102"]) assert.ok((await box.usernames()).includes(acknowledged), acknowledged);
    assertNoTrace(logOf(box));
  });

  test("full at start: an enrolled box starts all the same, knows what it knew, and phones work", async (t) => {
    const on = await boxOnOwnDisk(t, "3m");
    if (on === undefined) return;
    const { box, disk } = on;
    succeed(addSubscriber(box, "100"));
    await box.kill();
    fill(disk);
    box.start();
    await serving(box);
    assert.deepEqual(await box.usernames(), ["100"]);
    await phonesWork(t, box, ["100", "101"]);
    assertNoTrace(logOf(box));
  });

  test("full at the first start: one line, and the box enrolls when there is room", async (t) => {
    const on = await boxOnOwnDisk(t, "3m");
    if (on === undefined) return;
    const { box, disk } = on;
    await box.kill();
    rmSync(box.dataDirectory, { recursive: true });
    const ballast = fill(disk);
    box.start();
    await until("it has ended", PATIENCE, () => assert.ok(!box.isRunning));
    assert.match(box.lastWords(1), /^ringboxd: the data directory .* cannot be used: the disk is full$/);
    rmSync(ballast);
    box.start();
    await serving(box);
    assertNoTrace(logOf(box));
  });

  test("read-only at a start: one line, and the box starts with all it knew when it is writable again", async (t) => {
    const on = await boxOnOwnDisk(t, "16m");
    if (on === undefined) return;
    const { box, disk } = on;
    succeed(addSubscriber(box, "100"));
    await box.kill();
    succeed(spawnSync("mount", ["-o", "remount,ro", disk], { encoding: "utf8" }));
    assertOneLine(refusedStart("--data", box.dataDirectory, "--listen", box.address, "--no-mdns"), /cannot be used: the file system is read-only$/m);
    succeed(spawnSync("mount", ["-o", "remount,rw", disk], { encoding: "utf8" }));
    box.start();
    await serving(box);
    assert.deepEqual(await box.usernames(), ["100"]);
    assertNoTrace(logOf(box));
  });
});
