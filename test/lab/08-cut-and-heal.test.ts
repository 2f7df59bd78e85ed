import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Box } from "./box.ts";
import { DOMAIN, type Lab, labTest } from "./lab.ts";
import { assertRegistered, FIRST_PORT, registerEverywhere } from "./load.ts";
import type { Host } from "./network.ts";
import { answerCalls, placeCalls, type SippUser } from "./phones/sipp.ts";
import { until } from "./until.ts";
import type { ConflictReport } from "../../src/peer/reports.ts";

/** All of it named in what is promised, seconds. */
const CUT_SECONDS = 60;
const RING_SECONDS = 30;
const EQUAL_SECONDS = 60;
const USERS = 200;
const CONTESTED = "contested";
const PLAN = { boxes: 5, phones: 2, programs: ["sipp"] };

labTest("the network is cut 3|2 for a minute: both halves register and call, and are one again after it; what was changed apart is shown", PLAN, async (lab) => {
  await lab.start();
  const [pair, others] = await neighboursAndOthers(lab);
  const users = await lab.subscribe(lab.box(1), "user", USERS);
  const halves = [
    { boxes: others, phones: lab.phoneHost(1), users: users.slice(0, 120) },
    { boxes: pair, phones: lab.phoneHost(2), users: users.slice(120) },
  ] as const;
  for (const half of halves) await registerEverywhere(half.phones, half.boxes, half.users);
  await lab.box(1).command("subscriber", "add", CONTESTED);
  await lab.allCopies(30);

  lab.network.partition(...halves.map(({ boxes, phones }) => [...boxes.map((box) => box.host), phones]));
  const cut = performance.now();
  for (const half of halves) {
    const seconds = await lab.oneRing(RING_SECONDS, { since: cut, boxes: half.boxes });
    const known = await until("the half knows its phones", RING_SECONDS, async () => {
      for (const box of half.boxes) await assertRegistered(box, half.users);
    }, cut);
    await callWithin(half.phones, half.boxes, half.users);
    await registerEverywhere(half.phones, half.boxes, half.users);
    await callWithin(half.phones, half.boxes, half.users);
    await changeContested(half.boxes);
    lab.tell(`the half with ${half.boxes.length} boxes was a ring ${seconds.toFixed(1)} s after the cut, knew its ${half.users.length} phones after ${known.seconds.toFixed(1)} s, registered them again, and 20 calls rang`);
  }
  await pause(Math.max(0, cut + CUT_SECONDS * 1000 - performance.now()));

  lab.network.heal();
  const healed = performance.now();
  const ring = await lab.oneRing(RING_SECONDS, { since: healed });
  const equal = await until("contents are equal", EQUAL_SECONDS, async () => {
    const [first, ...others] = await Promise.all(lab.boxes.map((box) => bindingsOf(box)));
    for (const other of others) assert.deepEqual(other, first);
  }, healed);
  const copies = await lab.allCopies(EQUAL_SECONDS, healed);
  await assertRegistered(lab.box(1), users);
  await conflictIsShownAndSettled(lab);
  lab.tell(`healed: one ring after ${ring.toFixed(1)} s, every box says the same after ${equal.seconds.toFixed(1)} s, every copy equal after ${copies.toFixed(1)} s`);
});

/**
 * Two boxes whose places on the ring are next to each other, and the rest. The hardest cut: of some users
 * all three copies are with the rest.
 */
async function neighboursAndOthers(lab: Lab): Promise<readonly [readonly Box[], readonly Box[]]> {
  const placed = await Promise.all(lab.boxes.map(async (box) => ({ box, nodeId: (await box.status()).nodeId })));
  const inRingOrder = placed.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)).map(({ box }) => box);
  return [inRingOrder.slice(0, 2), inRingOrder.slice(2)];
}

/** Ten calls through the half's last box to a phone at its first, none of which may fail. */
async function callWithin(phones: Host, boxes: readonly Box[], users: readonly SippUser[]): Promise<void> {
  const [callee, ...callers] = users.slice(0, 11);
  const box = boxes.at(-1);
  assert(callee !== undefined && box !== undefined);
  const answering = await answerCalls(phones, FIRST_PORT);
  const target = { domain: DOMAIN, box: box.address };
  const calls = placeCalls(phones, { ...target, callers, callee: callee.username, port: 5060, rate: 10, total: 10 });
  assert.deepEqual(await calls.finished(40), { begun: 10, succeeded: 10, failed: 0 }, calls.complaints());
  await answering.close();
}

/** The operator of each half gives the same subscriber another password, and a name that tells which half. */
async function changeContested(boxes: readonly Box[]): Promise<void> {
  await boxes[0]?.command("subscriber", "add", CONTESTED, "--replace", "--display-name", nameIn(boxes.length));
}
const nameIn = (boxes: number): string => `changed among ${boxes}`;

/** Both changes are there at every box that holds the subscriber, and whoever decides is obeyed by all. */
async function conflictIsShownAndSettled(lab: Lab): Promise<void> {
  const shownAt = async (box: Box): Promise<readonly ConflictReport[]> => JSON.parse(await box.command("conflicts", "--json"));
  await until("the conflict is shown at every box", EQUAL_SECONDS, async () => {
    for (const box of lab.boxes) {
      const [conflict, ...others] = await shownAt(box);
      assert.deepEqual([conflict?.username, others.length], [CONTESTED, 0]);
      assert.deepEqual(conflict?.versions.map(({ displayName }) => displayName).sort(), [nameIn(2), nameIn(3)]);
    }
  });
  await lab.box(2).command("conflicts", "resolve", CONTESTED, "--keep", "2");
  await until("it is settled at every box", EQUAL_SECONDS, async () => {
    for (const box of lab.boxes) assert.deepEqual(await shownAt(box), []);
  });
}

/** Every binding that a box tells, in an order of its own. */
async function bindingsOf(box: Box): Promise<readonly string[]> {
  const registrations = await box.registrations();
  return registrations
    .flatMap(({ aor, bindings }) => bindings.map(({ contact, flowOwner, expiresAt }) => `${aor} ${contact} ${flowOwner.nodeId} ${expiresAt}`))
    .sort();
}
