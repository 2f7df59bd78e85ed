// A data directory was copied: two boxes run with one identity.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ControlReply } from "../../../src/peer/control.ts";
import type { StatusReport } from "../../../src/peer/reports.ts";
import { openWorld } from "../../support/open-boxes.ts";
import type { Box } from "../../support/world.ts";

const SUBSCRIBER = { username: "100", realm: "fleet.example", displayName: "", ha1Md5: "0".repeat(32), ha1Sha256: "0".repeat(64) };

function ringOfThree(seed: number) {
  const { world } = openWorld(seed);
  const replies = new Map<number, ControlReply>();
  world.observers.push({
    effect(_, effect) {
      if (effect.type === "replied") replies.set(effect.ticket, effect.reply as ControlReply);
    },
  });
  let last = 0;
  const ask = (box: Box, request: object): ControlReply | undefined => {
    world.input(box, { type: "control", ticket: ++last, request });
    world.run(500);
    return replies.get(last);
  };
  const status = (box: Box): StatusReport => {
    const reply = ask(box, { op: "status" });
    assert.ok(reply?.ok === true && reply.op === "status");
    return reply.status;
  };
  const codes = (box: Box): readonly string[] => status(box).conditions.map(({ code }) => code);
  const add = (box: Box): ControlReply | undefined => ask(box, { op: "subscriber-add", subscriber: SUBSCRIBER, existing: "replace" });
  const boxes = [world.addBox(), world.addBox(), world.addBox()] as const;
  for (const box of boxes) {
    world.start(box, box === boxes[0] ? [] : [boxes[0].overlay]);
    world.run(4_000);
  }
  /** What a copy of the directory makes: the same identity and members, at another place. */
  const cloneOf = (box: Box): Box => {
    const clone = world.addBox();
    clone.nodeId = box.nodeId;
    clone.incarnation = box.incarnation;
    clone.members = box.members;
    clone.mayStandAlone = true;
    return clone;
  };
  return { world, boxes, codes, add, cloneOf, status };
}

suite("two boxes with one identity", () => {
  test("are found within ten seconds, take no durable writes, and all boxes say so", () => {
    for (let seed = 1; seed <= 27; seed++) {
      const { world, boxes, codes, add, cloneOf } = ringOfThree(seed);
      const original = boxes[seed % 3] as Box;
      const others = boxes.filter((box) => box !== original);
      const clone = cloneOf(original);
      clone.incarnation += (Math.floor(seed / 3) % 3) - 1; // started more often than the other, as often, or less often
      world.start(clone);
      const began = world.now;
      let said = false;
      while (!said && world.now < began + 10_000) {
        world.run(250);
        said = [original, clone].every((box) => codes(box).includes("identity-double")) &&
          others.every((box) => codes(box).includes("identity-double-elsewhere"));
      }
      assert.ok(said, `seed ${seed}: ${[original, clone, ...others].map((box) => codes(box).join()).join(" | ")}`);
      for (const box of [original, clone]) {
        const reply = add(box);
        assert.ok(reply?.ok === false && /uses this box's identity/.test(reply.text), `seed ${seed}: ${JSON.stringify(reply)}`);
      }
      assert.equal(add(others[0] as Box)?.ok, true, `seed ${seed}: the others go on`);
      world.run(60_000);
      for (const box of [original, clone]) assert.ok(codes(box).includes("identity-double"), `seed ${seed}: later too`);
    }
  });

  test("are one box again a while after one of them has stopped", () => {
    // At 468 and 475 a link that was closed with the other one's last word crossed a new one, and nobody said any more who he is.
    for (const seed of [...Array.from({ length: 40 }, (_, index) => index + 1), 468, 475]) {
      const { world, boxes, codes, add, cloneOf, status } = ringOfThree(seed);
      const clone = cloneOf(boxes[2]);
      world.start(clone, [boxes[seed % 2 === 0 ? 0 : 1].overlay]);
      world.run(500 + (seed * 977) % 20_000);
      world.kill(clone);
      world.run(90_000);
      for (const box of boxes) {
        assert.equal(status(box).boxes.serving, 3, `seed ${seed}, ${box.name}`);
        assert.deepEqual(codes(box).filter((code) => code.startsWith("identity")), [], `seed ${seed}, ${box.name}`);
      }
      assert.equal(add(boxes[2])?.ok, true, `seed ${seed}`);
    }
  });

  test("a box that is restarted again and again, in whatever way, is one", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { world, boxes, codes } = ringOfThree(seed);
      for (let i = 0; i < 12; i++) {
        if (i % 2 === 0) world.kill(boxes[2]);
        else world.cutPower(boxes[2]);
        world.run((seed * 137 + i * 411) % 3_000);
        world.start(boxes[2]);
        world.run((seed * 311 + i * 97) % 6_000);
        for (const box of boxes) assert.deepEqual(codes(box).filter((code) => code.startsWith("identity")), [], `seed ${seed}, start ${i}`);
      }
    }
  });
});
