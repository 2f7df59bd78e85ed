// A disk that fails under a running box: errors at the synchronization, a file system that turned read-only, a
// disk that does not answer, a value that has changed. What must be durable is refused, everything else goes on.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test, type TestContext } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  addSubscriber, assertNoTrace, atEnd, type BuiltBox, logOf, makeBox, makeFleet, scratch, serving, servingBox, servingPair, skipWithoutBox, succeed,
} from "../../support/built-ring.ts";
import { placeOf, subscribersOnDisk } from "../../support/durability/database-reader.ts";
import { phonesWork } from "../../support/phone.ts";
import { skipWithoutStrace } from "../../support/power-cut/recording.ts";

/** SQLite takes the one or the other, as it was compiled. */
const SYNC = "fdatasync,fsync";

/** The process of a box: its launcher has become it. */
function processOf(box: BuiltBox): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(join("/proc", pid, "cmdline"), "utf8").split("\0");
      if (command.some((word) => word.endsWith("ringboxd.mjs")) && command.includes(box.dataDirectory)) return Number(pid);
    } catch {
      // It has just ended.
    }
  }
  return assert.fail(`no process on ${box.dataDirectory}`);
}

/** Lets calls on the durable database fail as `injection` says, until `end` is called. */
async function spoil(t: TestContext, box: BuiltBox, injection: string): Promise<() => Promise<void>> {
  const file = join(box.dataDirectory, "durable.db");
  const calls = injection.slice(0, injection.indexOf(":"));
  const strace: ChildProcess = spawn(
    "strace", ["-f", "-p", String(processOf(box)), "-o", "/dev/null", "-P", file, "-P", `${file}-wal`, "-e", `trace=${calls}`, "-e", `inject=${injection}`],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = once(strace, "exit");
  const end = async (): Promise<void> => {
    strace.kill("SIGINT");
    await ended;
  };
  atEnd(t, () => strace.kill("SIGKILL"));
  const said: string[] = [];
  strace.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  await until("strace is attached", PATIENCE, () => assert.match(said.join(""), /attached/));
  return end;
}

const conditionsOf = async (box: BuiltBox): Promise<readonly string[]> => (await box.status()).conditions.map(({ code }) => code);

function refused(box: BuiltBox, name: string): void {
  const run = addSubscriber(box, name);
  assert.equal(run.status, 1, run.stdout);
  assert.match(run.stderr, /could write it to disk. Nothing was acknowledged/);
}

/** The box takes subscribers again, and after a kill it has all that it ever acknowledged. */
async function recovers(box: BuiltBox, acknowledged: readonly string[]): Promise<void> {
  // A name that was refused may be there all the same, so each try has its own.
  let tries = 0;
  await until("a subscriber is taken again", PATIENCE, () => succeed(addSubscriber(box, `after${++tries}`)));
  await until("and nothing is amiss", PATIENCE, async () => assert.deepEqual((await conditionsOf(box)).filter((code) => code.startsWith("disk")), []));
  await box.kill();
  box.start();
  await serving(box);
  const usernames = await box.usernames();
  for (const user of [...acknowledged, `after${tries}`]) assert.ok(usernames.includes(user), user);
  assertNoTrace(logOf(box));
}

interface FailingDisk {
  readonly path: string;
  readonly image: string;
  /** The kernel finds an error, and turns it read-only. */
  fail(): void;
}

/** A file system of its own in `directory`. */
function mountDisk(t: TestContext, directory: string): FailingDisk | { readonly missing: string } {
  const [path, image] = [join(directory, "disk"), join(directory, "image")];
  mkdirSync(path);
  const made = spawnSync("sh", ["-c", `truncate -s 24M ${image} && mkfs.ext4 -q ${image} && mount -o loop,errors=remount-ro ${image} ${path}`], { encoding: "utf8" });
  if (made.status !== 0) return { missing: `needs to mount a file system of its own (root): ${made.stderr}` };
  atEnd(t, () => spawnSync("umount", ["-l", path]));
  const device = basename(spawnSync("findmnt", ["-n", "-o", "SOURCE", path], { encoding: "utf8" }).stdout.trim());
  const trigger = `/sys/fs/ext4/${device}/trigger_fs_error`;
  if (!existsSync(trigger)) return { missing: `${trigger} is not there: this kernel does not let a file system fail on demand` };
  return { path, image, fail: () => writeFileSync(trigger, "test") };
}

suite("a disk that fails under a running box", { skip: skipWithoutBox || skipWithoutStrace, timeout: 900_000 }, () => {
  test("EIO at the synchronization: nothing is acknowledged until the file was read again and all of it written anew", async (t) => {
    const { box } = await servingBox(t, ["--open-registration"]);
    succeed(addSubscriber(box, "before"));
    const end = await spoil(t, box, `${SYNC}:error=EIO`);
    for (let i = 0; i < 4; i++) refused(box, `refused${i}`);
    await phonesWork(t, box, ["100", "101"]);
    assert.ok((await conditionsOf(box)).includes("disk-failing"));
    await until("it has tried again", PATIENCE, () => assert.match(logOf(box), /durable\.db was read again as a whole/));
    refused(box, "refused");
    await end();
    assert.match(logOf(box), /^warning: durable\.db: .*the disk reported an error$/m);
    assert.match(logOf(box), /^warning: durable\.db: nothing is acknowledged until the file was read again as a whole$/m);
    await recovers(box, ["before"]);
  });

  test("a single EIO, whose success the next call would pretend: what was acknowledged before is written anew", async (t) => {
    const { box } = await servingBox(t);
    for (let i = 0; i < 5; i++) succeed(addSubscriber(box, `before${i}`));
    const log = join(box.dataDirectory, "durable.db-wal");
    const end = await spoil(t, box, `${SYNC}:error=EIO:when=1`);
    refused(box, "refused");
    await end();
    await until("it was written anew", PATIENCE, () => assert.match(logOf(box), /all that belongs into it is written anew/));
    await until("all rows", PATIENCE, () => {
      const written = readFileSync(log).toString("latin1");
      for (let i = 0; i < 5; i++) assert.ok(written.includes(`before${i}`), "in the log that was begun after the error");
    });
    await recovers(box, [0, 1, 2, 3, 4].map((i) => `before${i}`));
  });

  test("a disk that does not answer: status says so, subscribers are refused at once, phones work, and then all is written", async (t) => {
    const { box } = await servingBox(t, ["--open-registration"]);
    succeed(addSubscriber(box, "before"));
    const end = await spoil(t, box, `${SYNC}:delay_enter=600000000`);
    assert.equal(addSubscriber(box, "waiting").status, 1);
    await until("status says it", PATIENCE, async () => assert.ok((await conditionsOf(box)).includes("disk-stalled")));
    refused(box, "refused");
    await phonesWork(t, box, ["100", "101"]);
    await end();
    await recovers(box, ["before", "waiting"]);
  });

  test("a file system that the kernel turns read-only: subscribers are refused, phones work, and the next start says why", async (t) => {
    const directory = scratch(t);
    const disk = mountDisk(t, directory);
    if ("missing" in disk) return t.skip(disk.missing);
    const box = makeBox(t, directory, { ticket: makeFleet(directory).ticket, directory: disk.path, parameters: ["--open-registration"] });
    box.start();
    await serving(box);
    succeed(addSubscriber(box, "before"));
    disk.fail();
    for (let i = 0; i < 3; i++) refused(box, `refused${i}`);
    await phonesWork(t, box, ["100", "101"]);
    assert.ok((await conditionsOf(box)).includes("disk-failing"));
    assert.equal((await box.status()).phase, "serving");
    assert.ok((await box.usernames()).includes("before"), "what it knows, it tells");
    await box.kill();
    succeed(spawnSync("sh", ["-c", `umount ${disk.path} && { fsck.ext4 -fy ${disk.image} > /dev/null; mount -o loop ${disk.image} ${disk.path}; }`], { encoding: "utf8" }));
    box.start();
    await serving(box);
    assert.ok((await box.usernames()).includes("before"));
    assertNoTrace(logOf(box));
  });

  test("a file system that turns read-only, in a ring of three: its box stands aside, its phones are served on, subscribers are taken, and the others hold everything", async (t) => {
    const directory = scratch(t);
    const disk = mountDisk(t, directory);
    if ("missing" in disk) return t.skip(disk.missing);
    const { ticket } = makeFleet(directory);
    const parameters = ["--open-registration"];
    const first = makeBox(t, directory, { ticket, directory: disk.path, parameters });
    const others = ["second", "third"].map((name) => makeBox(t, directory, { name, ticket, hints: [first], parameters }));
    first.start();
    await serving(first);
    for (const box of others) box.start();
    for (const box of [first, ...others]) await serving(box, 3);
    succeed(addSubscriber(first, "before"));
    disk.fail();
    const failed = performance.now();
    succeed(addSubscriber(first, "meanwhile"));
    await until("it stands aside", PATIENCE, async () => assert.equal((await first.status()).phase, "aside"));
    t.diagnostic(`out of the ring ${((performance.now() - failed) / 1_000).toFixed(1)} s after its disk failed`);
    assert.ok((await conditionsOf(first)).includes("aside"));
    succeed(addSubscriber(first, "after"));
    await phonesWork(t, first, ["100", "101"]);
    for (const box of others) {
      await serving(box, 2);
      await until("the others hold everything", PATIENCE, () => {
        const held = subscribersOnDisk(box.dataDirectory);
        for (const name of ["before", "meanwhile", "after"]) assert.ok(held.has(placeOf(name)), name);
      });
    }
    assertNoTrace(logOf(first));
  });
});

suite("a value that has changed on the disk of a running box", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("is found by the scrub, counted, set aside and written anew; the other box never sees it", async (t) => {
    const { first, second } = await servingPair(t);
    succeed(addSubscriber(first, "100"));
    await until("both have it", PATIENCE, () => {
      for (const { dataDirectory } of [first, second]) assert.ok(subscribersOnDisk(dataDirectory).has(placeOf("100")));
    });
    const before = rowOf(second);
    const database = new DatabaseSync(join(first.dataDirectory, "durable.db"));
    const flipped = Buffer.from(before);
    flipped[60] = (flipped[60] as number) ^ 16;
    database.prepare("UPDATE stored SET stored = ? WHERE kind = ?").run(flipped, SUBSCRIBER);
    await until("it is found and repaired", 2 * PATIENCE, async () => {
      const { counters } = await first.status();
      assert.deepEqual([counters["row-damaged"], counters["row-repaired"]], [1, 1]);
    });
    await until("on disk as well", PATIENCE, () => assert.deepEqual(rowOf(first), before));
    assert.deepEqual(rowOf(second), before);
    assert.equal(database.prepare("SELECT count(*) AS count FROM set_aside").get()?.["count"], 1);
    database.close();
    assert.match(logOf(first), /^warning: durable\.db: 1 rows were not as they were written and are set aside$/m);
  });

  test("is found at the next start, comes back from the other box, and is counted", async (t) => {
    const { first, second } = await servingPair(t);
    succeed(addSubscriber(first, "100"));
    await until("both have it", PATIENCE, () => {
      for (const { dataDirectory } of [first, second]) assert.ok(subscribersOnDisk(dataDirectory).has(placeOf("100")));
    });
    await second.kill("SIGTERM");
    const file = join(second.dataDirectory, "durable.db");
    const before = rowOf(first);
    const bytes = readFileSync(file);
    const at = bytes.indexOf(before.subarray(0, 60));
    assert.ok(at > 0);
    bytes[at + 25] = (bytes[at + 25] as number) ^ 1;
    writeFileSync(file, bytes);
    second.start();
    await serving(second, 2);
    await until("it is back", PATIENCE, async () => {
      const { counters, conditions } = await second.status();
      assert.deepEqual([counters["row-damaged"], counters["row-repaired"]], [1, 1]);
      assert.deepEqual(conditions.filter(({ code }) => code === "rows-damaged"), []);
    });
    await until("on disk as well", PATIENCE, () => assert.deepEqual(rowOf(second), before));
    assert.deepEqual(rowOf(first), before);
  });
});

/** Beside the subscribers lie the certificates of their writers. */
const SUBSCRIBER = 0xf0000002;

/** The one subscriber's bytes on a box's disk. */
function rowOf({ dataDirectory }: BuiltBox): Buffer {
  const database = new DatabaseSync(join(dataDirectory, "durable.db"), { readOnly: true });
  const stored = database.prepare("SELECT stored FROM stored WHERE kind = ?").get(SUBSCRIBER)?.["stored"];
  database.close();
  assert.ok(stored instanceof Uint8Array, "no row");
  return Buffer.from(stored);
}
