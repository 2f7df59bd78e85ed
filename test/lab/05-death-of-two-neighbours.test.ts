import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Box } from "./box.ts";
import { labTest, type Lab } from "./lab.ts";
import { assertRegistered, assertSubscribed, registerEverywhere } from "./load.ts";

const USERS = 500;
/** From the last write to the deaths, seconds: part of what is promised. */
const AFTER_LAST_WRITE = 5;
const PLAN = { boxes: 5, phones: 1, programs: ["sipp"] };

labTest("two neighbours on the ring are killed at once, 5 seconds after the last write: nothing acknowledged is lost", PLAN, async (lab) => {
  await lab.start();
  const victims = await twoNeighbours(lab);
  const living = lab.boxes.filter((box) => !victims.includes(box));
  const [first] = living;
  assert(first !== undefined);
  const users = await lab.subscribe(first, "user", USERS);
  // At all boxes: what a box acknowledged before it died is not lost either.
  await registerEverywhere(lab.phoneHost(1), lab.boxes, users);

  await pause(AFTER_LAST_WRITE * 1000);
  await Promise.all(victims.map((box) => box.kill()));
  const since = performance.now();

  const ring = await lab.oneRing(30, { since });
  for (const box of living) {
    await assertSubscribed(box, users);
    await assertRegistered(box, users);
  }
  const settled = await lab.allCopies(60, since);
  lab.tell(`${victims.map((box) => box.name).join(" and ")} killed: a ring of three after ${ring.toFixed(1)} s, three equal copies after ${settled.toFixed(1)} s, ${USERS} subscribers and registrations there`);
});

/** Two boxes whose places on the ring are next to each other. */
async function twoNeighbours(lab: Lab): Promise<readonly Box[]> {
  const placed = await Promise.all(lab.boxes.map(async (box) => ({ box, nodeId: (await box.status()).nodeId })));
  const inRingOrder = placed.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  return inRingOrder.slice(1, 3).map(({ box }) => box);
}
