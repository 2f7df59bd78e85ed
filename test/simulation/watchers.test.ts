// Busy lamps in a ring whose boxes die and come back: whichever box dies, the lamp follows within five seconds, or, if
// the box falls silent and has to be missed first, within nine; and it never goes back in version or CSeq.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openWorld, startRing } from "../support/open-boxes.ts";
import { statusOf } from "../support/sip-text.ts";
import { SimulatedCrypto, simulatedCertificate } from "../support/simulated-crypto.ts";
import type { Box, World } from "../support/world.ts";
import { Lamp } from "./lamp.ts";
import { Phone } from "./phone.ts";

const DOMAIN = "fleet.example";
/** The process is killed, and its links are closed; or the power fails, and nobody says so. */
const ENDINGS = [
  { name: "are killed", promisedMs: 5_000, end: (world: World, box: Box) => world.kill(box) },
  { name: "lose their power", promisedMs: 9_000, end: (world: World, box: Box) => world.cutPower(box) },
] as const;
type Ending = (typeof ENDINGS)[number];
/** Longer than the lamp may take. */
const TALK_MS = 20_000;
const ROUNDS = 12;
const SEEDS = Array.from({ length: Number(process.env["RINGBOX_LAMP_SEEDS"] ?? 6) }, (_, index) => index + 1);

interface Office {
  readonly world: World;
  readonly boxes: readonly Box[];
  readonly lamp: Lamp;
  readonly alice: Phone;
  readonly bob: Phone;
  /** Names of the boxes that died, in order. */
  readonly deaths: string[];
}

function office(seed: number): Office {
  const { world } = openWorld(seed);
  const boxes = startRing(world, 5);
  world.network.settings.loss = 0.02;
  const [first, second] = boxes;
  assert.ok(second !== undefined);
  const crypto = new SimulatedCrypto(simulatedCertificate(first.nodeId));
  const phone = (user: string, number: number): Phone =>
    new Phone(world, crypto, { user, domain: DOMAIN, password: "" }, 900 + number, { host: `10.9.0.${number}`, port: 5060 });
  const [alice, bob] = [phone("alice", 1), phone("bob", 2)];
  const lamp = new Lamp(world, 903, { host: "10.9.0.3", port: 5060 }, `bob@${DOMAIN}`);
  bob.register(second.sip, 7_200, (response) => assert.ok(response !== undefined && statusOf(response) === 200));
  world.run(35_000);
  lamp.subscribe(first.sip);
  world.run(5_000);
  assert.ok(lamp.isSubscribed);
  return { world, boxes, lamp, alice, bob, deaths: [] };
}

const living = ({ boxes }: Office): readonly Box[] => boxes.filter(({ life }) => life?.phase === "serving");

/** One box of those that may die dies; those that died before come back. */
function strike(here: Office, { end }: Ending, spared: Box): void {
  const { world, boxes } = here;
  const guide = living(here)[0];
  for (const box of boxes) if (box.life === undefined && guide !== undefined) world.start(box, [guide.overlay]);
  const candidates = living(here).filter((box) => box !== spared);
  const victim = candidates.length < 3 ? undefined : candidates[world.random.below(candidates.length)];
  if (victim === undefined) return;
  here.deaths.push(victim.name);
  end(world, victim);
}

/** A call through a box that does not die; another one dies before it or in the middle. Whether it was answered. */
function round(here: Office, ending: Ending, number: number): boolean {
  const { world, lamp, alice, bob } = here;
  const way = living(here)[world.random.below(living(here).length)];
  assert.ok(way !== undefined);
  const isBefore = world.random.below(2) === 0;
  if (isBefore) strike(here, ending, way);
  let answeredAt = 0;
  let endedAt = 0;
  alice.call(way.sip, bob.aor, TALK_MS, (response) => {
    if (response !== undefined && statusOf(response) === 200) answeredAt = world.now;
  }, () => (endedAt = world.now));
  for (let waited = 0; answeredAt === 0 && waited < 40_000; waited += 100) world.run(100);
  if (answeredAt === 0) return false;
  if (!isBefore) strike(here, ending, way);
  world.run(ending.promisedMs + 200);
  assert.equal(lamp.state, "confirmed", `round ${number}: the lamp is not lit ${ending.promisedMs} ms after the answer`);
  for (let waited = 0; endedAt === 0 && waited < 60_000; waited += 100) world.run(100);
  world.run(ending.promisedMs + 200);
  assert.equal(lamp.state, "", `round ${number}: the lamp is still lit`);
  world.run(20_000);
  return true;
}

for (const ending of ENDINGS) {
  for (const seed of SEEDS) {
    test(`seed ${seed}: boxes ${ending.name} before and during calls, and the lamp follows within ${ending.promisedMs} ms, in order`, (t) => {
      const here = office(seed);
      let answered = 0;
      for (let number = 0; number < ROUNDS; number++) if (round(here, ending, number)) answered++;
      t.diagnostic(`${answered} of ${ROUNDS} calls were answered, ${here.lamp.notifies} NOTIFYs, died: ${here.deaths.join(" ")}`);
      assert.ok(here.deaths.length > ROUNDS / 2);
      assert.ok(answered > ROUNDS / 2, `${answered} calls were answered`);
    });
  }
}
