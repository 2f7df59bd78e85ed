import assert from "node:assert/strict";
import { account, DOMAIN, type Lab, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Linphone } from "./phones/linphone.ts";
import type { Phone } from "./phones/phone.ts";
import { answerCalls, placeCalls, registerUsers } from "./phones/sipp.ts";
import { sipsakOptions, sipsakRegister } from "./phones/sipsak.ts";

const PLAN = { boxes: 5, phones: 4, programs: ["baresip", "linphonec", "sipp", "sipsak"] };

labTest("phones of two makers call each other through the boxes they know, and SIPp calls through a third", PLAN, async (lab) => {
  await lab.start();
  const [alice, bob, carol, dave, erin] = await lab.subscribe(lab.box(1), "user", 5);
  assert(alice !== undefined && bob !== undefined && carol !== undefined && dave !== undefined && erin !== undefined);
  const baresip = await Baresip.start(lab.phoneHost(1), account(alice, lab.box(1)));
  const linphone = new Linphone(lab.phoneHost(2), account(bob, lab.box(2)));
  await baresip.register();
  await linphone.register();

  await callAndHangUp(lab, baresip, linphone);
  await callAndHangUp(lab, linphone, baresip);

  const target = { domain: DOMAIN, box: lab.box(4).address };
  const registered = await registerUsers(lab.phoneHost(4), { ...target, users: [dave], port: 5060, rate: 1, total: 1 }).finished(40);
  assert.deepEqual(registered, { begun: 1, succeeded: 1, failed: 0 });
  await answerCalls(lab.phoneHost(4), 5060);
  const calls = placeCalls(lab.phoneHost(3), {
    domain: DOMAIN,
    box: lab.box(3).address,
    callers: [carol],
    callee: dave.username,
    port: 5060,
    rate: 20,
    total: 100,
  });
  assert.deepEqual(await calls.finished(90), { begun: 100, succeeded: 100, failed: 0 }, calls.complaints());
  lab.tell("100 calls through box 3 to a phone at box 4, none failed");

  for (const box of lab.boxes) {
    const alive = sipsakOptions(lab.phoneHost(3), box.address);
    assert(alive.succeeded, alive.said);
  }
  const terse = sipsakRegister(lab.phoneHost(3), account(erin, lab.box(5)));
  assert(terse.succeeded, terse.said);
  lab.tell("sipsak registered at box 5");

  await baresip.close();
  await linphone.close();
});

/** Both sides must say that they talked, and that it ended. */
async function callAndHangUp(lab: Lab, caller: Phone, callee: Phone): Promise<void> {
  const outcome = await caller.call(callee.aor);
  assert(outcome.answered, outcome.answered ? "" : `${caller.aor} to ${callee.aor}: ${outcome.reason}`);
  await callee.talkingWith(usernameOf(caller));
  await caller.talkingWith(usernameOf(callee));
  await caller.hangUp();
  await callee.idle();
  lab.tell(`${caller.constructor.name} reached ${callee.constructor.name} in ${outcome.seconds.toFixed(1)} s`);
}

const usernameOf = (phone: Phone): string => phone.aor.slice(0, phone.aor.indexOf("@"));
