import assert from "node:assert/strict";
import { labTest } from "./lab.ts";
import { assertRegistered, assertSubscribed, registerEverywhere } from "./load.ts";
import { until } from "./until.ts";

const USERS = 500;
/** From the start of the blank box to its service with its share, seconds. */
const SERVICE_SECONDS = 30;
const PLAN = { boxes: 5, phones: 1, programs: ["sipp"] };

labTest("a blank box in the place of a dead one is in service and has its share in 30 seconds", PLAN, async (lab) => {
  await lab.start();
  const users = await lab.subscribe(lab.box(1), "user", USERS);
  const dead = lab.box(5);
  const living = lab.boxes.filter((box) => box !== dead);
  await registerEverywhere(lab.phoneHost(1), living, users);
  const { nodeId } = await dead.status();
  await dead.kill();
  await lab.oneRing(30);
  dead.wipe();

  const since = performance.now();
  dead.start();
  const joined = await lab.oneRing(SERVICE_SECONDS, { since });
  const share = await until("it has its share", SERVICE_SECONDS, async () => {
    const { entries, inSync, copies } = await dead.status();
    assert(entries.owned > 0 && inSync && copies === 3, JSON.stringify({ entries, inSync, copies }));
    return entries;
  }, since);
  lab.tell(`blank box in service after ${joined.toFixed(1)} s, with its share (${share.value.owned} entries owned, ${share.value.held} held) after ${share.seconds.toFixed(1)} s`);
  assert.notEqual((await dead.status()).nodeId, nodeId, "it is another box");
  await assertSubscribed(dead, users);
  await assertRegistered(dead, users);
});
