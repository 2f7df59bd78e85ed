// What the boxes of a ring know together about tickets and codes.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { hours } from "../../../src/base/time.ts";
import type { AdmissionAnswer, AdmissionRequest } from "../../../src/peer/admission-office.ts";
import type { ControlReply } from "../../../src/peer/control.ts";
import { openWorld } from "../../support/open-boxes.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import type { Box, World } from "../../support/world.ts";

/** A ring of so many boxes, and a way to ask the office of any. */
function ring(seed: number, size: number) {
  const { world } = openWorld(seed);
  const answers = new Map<number, (answer: AdmissionAnswer) => void>();
  const replies = new Map<number, ControlReply>();
  let last = 0;
  world.observers.push({
    effect(_, effect) {
      if (effect.type === "admission-answered") answers.get(effect.ticket)?.(effect.answer as AdmissionAnswer);
      if (effect.type === "replied") replies.set(effect.ticket, effect.reply as ControlReply);
    },
  });
  const boxes: Box[] = [];
  for (let i = 0; i < size; i++) {
    const box = world.addBox();
    boxes.push(box);
    world.start(box, boxes.slice(0, 1).map(({ overlay }) => overlay));
    world.run(i === 0 ? 5_000 : 2_000);
  }
  world.run(10_000);
  for (const box of boxes) assert.equal(box.life?.phase, "serving");
  const ask = (box: Box, request: AdmissionRequest, then: (answer: AdmissionAnswer) => void): void => {
    answers.set(++last, then);
    world.input(box, { type: "admission", ticket: last, request });
  };
  const admit = (box: Box, code: string): ControlReply | undefined => {
    const ticket = ++last;
    world.input(box, { type: "control", ticket, request: { op: "admit", code } });
    world.run(2_000);
    return replies.get(ticket);
  };
  return { world, boxes, ask, admit };
}

const use = (applicant: string, uses: number): AdmissionRequest => ({ op: "use", name: "serial", uses, applicant, remember: hours(24) });

/** Boxes with copies of one ticket that ask members by chance, and again as the enrollment has it; who was admitted. */
function crowd({ world, boxes, ask }: ReturnType<typeof ring>, seed: number, applicants: number, uses: number) {
  const random = new SeededRandom(seed, "applicants");
  const outcomes = new Map<string, AdmissionAnswer["outcome"]>();
  const come = (applicant: string): void => {
    const living = boxes.filter(({ life }) => life !== undefined);
    let answered = false;
    const again = (delay: number): void => world.queue.after(delay, () => come(applicant));
    ask(living[random.below(living.length)] as Box, use(applicant, uses), ({ outcome }) => {
      answered = true;
      if (outcome === "unknown") return again(500 + random.below(2_000));
      outcomes.set(applicant, outcome);
    });
    world.queue.after(8_000, () => {
      if (!answered) again(0);
    });
  };
  for (let i = 0; i < applicants; i++) world.queue.after(random.below(40), () => come(`${i}`.padStart(4, "0")));
  return outcomes;
}

const admittedOf = (outcomes: ReadonlyMap<string, string>): number => [...outcomes.values()].filter((outcome) => outcome === "allowed").length;

function settle(world: World, outcomes: ReadonlyMap<string, string>, applicants: number): void {
  for (let i = 0; i < 60 && outcomes.size < applicants; i++) world.run(2_000);
  assert.equal(outcomes.size, applicants, "somebody was neither admitted nor refused");
}

suite("the admission office", () => {
  test("lets exactly as many boxes use a ticket as it is for, at whichever members and however close together they ask", () => {
    for (let seed = 1; seed <= 12; seed++) {
      const uses = 1 + (seed % 3);
      const parts = ring(seed, 4);
      const outcomes = crowd(parts, seed, 8, uses);
      settle(parts.world, outcomes, 8);
      assert.equal(admittedOf(outcomes), uses, `seed ${seed}`);
    }
  });

  test("counts no less when a box dies among them", () => {
    for (let seed = 1; seed <= 8; seed++) {
      const parts = ring(seed, 4);
      const outcomes = crowd(parts, seed, 8, 2);
      parts.world.queue.after(3 + seed * 6, () => parts.world.kill(parts.boxes[seed % 4] as Box));
      settle(parts.world, outcomes, 8);
      const admitted = admittedOf(outcomes);
      // A use whose member died before it could say so counts: at most one.
      assert.ok(admitted === 2 || admitted === 1, `seed ${seed}: ${admitted}`);
    }
  });

  test("knows a use after all boxes have lost their power, and the one who has it may use it again", () => {
    const { world, boxes, ask } = ring(3, 3);
    const outcomes: string[] = [];
    const asked = (applicant: string): void => {
      ask(boxes[0] as Box, use(applicant, 1), ({ outcome }) => outcomes.push(outcome));
      world.run(3_000);
    };
    asked("aa");
    for (const box of boxes) world.cutPower(box);
    world.run(1_000);
    for (const box of boxes) world.start(box);
    world.run(20_000);
    asked("bb");
    asked("aa");
    assert.deepEqual(outcomes, ["allowed", "used-up", "allowed"]);
  });

  test("in a cut ring lets each part count for itself, and no more once they have met", () => {
    const { world, boxes, ask } = ring(4, 4);
    const outcomes: string[] = [];
    const asked = (box: Box | undefined, applicant: string): void => {
      ask(box as Box, use(applicant, 1), ({ outcome }) => outcomes.push(outcome));
      world.run(10_000);
    };
    world.network.partition(boxes.map((_, place) => (place < 2 ? 0 : 1)));
    world.run(30_000);
    asked(boxes[0], "aa");
    asked(boxes[3], "bb");
    world.network.heal();
    world.run(120_000);
    asked(boxes[1], "cc");
    assert.deepEqual(outcomes, ["allowed", "allowed", "used-up"]);
  });

  test("keeps a code that was typed at one member for the box that shows it at another, once", () => {
    const { world, boxes, ask, admit } = ring(5, 3);
    const [first, second, third] = boxes as [Box, Box, Box];
    assert.deepEqual(admit(first, "ABCDEFGH"), { ok: true, op: "admit", nodeId: null });
    const codes: (readonly string[])[] = [];
    const look = (): void => {
      ask(second, { op: "codes" }, (answer) => codes.push(answer.outcome === "codes" ? answer.codes : []));
      world.run(2_000);
    };
    look();
    ask(second, { op: "admitted", code: "ABCDEFGH", nodeId: third.nodeId }, () => {});
    world.run(2_000);
    look();
    assert.deepEqual(codes, [["ABCDEFGH"], []]);
    assert.deepEqual(admit(first, "ABCDEFGH"), { ok: true, op: "admit", nodeId: third.nodeId });
  });

  test("forgets a code after ten minutes, and takes five new ones a minute", () => {
    const { world, boxes, ask, admit } = ring(6, 2);
    const [first] = boxes as [Box];
    for (let i = 0; i < 5; i++) assert.equal(admit(first, `CODE000${i}`)?.ok, true);
    const refused = admit(first, "CODE0009");
    assert.ok(refused?.ok === false && /wait a moment/.test(refused.text));
    assert.equal(admit(first, "CODE0001")?.ok, true, "to ask again is no try");
    world.run(60_000);
    assert.equal(admit(first, "CODE0009")?.ok, true);
    world.run(600_000);
    let codes: readonly string[] | undefined;
    ask(first, { op: "codes" }, (answer) => (codes = answer.outcome === "codes" ? answer.codes : undefined));
    world.run(2_000);
    assert.deepEqual(codes, []);
  });
});
