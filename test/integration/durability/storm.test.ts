// "Acknowledged" held against what the boxes have after the storm.

import { suite, test } from "node:test";
import { skipWithoutBox } from "../../support/built-ring.ts";
import { Storm } from "../../support/durability/storm.ts";

/** How many times over; `npm run soak` has more. */
const ROUNDS = Number(process.env["RINGBOX_STORMS"] ?? 1);
const SEED = Number(process.env["RINGBOX_SEED"] ?? 1);

suite("nothing that was acknowledged is lost", { skip: skipWithoutBox, timeout: 7_200_000 }, () => {
  test("when boxes die by kill -9 while clients write: one, two neighbors, all at once", async (t) => {
    const storm = await Storm.begin(t, 4, SEED);
    storm.write(4, 12);
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 3; i++) await storm.killAny();
      for (let i = 0; i < 2; i++) await storm.killNeighbors();
      for (let i = 0; i < 2; i++) await storm.killAll();
    }
    await storm.judge();
  });

  test("when the owner dies in the moment of its acknowledgement, its disk with it every second time, and two neighbors with their disks when there are three copies", async (t) => {
    const storm = await Storm.begin(t, 4, SEED + 1);
    await storm.add(30);
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 3; i++) {
        await storm.killOwnerAtAnswer("kept");
        await storm.copied();
        await storm.killOwnerAtAnswer("lost");
        await storm.copied();
      }
      await storm.killNeighbors("lost");
      await storm.copied();
    }
    await storm.judge();
  });
});
