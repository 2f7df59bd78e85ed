import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld, register } from "../../support/open-boxes.ts";

test("whoever asked a box to leave is answered before its last word, that it has left, and nothing comes after that", () => {
  const { world } = openWorld();
  const told: string[] = [];
  world.observers.push({
    effect(_, effect) {
      if (effect.type === "replied" || effect.type === "phase-changed" || effect.type === "send") {
        told.push(effect.type === "phase-changed" ? effect.phase : effect.type);
      }
    },
  });
  const box = world.addBox();
  world.start(box);
  world.run(5_000);
  told.length = 0;
  register(world, box);
  world.input(box, { type: "control", ticket: 1, request: { op: "leave" } });
  world.run(5_000);
  assert.deepEqual(told.slice(-2), ["replied", "left"]);
});
