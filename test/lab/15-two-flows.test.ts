import assert from "node:assert/strict";
import { account, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { PATIENCE, until } from "./until.ts";

const PLAN = { boxes: 2, phones: 2, programs: ["baresip"] };

labTest("baresip keeps flows to two boxes with one Contact; it is called over the other one when a box is killed", PLAN, async (lab) => {
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const both = await Baresip.start(lab.phoneHost(1), { ...account(alice, lab.box(1)), transport: "tcp", secondBox: lab.box(2).address });
  const caller = await Baresip.start(lab.phoneHost(2), account(bob, lab.box(2)));
  await both.register();
  await caller.register();
  await until("both flows are registered", PATIENCE, async () => {
    const { bindings } = await lab.box(2).where(both.aor);
    const owners = new Set(bindings.map(({ flowOwner }) => flowOwner.nodeId));
    assert.deepEqual([bindings.length, owners.size], [2, 2]);
    assert.equal(new Set(bindings.map(({ contact }) => contact)).size, 1, "one Contact");
  });
  await callOnce();
  await lab.box(1).kill();
  await callOnce();
  await both.close();
  await caller.close();

  async function callOnce(): Promise<void> {
    const outcome = await caller.call(both.aor);
    assert(outcome.answered, outcome.answered ? "" : outcome.reason);
    lab.tell(`answered after ${outcome.seconds.toFixed(1)} s`);
    await both.talkingWith(caller.aor);
    await caller.hangUp();
    await both.idle();
  }
});
