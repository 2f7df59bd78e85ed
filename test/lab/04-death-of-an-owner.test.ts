import assert from "node:assert/strict";
import { account, DOMAIN, labTest } from "./lab.ts";
import { assertRegistered, registerEverywhere } from "./load.ts";
import { Baresip } from "./phones/baresip.ts";

const REGISTRATIONS = 2000;
/** From the death of the storage owner to the answer of a phone that is called, seconds. */
const CALL_SECONDS = 2;
const COPIES_SECONDS = 30;
const PLAN = { boxes: 5, phones: 3, programs: ["sipp", "baresip"] };

labTest("the storage owner of a callee is killed: the next call succeeds in 2 seconds, no registration of living boxes is lost, three copies again in 30", PLAN, async (lab) => {
  await lab.start();
  const users = await lab.subscribe(lab.box(1), "user", REGISTRATIONS);
  const [caller, callee] = users;
  assert(caller !== undefined && callee !== undefined);
  const parts = await registerEverywhere(lab.phoneHost(1), lab.boxes, users.slice(2));

  const owner = (await lab.box(1).where(`${callee.username}@${DOMAIN}`)).storageOwner;
  const statuses = await Promise.all(lab.boxes.map(async (box) => ({ box, nodeId: (await box.status()).nodeId })));
  const victim = statuses.find(({ nodeId }) => nodeId === owner.nodeId)?.box;
  const [callerBox, calleeBox] = lab.boxes.filter((box) => box !== victim);
  assert(victim !== undefined && callerBox !== undefined && calleeBox !== undefined);
  const calling = await Baresip.start(lab.phoneHost(2), account(caller, callerBox));
  const called = await Baresip.start(lab.phoneHost(3), account(callee, calleeBox));
  await calling.register();
  await called.register();
  await lab.allCopies(60);

  await victim.kill();
  const since = performance.now();
  const outcome = await calling.call(called.aor, 40);
  const seconds = (performance.now() - since) / 1000;
  assert(outcome.answered, outcome.answered ? "" : outcome.reason);
  lab.tell(`${victim.name} killed, which owned ${callee.username}: the next call was answered ${seconds.toFixed(2)} s after the kill`);
  assert(seconds <= CALL_SECONDS, `${seconds.toFixed(2)} s`);
  await called.talkingWith(caller.username);
  await calling.hangUp();
  await called.idle();

  const ring = await lab.oneRing(COPIES_SECONDS, { since });
  const settled = await lab.allCopies(COPIES_SECONDS, since);
  lab.tell(`a ring of four after ${ring.toFixed(1)} s, three equal copies after ${settled.toFixed(1)} s`);
  const held = [caller, callee, ...lab.boxes.flatMap((box, index) => (box === victim ? [] : (parts[index] ?? [])))];
  for (const box of lab.running) await assertRegistered(box, held);
  lab.tell(`all ${held.length} registrations held by living boxes are there`);
});
