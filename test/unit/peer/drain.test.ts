// A box that is being emptied: what it takes, what it refuses, and that it comes back by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { minutes } from "../../../src/base/time.ts";
import { openWorld, register, startRing } from "../../support/open-boxes.ts";

const statuses = (sent: string[]): string[] => sent.splice(0).map((octets) => octets.slice(8, 11));

test("a drained box sends registrations elsewhere, until it is told otherwise or a quarter of an hour has passed", () => {
  const { world, sent, replies } = openWorld();
  const [box] = startRing(world, 2);
  const tell = (on: boolean): void => {
    world.input(box, { type: "control", ticket: 1, request: { op: "drain", on } });
    world.run(100);
  };
  const answer = (): string | undefined => {
    sent.length = 0;
    register(world, box);
    world.run(2_000);
    return statuses(sent).at(-1);
  };
  tell(true);
  assert.deepEqual(replies.at(-1), { ok: true, op: "drain", on: true, underWay: 0, phones: 0 });
  assert.equal(answer(), "503");
  tell(false);
  assert.equal(answer(), "200");
  tell(true);
  world.run(minutes(15));
  assert.equal(answer(), "200");
});
