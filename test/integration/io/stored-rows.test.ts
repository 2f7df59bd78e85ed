// A database file as time, other versions and flash cells leave it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import Database from "better-sqlite3";
import { type Loaded, StoredRows } from "../../../src/io/stored-rows.ts";
import type { ResourceId, StoredRow } from "../../../src/overlay/ports.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { memoryDirectory, temporaryDirectory } from "../../support/temporary-directory.ts";

const ROWS = 300;
const FLIPS = 500;

const random = new SeededRandom(7);
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256));
const hex = (length: number): string => Buffer.from(bytes(length)).toString("hex");
const rows: readonly StoredRow[] = Array.from({ length: ROWS }, (_, i) => ({
  resource: hex(16) as ResourceId, kind: 0xf0000001 + (i % 2), key: i % 2 === 0 ? hex(12) : "", stored: bytes(60 + random.below(400)),
}));

const nameOf = ({ resource, kind, key }: Omit<StoredRow, "stored">): string => `${resource} ${kind} ${key}`;
const contentOf = (all: readonly StoredRow[]): ReadonlyMap<string, string> => new Map(all.map((row) => [nameOf(row), Buffer.from(row.stored).toString("hex")]));
const written = contentOf(rows);

function fill(path: string): void {
  const file = new StoredRows(path, "FULL");
  file.open();
  file.commit(rows.map((put) => ({ put })));
  file.close();
}

/** Opens, writes one more row, and closes: whatever happened to the file, the box works. */
function use(path: string): Loaded {
  const file = new StoredRows(path, "FULL");
  const loaded = file.open();
  file.commit([{ put: { resource: "ff".repeat(16) as ResourceId, kind: 1, key: "", stored: Uint8Array.of(1) } }]);
  file.close();
  return loaded;
}

/** What became of the rows; fails if one is not what was written. */
function judge(loaded: Loaded, what: string): "harmless" | "rows set aside" | "file set aside" {
  for (const [name, value] of contentOf(loaded.rows)) assert.equal(value, written.get(name), `${what}: ${name} has a value nobody wrote`);
  if (loaded.movedTo !== undefined) return "file set aside";
  assert.equal(loaded.rows.length + loaded.damaged.length, ROWS, `${what}: rows are gone and nothing is said`);
  return loaded.damaged.length > 0 ? "rows set aside" : "harmless";
}

function flip(path: string, whole: Uint8Array, bit: number): void {
  rmSync(join(path, ".."), { recursive: true, force: true });
  mkdirSync(join(path, ".."));
  const damaged = Uint8Array.from(whole);
  damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
  writeFileSync(path, damaged);
}

suite("a closed database with one flipped bit", () => {
  for (const [where, bits] of [
    ["anywhere, 500 times", (size: number): readonly number[] => Array.from({ length: FLIPS }, () => random.below(size * 8))],
    ["of its header, each one", (): readonly number[] => Array.from({ length: 800 }, (_, bit) => bit)],
  ] as const) {
    test(`${where}: it is noticed or harmless, and no row is read that nobody wrote`, (t) => {
      const path = join(memoryDirectory(t), "files", "durable.db");
      mkdirSync(join(path, ".."));
      fill(path);
      const whole = readFileSync(path);
      const outcomes: Record<string, number> = {};
      for (const bit of bits(whole.length)) {
        flip(path, whole, bit);
        const outcome = judge(use(path), `bit ${bit}`);
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      }
      t.diagnostic(`${whole.length} bytes: ${JSON.stringify(outcomes)}`);
    });
  }

  test("in a value: the scrub finds it while the database is open, sets the row aside and leaves the others", (t) => {
    const path = join(temporaryDirectory(t), "durable.db");
    fill(path);
    const victim = rows[17] as StoredRow;
    const database = new Database(path);
    const damaged = Buffer.from(victim.stored);
    damaged[40] = (damaged[40] as number) ^ 4;
    database.prepare("UPDATE stored SET stored = ? WHERE resource = ?").run(damaged, victim.resource);
    const file = new StoredRows(path, "FULL");
    t.after(() => file.close());
    file.open(); // the start sets it aside …
    assert.equal(database.prepare("SELECT stored FROM set_aside").pluck().all().length, 1);
    file.commit([{ put: victim }]);
    database.prepare("UPDATE stored SET stored = ? WHERE resource = ?").run(damaged, victim.resource);
    const found: string[] = [];
    let behind: ReturnType<StoredRows["scrub"]>["next"];
    let steps = 0;
    do {
      const scrubbed = file.scrub(behind, 100);
      found.push(...scrubbed.damaged.map(nameOf)); // … and the scrub what came later.
      behind = scrubbed.next;
      steps++;
    } while (behind !== undefined);
    assert.deepEqual(found, [nameOf(victim)]);
    assert.equal(steps, 4, "300 rows by the hundred, and one look behind the last");
    assert.equal(database.prepare("SELECT count(*) FROM stored").pluck().get(), ROWS - 1);
    assert.deepEqual(database.prepare("SELECT stored FROM set_aside").pluck().all(), [damaged, damaged]);
    database.close();
  });
});

suite("a database of another version", () => {
  /** Tables as they were, or will be. */
  function make(path: string, schema: string, insert: (database: Database.Database) => void, version = 0): void {
    const database = new Database(path);
    database.pragma("journal_mode = WAL");
    database.exec(schema);
    insert(database);
    database.pragma(`user_version = ${version}`);
    database.close();
  }

  test("without checksums is read, and has them from then on", (t) => {
    const path = join(temporaryDirectory(t), "durable.db");
    make(path, "CREATE TABLE stored (resource TEXT NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, stored BLOB NOT NULL, PRIMARY KEY (resource, kind, key)) WITHOUT ROWID", (database) => {
      for (const { resource, kind, key, stored } of rows) database.prepare("INSERT INTO stored VALUES (?, ?, ?, ?)").run(resource, kind, key, stored);
    });
    assert.deepEqual(contentOf(use(path).rows).size, ROWS);
    const database = new Database(path);
    database.prepare("UPDATE stored SET stored = x'00' WHERE resource = ?").run((rows[3] as StoredRow).resource);
    database.close();
    assert.deepEqual(use(path).damaged.map(nameOf), [nameOf(rows[3] as StoredRow)]);
  });

  test("with checksums, from before there was a place for damaged rows, is read as it is", (t) => {
    const path = join(temporaryDirectory(t), "durable.db");
    fill(path);
    const database = new Database(path);
    database.exec("DROP TABLE set_aside");
    database.pragma("user_version = 0");
    database.close();
    assert.equal(judge(use(path), "version 2"), "harmless");
  });

  test("of the future is refused and left as it is", (t) => {
    const path = join(temporaryDirectory(t), "durable.db");
    make(path, "CREATE TABLE values_of_the_future (everything)", () => undefined, 9);
    const before = readFileSync(path);
    assert.throws(() => new StoredRows(path, "FULL").open(), /a newer version of Ringbox wrote it/);
    assert.deepEqual(readFileSync(path), before);
  });
});

/** Of one commit for each row, and one more for each. */
const commitsMissing = (found: readonly StoredRow[]): number =>
  2 * ROWS - found.length - found.filter(({ stored }) => stored.length > 1).length;

test("a log with one flipped bit, as a crash leaves it, 200 times: rows are what they were at some commit, never anything else, and it is told how many commits are lost", (t) => {
  const directory = memoryDirectory(t);
  const source = join(directory, "source.db");
  const open = new StoredRows(source, "FULL");
  t.after(() => open.close());
  open.open();
  for (const row of rows) open.commit([{ put: { ...row, stored: Uint8Array.of(0) } }]);
  for (const put of rows) open.commit([{ put }]);
  const [database, log] = [readFileSync(source), readFileSync(`${source}-wal`)];
  const path = join(directory, "files", "durable.db");
  const lengths = new Set<number>();
  for (let i = 0; i < 200; i++) {
    flip(`${path}-wal`, log, random.below(log.length * 8));
    writeFileSync(path, database);
    const { rows: found, damaged, lostCommits, movedTo } = use(path);
    assert.deepEqual({ damaged, movedTo }, { damaged: [], movedTo: undefined });
    const missing = commitsMissing(found);
    assert.ok(missing <= 1 || Math.abs(lostCommits - missing) <= 2, `${missing} commits are missing, ${lostCommits} are told`);
    for (const [name, value] of contentOf(found)) assert.ok(value === "00" || value === written.get(name), name);
    lengths.add(found.length);
  }
  assert.ok(lengths.size > 10, "it was cut at many places");
});
