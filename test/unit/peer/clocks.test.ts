import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld, register } from "../../support/open-boxes.ts";
import { WORLD_START } from "../../support/world.ts";

test("a phone that registers at a box whose clock is in 1970 is seen by the others", () => {
  const { world, replies, sent } = openWorld();
  const [good, old] = [world.addBox(), world.addBox()];
  good.mayStandAlone = true;
  old.wallOffset = -WORLD_START;
  world.start(good);
  world.run(5_000);
  world.start(old, [good.overlay]);
  world.run(10_000);
  register(world, old);
  world.run(2_000);
  assert.match(sent.at(-1) ?? "", /^SIP\/2\.0 200 /);
  world.input(good, { type: "control", ticket: 1, request: { op: "registration-list", aor: "alice@fleet.example" } });
  world.run(2_000);
  const [reply] = replies as { readonly registrations?: readonly { readonly bindings: readonly { readonly expiresAt: number }[] }[] }[];
  const expiresAt = reply?.registrations?.[0]?.bindings[0]?.expiresAt ?? 0;
  const left = expiresAt - world.trueTime();
  // The ring has it for twice as long as the phone was promised.
  assert.ok(left > 1_100_000 && left <= 1_200_000, `${left} ms are left, as the other box sees it`);
});
