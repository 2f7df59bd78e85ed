// A board without a battery wakes in 1970; a clock that is set while the box runs jumps.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  addSubscriber, assertNoTrace, joinTicket, logOf, makeBox, scratch, serving, servingBox, SIP_PORT, skipWithoutBox, succeed,
} from "../../support/built-ring.ts";
import { Phone } from "../../support/phone.ts";

const faketime = spawnSync("faketime", ["1970-01-02", "date", "+%Y"], { encoding: "utf8" });
const skip = skipWithoutBox || (faketime.stdout === "1970\n" ? false : "needs the Debian package faketime");

/** The library that faketime preloads, found where faketime itself finds it. */
const preloaded = (): string | undefined => skip !== false ? undefined : spawnSync("faketime", ["1970-01-02", "printenv", "LD_PRELOAD"], { encoding: "utf8" }).stdout.trim();

/** For a process whose wall clock was never set and whose monotonic clock is the system's. */
const IN_1970: NodeJS.ProcessEnv = { LD_PRELOAD: preloaded(), FAKETIME: "@1970-01-02 00:00:00", FAKETIME_DONT_FAKE_MONOTONIC: "1" };

async function pair(t: TestContext) {
  const { box: right, fleet, directory } = await servingBox(t, ["--open-registration"]);
  succeed(addSubscriber(right, "100"));
  const wrong = makeBox(t, directory, {
    name: "wrong", ticket: joinTicket(fleet), hints: [right], parameters: ["--open-registration"], environment: IN_1970,
  });
  wrong.start();
  await serving(wrong, 2);
  await serving(right, 2);
  return { right, wrong };
}

suite("a wrong clock", { skip, timeout: 900_000 }, () => {
  test("a blank box in 1970 joins, serves, and what is registered at it is good at the other box for as long as it was promised", async (t) => {
    const { right, wrong } = await pair(t);
    const at = { wrong: await Phone.at(t, wrong.address, SIP_PORT), right: await Phone.at(t, right.address, SIP_PORT) };
    const before = Date.now();
    assert.equal((await at.wrong.register("100")).status, 200);
    const bindings = await until("the other box knows the phone", PATIENCE, async () => {
      const found = (await right.where("100@acme.example")).bindings;
      assert.equal(found.length, 1);
      return found;
    });
    const left = ((bindings.value[0]?.expiresAt ?? 0) - before) / 1_000;
    assert.ok(left > 1_140 && left < 1_260, `${left} s in the ring, twice the 600 that were promised`);
    assert.equal((await at.right.register("101")).status, 200);
    assert.equal((await at.right.call("101", "100")).status, 200);
    assert.equal((await at.wrong.call("100", "101")).status, 200);
    assert.match(logOf(wrong), /^warning: This box's clock differs/m);
    assertNoTrace(logOf(wrong));
  });

  test("a subscriber added at a box in 1970 and changed at the other stays as it was written last", async (t) => {
    const { right, wrong } = await pair(t);
    succeed(addSubscriber(wrong, "200"));
    await until("the other box knows it", PATIENCE, async () => assert.deepEqual([...(await right.usernames())].sort(), ["100", "200"]));
    await right.command("subscriber", "remove", "200");
    await until("it is gone at both", PATIENCE, async () => {
      assert.deepEqual(await wrong.usernames(), ["100"]);
      assert.deepEqual(await right.usernames(), ["100"]);
    });
    await wrong.command("subscriber", "remove", "100");
    await until("it is gone at both", PATIENCE, async () => assert.deepEqual(await right.usernames(), []));
  });

  test("a box that founded its fleet in 1970 takes the time of the first that joins with a right clock", async (t) => {
    const { box, fleet, directory } = await servingBox(t, ["--open-registration"], IN_1970);
    const phone = await Phone.at(t, box.address, SIP_PORT);
    assert.equal((await phone.register("100")).status, 200);
    const right = makeBox(t, directory, { name: "right", ticket: fleet.ticket, hints: [box], parameters: ["--open-registration"] });
    right.start();
    await serving(right, 2);
    const told = await until("it takes the other's time", PATIENCE, () => assert.match(logOf(box), /^warning: This box's clock differs/m));
    t.diagnostic(`after ${told.seconds.toFixed(1)} s`);
    const other = await Phone.at(t, right.address, SIP_PORT);
    assert.equal((await phone.register("100")).status, 200);
    assert.equal((await other.register("101")).status, 200);
    assert.equal((await other.call("101", "100")).status, 200);
    assert.equal((await phone.call("100", "101")).status, 200);
    for (const each of [box, right]) assertNoTrace(logOf(each));
  });

  test("a wall clock that jumps two years ahead and back while the box runs loses nothing and refuses nothing", async (t) => {
    const directory = scratch(t);
    const clockFile = join(directory, "wall-clock");
    const setTo = (offset: string): void => {
      writeFileSync(`${clockFile}.new`, `${offset}\n`);
      renameSync(`${clockFile}.new`, clockFile); // it is read at every look at the clock: never half
    };
    setTo("+0");
    const { box: steady, fleet } = await servingBox(t, ["--open-registration"]);
    const jumping = makeBox(t, directory, {
      name: "jumping", ticket: joinTicket(fleet), hints: [steady], parameters: ["--open-registration"],
      environment: { LD_PRELOAD: preloaded(), FAKETIME_TIMESTAMP_FILE: clockFile, FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" },
    });
    jumping.start();
    await serving(jumping, 2);
    await serving(steady, 2);
    const [here, there] = [await Phone.at(t, jumping.address, SIP_PORT), await Phone.at(t, steady.address, SIP_PORT)];
    assert.equal((await here.register("100")).status, 200);
    assert.equal((await there.register("101")).status, 200);
    let serial = 200;
    for (const offset of ["+2y", "-2y", "+0"]) {
      setTo(offset);
      const told = await until("the box has noticed", PATIENCE, async () => {
        const told = (await jumping.status()).conditions.find(({ code }) => code === "clock-differs")?.text ?? "right";
        assert.match(told, offset === "+2y" ? /ahead of/ : offset === "-2y" ? /behind/ : /^right$/);
      });
      succeed(addSubscriber(jumping, `${serial++}`));
      succeed(addSubscriber(steady, `${serial++}`));
      for (const box of [jumping, steady]) assert.deepEqual((await box.registrations()).map(({ aor }) => aor), ["100@acme.example", "101@acme.example"]);
      assert.equal((await here.call("100", "101")).status, 200);
      assert.equal((await there.call("101", "100")).status, 200);
      assert.equal((await here.register("100")).status, 200);
      t.diagnostic(`${offset}: told after ${told.seconds.toFixed(1)} s; registrations lost 0, refused 0`);
    }
    assert.equal((await steady.usernames()).length, 6);
    assertNoTrace(logOf(jumping));
  });
});
