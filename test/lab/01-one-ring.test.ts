import assert from "node:assert/strict";
import type { WhereReport } from "../../src/peer/reports.ts";
import { DOMAIN, labTest } from "./lab.ts";

/** From the start of the boxes to one ring. */
const RING_SECONDS = 10;

labTest("five boxes started from one ticket on one LAN are one ring in 10 seconds and answer alike", { boxes: 5 }, async (lab) => {
  const seconds = await lab.start();
  assert(seconds <= RING_SECONDS, `one ring only after ${seconds.toFixed(1)} s`);
  assert.equal(new Set((await Promise.all(lab.boxes.map((box) => box.status()))).map((report) => report.nodeId)).size, 5);

  const users = await lab.subscribe(lab.box(2), "user", 20);
  for (const { username } of users) {
    const aor = `${username}@${DOMAIN}`;
    const answers: WhereReport[] = [];
    for (const box of lab.boxes) answers.push(JSON.parse(await box.command("where", aor, "--json")));
    for (const answer of answers) assert.deepEqual(answer, answers[0], "every box says the same");
    assert.equal(answers[0]?.subscriber, true);
    assert.equal(answers[0]?.replicas.length, 3);
  }
  const owners = new Set<string>();
  for (const { username } of users) owners.add((await lab.box(1).where(`${username}@${DOMAIN}`)).storageOwner.nodeId);
  lab.tell(`20 subscribers lie with ${owners.size} owners`);
  assert(owners.size > 1, "they are spread");
});
