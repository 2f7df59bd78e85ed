import assert from "node:assert/strict";
import { test } from "node:test";
import { hours } from "../../../src/base/time.ts";
import { DURABLE, OverlayWorld, resourceOf, type WorldBox } from "../../support/overlay-world.ts";

const DAY = 24 * 3_600_000;
const NAMES = ["alice", "bob", "carol", "dave"].map(resourceOf);

/** A ring of four of which one has died; meanwhile the others delete a value, and remember that no more. */
function ringThatForgot(seed: number): { readonly world: OverlayWorld; readonly away: WorldBox } {
  const world = OverlayWorld.ring(4, seed);
  for (const name of NAMES) assert.ok(world.storeNow(world.boxes[0] as WorldBox, name, DURABLE, "", "here", hours(100_000)).ok);
  world.run(60_000);
  const away = world.boxes.find(({ core }) => core.held(NAMES[0] as never).length > 0) as WorldBox;
  world.kill(away);
  world.run(10_000);
  const other = world.boxes.find((box) => box !== away) as WorldBox;
  assert.ok(world.storeNow(other, NAMES[0] as never, DURABLE, "", undefined, hours(1 / 60)).ok);
  world.run(120_000);
  assert.ok(world.boxes.every((box) => box === away || box.core.held(NAMES[0] as never).length === 0));
  return { world, away };
}

const whole = (world: OverlayWorld): boolean =>
  world.boxes.every(({ core }) => core.phase === "serving" && core.snapshot().members.filter(({ state }) => state === "serving").length === 3);
const age = (box: WorldBox): number => box.seen("ring-age").at(-1)?.age ?? 0;

/** The others have lived on for so long. */
function letLive(world: OverlayWorld, away: WorldBox, days: number): void {
  for (const box of world.boxes.filter((one) => one !== away)) {
    world.kill(box);
    world.run(4_000);
    world.restart(box, { ringAge: age(box) + days * DAY });
    world.run(20_000);
  }
}

for (const alone of [false, true]) {
  test(`a box that was away for longer than deletions are remembered begins anew, ${alone ? "also when it stood alone before it met the ring" : "and gets its share"}`, () => {
    const { world, away } = ringThatForgot(alone ? 82 : 81);
    letLive(world, away, 30);
    world.cut = alone ? (a, b) => (a.id === away.id) !== (b.id === away.id) : () => false;
    const back = world.restart(away, alone ? { hints: [] } : {});
    if (alone) {
      world.run(20_000);
      assert.equal(back.core.phase, "serving");
      assert.ok(back.core.snapshot().held > 0);
      world.heal();
    }
    assert.ok(world.until(() => whole(world), 60_000));
    world.run(60_000);
    assert.equal(back.seen("set-aside").length, 1);
    for (const box of world.boxes) {
      assert.deepEqual(world.fetchNow(box, NAMES[0] as never, DURABLE), {});
      for (const name of NAMES.slice(1)) assert.deepEqual(world.fetchNow(box, name, DURABLE), { "": "here" });
    }
    assert.ok(age(back) > 29 * DAY);
    assert.ok(back.core.snapshot().held > 0);
  });
}

test("a box that was away for less, or with all others, brings back what it has", () => {
  const world = OverlayWorld.ring(4, 83);
  for (const name of NAMES) assert.ok(world.storeNow(world.boxes[0] as WorldBox, name, DURABLE, "", "here", hours(100_000)).ok);
  world.run(60_000);
  const all = [...world.boxes];
  for (const box of all) world.kill(box);
  world.run(90 * DAY);
  for (const box of all) world.restart(box);
  assert.ok(world.until(() => whole(world), 60_000));
  for (const box of world.boxes) {
    assert.equal(box.seen("set-aside").length, 0);
    for (const name of NAMES) assert.deepEqual(world.fetchNow(box, name, DURABLE), { "": "here" });
  }
});
