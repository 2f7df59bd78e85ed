import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import Database from "better-sqlite3";
import { type DiskEvent, type PersistCommand, type PersistEvent, Store, StoreError } from "../../../src/io/store.ts";
import type { ResourceId, StoredRow } from "../../../src/overlay/ports.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { until } from "../../support/until.ts";

const row = (name: string, value: string): StoredRow => ({
  resource: name.padEnd(32, "0") as ResourceId, kind: 0xf0000002, key: "", stored: new TextEncoder().encode(value),
});
const put = (ticket: number | undefined, rows: readonly StoredRow[], durability: "durable" | "soft" = "durable"): PersistCommand => ({
  type: "persist", ticket, durability, puts: rows, removals: [],
});

interface OpenStore {
  readonly store: Store;
  readonly rows: readonly StoredRow[];
  readonly events: (PersistEvent | DiskEvent)[];
  readonly reports: string[];
}

async function openStore(t: TestContext, directory: string): Promise<OpenStore> {
  const events: (PersistEvent | DiskEvent)[] = [];
  const reports: string[] = [];
  const store = new Store({ directory, onInput: (event) => events.push(event), onReport: (_, text) => reports.push(text) });
  t.after(() => store.close());
  return { store, rows: await store.open(), events, reports };
}

const texts = (rows: readonly StoredRow[]): string[] => rows.map(({ stored }) => new TextDecoder().decode(stored)).sort();

describe("the store", { timeout: 300_000 }, () => {
  test("answers a durable write after it is on disk, and reads it back", async (t) => {
    const directory = temporaryDirectory(t);
    const first = await openStore(t, directory);
    assert.deepEqual(first.rows, []);
    first.store.persist([put(1, [row("a", "one"), row("b", "two")]), put(2, [row("a", "three")])]);
    await until(() => first.events.length === 2);
    assert.deepEqual(first.events, [{ type: "persisted", ticket: 1 }, { type: "persisted", ticket: 2 }]);
    const onDisk = new Database(join(directory, "durable.db"), { readonly: true });
    assert.equal(onDisk.prepare("SELECT count(*) FROM stored").pluck().get(), 2);
    onDisk.close();
    await first.store.close();
    assert.deepEqual(texts((await openStore(t, directory)).rows), ["three", "two"]);
  });

  test("removes rows in the same commit as it puts others", async (t) => {
    const directory = temporaryDirectory(t);
    const { store, events } = await openStore(t, directory);
    store.persist([put(1, [row("a", "one")])]);
    const { stored: _, ...key } = row("a", "");
    store.persist([{ type: "persist", ticket: 2, durability: "durable", puts: [row("b", "two")], removals: [key] }]);
    await until(() => events.length === 2);
    await store.close();
    assert.deepEqual(texts((await openStore(t, directory)).rows), ["two"]);
  });

  test("writes soft rows in batches, at the latest when it closes", async (t) => {
    const directory = temporaryDirectory(t);
    const { store } = await openStore(t, directory);
    store.persist([put(undefined, [row("a", "old")], "soft"), put(undefined, [row("a", "new")], "soft")]);
    await store.close();
    assert.ok(existsSync(join(directory, "soft.db")));
    assert.deepEqual(texts((await openStore(t, directory)).rows), ["new"]);
  });

  test("sends a row's own bytes, not the packet that they are a view of", async (t) => {
    const directory = temporaryDirectory(t);
    const { store, events } = await openStore(t, directory);
    const packet = new TextEncoder().encode("..value..");
    store.persist([put(1, [{ ...row("a", ""), stored: packet.subarray(2, 7) }])]);
    await until(() => events.length === 1);
    await store.close();
    assert.deepEqual(texts((await openStore(t, directory)).rows), ["value"]);
  });

  test("leaves out a row in which a bit has flipped, and says so", async (t) => {
    const directory = temporaryDirectory(t);
    const { store, events } = await openStore(t, directory);
    store.persist([put(1, [row("a", "good"), row("b", "bad")])]);
    await until(() => events.length === 1);
    await store.close();
    const database = new Database(join(directory, "durable.db"));
    database.prepare("UPDATE stored SET stored = ? WHERE resource = ?").run(Buffer.from("bae"), row("b", "").resource);
    database.close();
    const again = await openStore(t, directory);
    assert.deepEqual(texts(again.rows), ["good"]);
    assert.match(again.reports.join(), /durable.db: 1 rows were not as they were written/);
  });

  test("moves a file that is no database aside, and begins a new one", async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, "durable.db"), "this is not a database at all, it never was".repeat(100));
    mkdirSync(join(directory, "durable.db.corrupt-1"));
    const { store, rows, events, reports } = await openStore(t, directory);
    assert.deepEqual(rows, []);
    assert.match(reports.join(), /durable.db was damaged and is now durable.db.corrupt-2/);
    store.persist([put(1, [row("a", "one")])]);
    await until(() => events.length === 1);
    assert.deepEqual(events, [{ type: "persisted", ticket: 1 }]);
    assert.match(readFileSync(join(directory, "durable.db.corrupt-2"), "utf8"), /never was/);
  });

  test("opens whatever length its file was cut to", async (t) => {
    const directory = temporaryDirectory(t);
    const first = await openStore(t, directory);
    first.store.persist([put(1, Array.from({ length: 500 }, (_, i) => row(`a${i}b`, "x".repeat(200))))]);
    await until(() => first.events.length === 1);
    await first.store.close();
    const whole = readFileSync(join(directory, "durable.db"));
    for (const length of [0, 50, 4_096, whole.length / 2, whole.length - 100]) {
      writeFileSync(join(directory, "durable.db"), whole);
      truncateSync(join(directory, "durable.db"), length);
      const { store, events } = await openStore(t, directory);
      store.persist([put(2, [row("z", "after")])]);
      await until(() => events.length === 1);
      await store.close();
      assert.ok(texts((await openStore(t, directory)).rows).includes("after"), `cut to ${length}`);
    }
    assert.ok(readdirSync(directory).some((name) => name.includes("corrupt")));
  });

  test("opens with a log that was cut or overwritten", async (t) => {
    const directory = temporaryDirectory(t);
    const first = await openStore(t, directory);
    first.store.persist([put(1, [row("a", "one")])]);
    await until(() => first.events.length === 1);
    const [database, log] = [readFileSync(join(directory, "durable.db")), readFileSync(join(directory, "durable.db-wal"))];
    await first.store.close();
    for (const damaged of [log.subarray(0, log.length / 2), Buffer.alloc(log.length, 7), Buffer.alloc(0)]) {
      writeFileSync(join(directory, "durable.db"), database);
      writeFileSync(join(directory, "durable.db-wal"), damaged);
      const { store } = await openStore(t, directory);
      await store.close();
    }
  });

  test("on a full disk fails the write, keeps what it had, and writes again when there is room", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "ringbox-full-"));
    t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
    if (!mountSmall(directory)) return t.skip("needs root and mount, for a file system of 1 MiB");
    try {
      await fillUp(t, directory);
    } finally {
      execFileSync("umount", ["-l", directory]);
    }
  });
  test("that cannot be opened says why", async (t) => {
    const directory = join(temporaryDirectory(t), "nowhere");
    const store = new Store({ directory, onInput: () => {}, onReport: () => {} });
    await assert.rejects(store.open(), (error) => error instanceof StoreError && /cannot be used/.test(error.message));
    await store.close();
  });

  test("that is closed fails what is asked of it afterwards", async (t) => {
    const { store, events } = await openStore(t, temporaryDirectory(t));
    await store.close();
    store.persist([put(9, [row("a", "x")])]);
    assert.deepEqual(events, [{ type: "persist-failed", ticket: 9, reason: "the store has stopped" }]);
  });
});

function mountSmall(directory: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function fillUp(t: TestContext, directory: string): Promise<void> {
  const { store, events, reports } = await openStore(t, directory);
  store.persist([put(1, [row("a", "kept")])]);
  await until(() => events.length === 1);
  store.persist([put(2, Array.from({ length: 100 }, (_, i) => row(`b${i}c`, "x".repeat(20_000))))]);
  await until(() => events.length === 2);
  assert.deepEqual(events[1], { type: "persist-failed", ticket: 2, reason: "the disk is full" });
  assert.match(reports.join(), /durable.db: 100 changes could not be written: the disk is full/);
  await store.close();
  execFileSync("sh", ["-c", `cat /dev/zero > ${join(directory, "filler")} 2> /dev/null || true`]);
  const restarted = await openStore(t, directory);
  assert.deepEqual(texts(restarted.rows), ["kept"], "a restart on a full disk still reads");
  restarted.store.persist([put(4, Array.from({ length: 100 }, (_, i) => row(`d${i}c`, "x".repeat(20_000))))]);
  await until(() => restarted.events.length === 1);
  assert.equal(restarted.events[0]?.type, "persist-failed");
  execFileSync("mount", ["-o", "remount,size=16m", directory]);
  restarted.store.persist([put(3, [row("c", "later")])]);
  await until(() => restarted.events.length === 2);
  assert.deepEqual(restarted.events[1], { type: "persisted", ticket: 3 });
  await restarted.store.close();
  const again = await openStore(t, directory);
  await again.store.close();
  assert.deepEqual(texts(again.rows), ["kept", "later"]);
}
