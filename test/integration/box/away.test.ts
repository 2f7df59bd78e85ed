// A box comes back after the ring has lived without it for longer than deletions are remembered.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import Database from "better-sqlite3";
import { PATIENCE, until } from "../../lab/until.ts";
import { addSubscriber, assertNoTrace, logOf, serving, servingPair, skipWithoutBox, succeed } from "../../support/built-ring.ts";

const DAY_MS = 86_400_000;
/** Beside them the certificates of their writers are kept. */
const SUBSCRIBERS = `FROM stored WHERE kind = ${0xf0000002}`;

suite("a box that was away", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("for forty days of the ring's life begins anew: what was deleted meanwhile stays deleted, and what it had is set aside", async (t) => {
    const { first, second } = await servingPair(t);
    for (const name of ["100", "101"]) succeed(addSubscriber(first, name));
    await until("both hold both", PATIENCE, async () => assert.equal((await second.status()).entries.held, 2));
    await second.kill("SIGTERM");
    await first.command("subscriber", "remove", "100");
    await first.kill("SIGTERM");
    // Forty days go by for the first box: it has lived so long, and has forgotten that there was a deletion.
    const database = new Database(join(first.dataDirectory, "durable.db"));
    assert.equal(database.prepare(`SELECT * ${SUBSCRIBERS}`).all().length, 2);
    const rows = database.prepare<[], { resource: string; stored: Uint8Array }>(`SELECT resource, stored ${SUBSCRIBERS}`).all();
    const forgotten = rows.find(({ stored }) => !Buffer.from(stored).includes("101"));
    assert.equal(database.prepare(`DELETE ${SUBSCRIBERS} AND resource = ?`).run(forgotten?.resource).changes, 1);
    database.close();
    const ageFile = join(first.dataDirectory, "ring-age");
    writeFileSync(ageFile, `${Number(readFileSync(ageFile, "utf8")) + 40 * DAY_MS}\n`);

    first.start();
    await serving(first);
    assert.deepEqual(await first.usernames(), ["101"]);
    second.start();
    await serving(second, 2);
    await until("both say the same", PATIENCE, async () => {
      for (const box of [first, second]) {
        assert.deepEqual(await box.usernames(), ["101"]);
        assert.equal((await box.status()).entries.held, 1);
        assert.equal((await box.status()).inSync, true);
      }
    });
    assert.match(logOf(second), /The ring has lived without this box for more than 29 days/);
    const aside = join(second.dataDirectory, "durable.db.away-1");
    assert.ok(existsSync(aside));
    const copy = new Database(aside, { readonly: true });
    assert.equal(copy.prepare(`SELECT * ${SUBSCRIBERS}`).all().length, 2);
    copy.close();
    for (const box of [first, second]) assertNoTrace(logOf(box));
  });
});
