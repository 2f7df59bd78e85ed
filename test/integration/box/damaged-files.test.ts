// What a power cut, a worn flash cell or a well-meaning hand has done to the files of a box: it starts
// again, keeps the damaged file for whoever wants to look, and has its share back from the neighbor.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  addSubscriber, assertNoTrace, type BuiltBox, logOf, serving, servingBox, servingPair, SIP_PORT, skipWithoutBox, succeed,
} from "../../support/built-ring.ts";
import { Phone } from "../../support/phone.ts";

type Damage = (file: string) => void;

/** The same at each run, and nothing that could be taken for a database. */
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 197 + (index >> 5) * 31 + 13) & 0xff);

const DAMAGES: Readonly<Record<string, Damage>> = {
  "truncated in the middle of a page": (file) => truncateSync(file, Math.min(statSync(file).size - 1, 5_000)),
  "of zero length": (file) => truncateSync(file, 0),
  "that is gone": (file) => rmSync(file),
  "of random bytes": (file) => writeFileSync(file, noise(statSync(file).size)),
  "damaged in its middle": (file) => {
    const bytes = readFileSync(file);
    bytes.set(noise(bytes.length - 4_096), 4_096);
    writeFileSync(file, bytes);
  },
};

const USERS = ["100", "101", "102", "103", "104", "105"];

/** A box was stopped in good order, so that its databases are whole in their main files. */
async function filledPair(t: TestContext) {
  const pair = await servingPair(t, ["--open-registration"]);
  for (const user of USERS) succeed(addSubscriber(pair.first, user));
  const phone = await Phone.at(t, pair.first.address, SIP_PORT);
  assert.equal((await phone.register("100")).status, 200);
  await until("the second box holds all", PATIENCE, async () => assert.equal((await pair.second.status()).entries.held, (await pair.first.status()).entries.held));
  await pair.second.kill("SIGTERM");
  return pair;
}

async function hasAll(box: BuiltBox, users = USERS): Promise<void> {
  await serving(box, 2);
  assert.deepEqual([...(await box.usernames())].sort(), users);
  await until("its copies are complete", PATIENCE, async () => assert.equal((await box.status()).entries.held, users.length + 1));
  const where = await box.where("100@acme.example");
  assert.deepEqual(where.replicas.map(({ holds }) => holds), ["yes", "yes"]);
  assert.equal(where.bindings.length, 1);
}

suite("damaged files", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  for (const name of ["durable.db", "soft.db"]) {
    for (const [damaged, damage] of Object.entries(DAMAGES)) {
      test(`${name} ${damaged}: the box starts, and its share comes back from the neighbor`, async (t) => {
        const { second } = await filledPair(t);
        const file = join(second.dataDirectory, name);
        damage(file);
        second.start();
        await hasAll(second);
        assertNoTrace(logOf(second));
        const aside = readdirSync(second.dataDirectory).filter((entry) => entry.startsWith(`${name}.corrupt-`));
        t.diagnostic(`${aside.join(", ")} | ${logOf(second).match(/^warning: .*$/gm)?.join(" | ")}`);
        assert.ok(aside.length > 0 || /rows were not as they were written|is gone or empty/.test(logOf(second)), "nothing was said of the damage");
      });
    }
  }

  for (const damaged of ["truncated", "of random bytes"]) {
    test(`a write-ahead log ${damaged} after a crash: the box starts, and its share comes back from the neighbor`, async (t) => {
      const { first, second } = await filledPair(t);
      second.start();
      await serving(second, 2);
      succeed(addSubscriber(first, "999"));
      await until("it is written", PATIENCE, async () => assert.equal((await second.where("999@acme.example")).subscriber, true));
      await second.kill();
      const log = join(second.dataDirectory, "durable.db-wal");
      if (damaged === "truncated") truncateSync(log, statSync(log).size >> 1);
      else writeFileSync(log, noise(statSync(log).size));
      second.start();
      await hasAll(second, [...USERS, "999"]);
    });
  }

  test("members.json of random bytes is set aside, and the members are found again", async (t) => {
    const { second } = await filledPair(t);
    writeFileSync(join(second.dataDirectory, "members.json"), noise(300));
    second.start();
    await hasAll(second);
    assert.ok(existsSync(join(second.dataDirectory, "members.json.damaged-1")));
    assert.match(logOf(second), /^warning: members\.json is damaged/m);
  });

  for (const [what, content] of [["cut short", '{"format":1,"fleet":"ac'], ["of zero length", ""], ["of another format", '{"format":7}']] as const) {
    test(`fleet.json ${what} is set aside, and the box enrolls again with its ticket, in its old place`, async (t) => {
      const { second } = await filledPair(t);
      const nodeId = JSON.parse(readFileSync(join(second.dataDirectory, "fleet.json"), "utf8")).nodeId;
      writeFileSync(join(second.dataDirectory, "fleet.json"), content);
      second.start();
      await hasAll(second);
      assert.ok(existsSync(join(second.dataDirectory, "fleet.json.damaged-1")));
      assert.match(logOf(second), /^warning: fleet\.json is damaged/m);
      assert.equal((await second.status()).nodeId, nodeId, "one box, one place on the ring");
    });
  }

  test("fleet.json with certificates that cannot be read is set aside too", async (t) => {
    const { second } = await filledPair(t);
    const file = join(second.dataDirectory, "fleet.json");
    for (const field of ["root", "issuing", "issuingKey", "certificate"]) {
      const membership = JSON.parse(readFileSync(file, "utf8"));
      writeFileSync(file, JSON.stringify({ ...membership, [field]: Buffer.from(noise(60)).toString("base64") }));
      second.start();
      await hasAll(second);
      await second.kill("SIGTERM");
    }
    assertNoTrace(logOf(second));
    assert.equal(readdirSync(second.dataDirectory).filter((entry) => entry.startsWith("fleet.json.damaged-")).length, 4);
  });

  for (const [what, content] of [["of random bytes", noise(241)], ["of zero length", ""]] as const) {
    test(`identity.key ${what} is set aside, and the box enrolls again with a key of its own`, async (t) => {
      const { first, second } = await filledPair(t);
      const before = JSON.parse(readFileSync(join(second.dataDirectory, "fleet.json"), "utf8")).nodeId;
      writeFileSync(join(second.dataDirectory, "identity.key"), content);
      second.start();
      await until("the box serves", PATIENCE, async () => assert.equal((await second.status()).phase, "serving"));
      assert.notEqual((await second.status()).nodeId, before);
      assert.match(logOf(second), /^warning: identity\.key holds no key/m);
      assert.deepEqual([...(await second.usernames())].sort(), USERS);
      assert.deepEqual([...(await first.usernames())].sort(), USERS);
      assertNoTrace(logOf(second));
    });
  }

  test("identity.crt of random bytes, or gone, keeps nobody from serving", async (t) => {
    const { second } = await filledPair(t);
    writeFileSync(join(second.dataDirectory, "identity.crt"), noise(700));
    second.start();
    await hasAll(second);
  });

  test("a count of starts that is no number keeps nobody from serving", async (t) => {
    const { second } = await filledPair(t);
    writeFileSync(join(second.dataDirectory, "incarnation"), noise(20));
    second.start();
    await hasAll(second);
  });

  test("a lock file of random bytes does not keep a box from starting for good", async (t) => {
    const { box } = await servingBox(t);
    await box.kill();
    writeFileSync(join(box.dataDirectory, "lock"), noise(8_192));
    box.start();
    await serving(box);
    assertNoTrace(logOf(box));
  });
});
