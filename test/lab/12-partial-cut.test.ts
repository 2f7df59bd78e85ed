import assert from "node:assert/strict";
import type { Box } from "./box.ts";
import { DOMAIN, labTest } from "./lab.ts";

/** How long the two boxes do not reach each other, seconds; in the first ten they may disagree. */
const CUT_SECONDS = 40;
const DISAGREEMENT_SECONDS = 10;
const MEND_SECONDS = 30;
const PLAN = { boxes: 3, programs: ["nft"] };

labTest("two of three boxes reach each other only through the third: all name one owner for each key, and write and read at any of them", PLAN, async (lab) => {
  await lab.start();
  const users = await lab.subscribe(lab.box(1), "user", 12);
  const aors = users.map(({ username }) => `${username}@${DOMAIN}`);
  await lab.allCopies(30);
  const [a, b] = [lab.box(1), lab.box(2)];
  drop(a, b);
  drop(b, a);
  const since = performance.now();
  const elapsed = (): number => (performance.now() - since) / 1000;
  let looks = 0;
  let written = 0;
  let disagreedLast = 0;
  while (elapsed() < CUT_SECONDS) {
    for (const aor of aors.slice(0, 4)) {
      const at = elapsed();
      const owners = await Promise.all(lab.boxes.map(async (box) => (await box.where(aor)).storageOwner.nodeId));
      looks++;
      if (new Set(owners).size > 1) disagreedLast = at;
    }
    if (elapsed() < DISAGREEMENT_SECONDS) continue;
    const writer = lab.box(1 + (written % 3));
    await lab.subscribe(writer, `cut${written++}x`, 1);
  }
  assert(disagreedLast <= DISAGREEMENT_SECONDS, `boxes named different owners ${disagreedLast.toFixed(1)} s after the cut`);
  for (const box of lab.boxes) {
    const known = await box.usernames();
    for (let i = 0; i < written; i++) assert(known.includes(`cut${i}x0`), `${box.name} does not know the subscriber written as number ${i}`);
    assert.equal((await box.status()).boxes.serving, 3, `${box.name} counts everybody`);
  }
  lab.tell(`${looks} looks in ${CUT_SECONDS} s, last disagreement after ${disagreedLast.toFixed(1)} s; ${written} subscribers written at all three in turn, known at all three`);
  for (const box of [a, b]) assert.equal(box.host.run(["nft", "delete", "table", "ip", "cut"]).status, 0);
  const mended = await lab.allCopies(MEND_SECONDS);
  lab.tell(`mended: every copy equal after ${mended.toFixed(1)} s`);
});

/** Nothing from one box reaches the other: its packets are dropped on arrival. */
function drop(from: Box, to: Box): void {
  const done = to.host.run(["nft", `add table ip cut; add chain ip cut in { type filter hook input priority 0; }; add rule ip cut in ip saddr ${from.address} drop`]);
  assert.equal(done.status, 0, done.stderr);
}
