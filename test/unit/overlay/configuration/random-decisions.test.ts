// Decisions in bad weather: documents and revocations at random boxes while boxes are killed, started and cut off.
// In the end everybody who lives goes by the same, and nobody counts a revoked box as a member.

import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../../src/base/bytes.ts";
import { documentWith, revoking, rulesWith } from "../../../support/fleet-rules.ts";
import { OverlayWorld, SeededRandom, type WorldBox } from "../../../support/overlay-world.ts";

const SEEDS = Number(process.env["RINGBOX_DECISIONS"] ?? 5);
const STEPS = 14;
const BOXES = 6;

/** What a box goes by, in one line. */
const standing = (box: WorldBox): string => {
  const { document, revoked } = box.core.snapshot().rules;
  return `${document === undefined ? "" : toHex(document).length} ${document?.join()} ${revoked.map(({ nodeId }) => nodeId).join()}`;
};

function play(seed: number): void {
  const world = OverlayWorld.ring(BOXES, seed, { rules: rulesWith() });
  const random = new SeededRandom(seed * 7_919);
  const targets = new Set<string>();
  /** Most boxes have said that they know. What a box decides cut off from the others dies with it, if it is revoked itself before it is heard. */
  const heard = new Set<string>();
  let newest = 1;
  const honest = (): WorldBox[] => world.boxes.filter(({ alive, id }) => alive && !targets.has(id));
  for (let step = 0; step < STEPS; step++) {
    const living = honest();
    const box = living[random.below(living.length)] as WorldBox;
    const choice = random.below(6);
    if (choice === 0) {
      newest = box.core.snapshot().rules.sequence + 1;
      world.give(box, { type: "configure", ticket: 1_000_000 + step, document: documentWith({ sequence: newest, refusedTickets: [`${seed} ${step}`] }) });
    } else if (choice === 1 && living.length > 3) {
      const target = world.boxes[random.below(BOXES)] as WorldBox;
      if (target !== box) {
        targets.add(target.id);
        const outcome = world.decideNow(box, revoking(box, target.id));
        assert.ok(outcome.ok);
        if (outcome.told + 1 > BOXES / 2) heard.add(target.id);
      }
    } else if (choice === 2 && living.length > 3) world.kill(box);
    else if (choice === 3) for (const dead of world.boxes.filter(({ alive }) => !alive)) world.restart(dead);
    else if (choice === 4) world.partition(world.boxes.slice(0, 1 + random.below(BOXES - 1)));
    else world.heal();
    world.run(200 + random.below(8_000));
  }
  world.heal();
  for (const dead of world.boxes.filter(({ alive }) => !alive)) world.restart(dead);
  world.run(150_000);
  const revoked = new Set<string>(honest()[0]?.core.snapshot().rules.revoked.map(({ nodeId }) => nodeId));
  assert.ok([...heard].every((id) => revoked.has(id)) && [...revoked].every((id) => targets.has(id)), `seed ${seed}`);
  const rest = world.boxes.filter(({ id }) => !revoked.has(id));
  assert.equal(new Set(rest.map(standing)).size, 1, `seed ${seed}: ${rest.map((box) => box.core.snapshot().rules.sequence).join()}`);
  for (const box of rest) {
    const { members } = box.core.snapshot();
    assert.ok(members.every(({ info }) => !revoked.has(info.nodeId)), `seed ${seed}: a revoked member`);
    assert.equal(members.filter(({ state }) => state === "serving").length, rest.length - 1, `seed ${seed}: one ring`);
  }
}

test(`${SEEDS} random histories of ${BOXES} boxes end with everybody of one mind`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    play(seed);
    // The long form takes minutes, and would look as if it hung.
    if (seed % 50 === 0) console.log(`${seed} of ${SEEDS} histories`);
  }
});
