import assert from "node:assert/strict";
import { DOMAIN, labTest } from "./lab.ts";
import { assertRegistered, assertSubscribed, FIRST_PORT, registerEverywhere } from "./load.ts";
import { answerCalls, placeCalls } from "./phones/sipp.ts";

const USERS = 300;
/** From the start of the boxes to calls that work, seconds. */
const CALLS_SECONDS = 60;
const PLAN = { boxes: 5, phones: 2, programs: ["sipp"] };

labTest("all five boxes are killed at once and started again: subscribers are there, phones register, calls work in 60 seconds", PLAN, async (lab) => {
  await lab.start();
  const users = await lab.subscribe(lab.box(3), "user", USERS);
  await registerEverywhere(lab.phoneHost(1), lab.boxes, users);

  await Promise.all(lab.boxes.map((box) => box.kill()));
  const since = performance.now();
  for (const box of lab.boxes) box.start();
  const ring = await lab.oneRing(CALLS_SECONDS, { since });
  for (const box of lab.boxes) await assertSubscribed(box, users);
  const parts = await registerEverywhere(lab.phoneHost(1), lab.boxes, users, { seconds: CALLS_SECONDS });
  await assertRegistered(lab.box(1), users);

  await answerCalls(lab.phoneHost(1), FIRST_PORT);
  const [callee] = parts[0] ?? [];
  const callers = parts[1]?.slice(0, 20) ?? [];
  assert(callee !== undefined);
  const calls = placeCalls(lab.phoneHost(2), {
    domain: DOMAIN,
    box: lab.box(2).address,
    callers,
    callee: callee.username,
    port: 5060,
    rate: 10,
    total: 20,
  });
  assert.deepEqual(await calls.finished(60), { begun: 20, succeeded: 20, failed: 0 }, calls.complaints());
  const seconds = (performance.now() - since) / 1000;
  lab.tell(`one ring ${ring.toFixed(1)} s after the start, all phones registered and 20 calls made after ${seconds.toFixed(1)} s`);
  assert(seconds <= CALLS_SECONDS, `${seconds.toFixed(1)} s`);
});
