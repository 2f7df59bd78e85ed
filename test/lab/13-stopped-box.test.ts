import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { ControlClient } from "../../src/cli/control-client.ts";
import { DOMAIN, labTest } from "./lab.ts";
import { registerEverywhere } from "./load.ts";
import { until } from "./until.ts";

const STOPPED_SECONDS = 10;
const TAKE_OVER_SECONDS = 6;
const PLAN = { boxes: 3, phones: 1, programs: ["sipp"] };

labTest("the owner of users is stopped for ten seconds while they register elsewhere: what waited in its sockets is answered with what is new", PLAN, async (lab) => {
  await lab.start();
  const [victim, other] = [lab.box(1), lab.box(2)];
  const users = await lab.subscribe(other, "user", 30);
  const { nodeId } = await victim.status();
  const owned: typeof users[number][] = [];
  for (const user of users) if ((await other.where(`${user.username}@${DOMAIN}`)).storageOwner.nodeId === nodeId) owned.push(user);
  assert(owned.length > 0, "none of 30 users belongs to the box");
  await lab.allCopies(30);

  // Opened before: the questions then wait beside what waits on the links, and none has to be accepted first.
  const control = await ControlClient.connect(victim.dataDirectory);
  victim.pause();
  const since = performance.now();
  const verdict = await until("the others count it out", TAKE_OVER_SECONDS, async () => {
    for (const box of [other, lab.box(3)]) assert.equal((await box.status()).boxes.serving, 2);
  }, since);
  await registerEverywhere(lab.phoneHost(1), [other], owned);
  await pause(Math.max(0, since + STOPPED_SECONDS * 1000 - performance.now()));

  const questions = owned.map((user) => control.ask<"registration-list">({ op: "registration-list", aor: `${user.username}@${DOMAIN}` }));
  await pause(200); // the questions are in the socket, and nobody reads
  victim.resume();
  const resumed = performance.now();
  const answers = await Promise.allSettled(questions);
  const seconds = (performance.now() - resumed) / 1000;
  control.close();
  for (const [index, answer] of answers.entries()) {
    if (answer.status === "rejected") continue; // refused is not wrong
    assert.equal(answer.value.registrations.length, 1, `${owned[index]?.username}: answered from what was true before`);
  }
  const answered = answers.filter(({ status }) => status === "fulfilled").length;
  const ring = await lab.oneRing(30, { since: resumed });
  lab.tell(`counted out after ${verdict.seconds.toFixed(1)} s; ${answered} of ${owned.length} questions that had waited answered, all with the new binding, within ${seconds.toFixed(2)} s; one ring again after ${ring.toFixed(1)} s`);
  assert(answered > 0, "every question was refused");
});
