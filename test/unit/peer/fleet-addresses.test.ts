import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld, register } from "../../support/open-boxes.ts";

test("a phone set up with the address of a dead box registers at the other one, also after that one's restart", () => {
  const { world, sent } = openWorld();
  const [left, dead] = [world.addBox(), world.addBox()];
  world.start(left);
  world.run(5_000);
  world.start(dead, [left.overlay]);
  world.run(10_000);
  world.cutPower(dead);
  world.run(10_000);
  world.kill(left);
  world.run(1_000);
  world.start(left);
  world.run(10_000);
  register(world, left, `${dead.sip.host}:${dead.sip.port}`);
  world.run(2_000);
  assert.match(sent.at(-1) ?? "nothing", /^SIP\/2\.0 200 /);
});
