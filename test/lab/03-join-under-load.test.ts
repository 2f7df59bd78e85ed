import assert from "node:assert/strict";
import { DOMAIN, labTest } from "./lab.ts";
import { FIRST_PORT, registerEverywhere } from "./load.ts";
import { answerCalls, placeCalls, registerUsers } from "./phones/sipp.ts";
import { PATIENCE, until } from "./until.ts";

const REGISTRATIONS = 2000;
/** Load on each of the five boxes while the sixth joins, each second. */
const REGISTERS = 10;
const CALLS = 2;
const PLAN = { boxes: 5, phones: 2, programs: ["sipp"] };

labTest("a sixth box takes its share under load, and not one REGISTER or call fails meanwhile", PLAN, async (lab) => {
  await lab.start();
  const boxes = [...lab.boxes];
  const [phones, callers] = [lab.phoneHost(1), lab.phoneHost(2)];
  const users = await lab.subscribe(lab.box(1), "user", REGISTRATIONS);
  const parts = await registerEverywhere(phones, boxes, users);
  lab.tell(`${REGISTRATIONS} registrations, none failed`);

  // At each box: its phones register again and again, and call one that registered there first.
  const loads = await Promise.all(
    boxes.map(async (box, index) => {
      const [called, ...others] = parts[index] ?? [];
      assert(called !== undefined);
      await answerCalls(phones, FIRST_PORT + index);
      const target = { domain: DOMAIN, box: box.address };
      const registers = registerUsers(phones, { ...target, users: others, port: FIRST_PORT + 100 + index, rate: REGISTERS });
      const calls = placeCalls(callers, { ...target, callers: others, callee: called.username, port: FIRST_PORT + index, rate: CALLS });
      return { registers, calls };
    }),
  );
  await until("the load runs", PATIENCE, () => {
    for (const { registers, calls } of loads) assert(registers.count().succeeded > 0 && calls.count().succeeded > 0);
  });

  const sixth = lab.addBox();
  const since = performance.now();
  sixth.start();
  const joined = await lab.oneRing(30, { since });
  const share = await until("the sixth box has its share", 60, async () => {
    const owned = await Promise.all(lab.boxes.map(async (box) => (await box.status()).entries.owned));
    const part = (owned[5] ?? 0) / owned.reduce((sum, count) => sum + count, 0);
    // A sixth; placing may be off by a factor of two, as it splits the largest gap of a ring of five.
    assert(part >= 1 / 12 && part <= 1 / 3, `it owns ${(100 * part).toFixed(1)} % of all entries`);
    return part;
  }, since);
  const settled = await lab.allCopies(60, since);
  lab.tell(`the sixth box was in service after ${joined.toFixed(1)} s, with ${(100 * share.value).toFixed(1)} % of all entries after ${share.seconds.toFixed(1)} s, every copy equal after ${settled.toFixed(1)} s`);

  const counts = { registers: 0, calls: 0 };
  for (const { registers, calls } of loads) {
    for (const [name, run] of Object.entries({ registers, calls })) {
      const { begun, succeeded, failed } = await run.stop();
      assert.deepEqual({ failed, lost: begun - succeeded }, { failed: 0, lost: 0 }, `${name}: ${run.complaints()}`);
    }
    counts.registers += registers.count().succeeded;
    counts.calls += calls.count().succeeded;
  }
  lab.tell(`meanwhile ${counts.registers} REGISTERs and ${counts.calls} calls, none failed`);
});
