import assert from "node:assert/strict";
import type { Box } from "./box.ts";
import { account, type Lab, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Linphone } from "./phones/linphone.ts";
import type { CallOutcome, Phone } from "./phones/phone.ts";
import type { SippUser } from "./phones/sipp.ts";
import { PATIENCE, until } from "./until.ts";

const serviceAddress = (box: number): string => `10.200.0.${200 + box}`;
const PLAN = {
  boxes: 3,
  phones: 6,
  programs: ["arping", "baresip", "linphonec"],
  options: (box: number) => ["--service-address", serviceAddress(box)],
};
/** From the death of a box to a phone that rings, and to a phone on TLS that is back; seconds. */
const RING_SECONDS = 2;
const TLS_SECONDS = 10;
const TAKEN_SECONDS = 5;
const POWER_SECONDS = 15;
/** A 2xx that nobody acknowledges ends its call after 64*T1 (RFC 3261 section 13.3.1.4). */
const UNACKNOWLEDGED_SECONDS = 60;

labTest("a box is killed: another takes its service address, and its phones go on there", PLAN, async (lab) => {
  await lab.start();
  for (const number of [1, 2, 3]) await held(lab.box(number), number, lab.box(number), 20);
  const [alice, bob, dave, erin, frank, gina] = await lab.subscribe(lab.box(1), "user", 6);
  assert(alice !== undefined && bob !== undefined && dave !== undefined && erin !== undefined && frank !== undefined && gina !== undefined);
  const at = (user: typeof alice, box: number) => ({ ...account(user, lab.box(box)), box: serviceAddress(box) });
  const talking = await Baresip.start(lab.phoneHost(1), at(alice, 1));
  const peer = await Baresip.start(lab.phoneHost(2), at(bob, 2));
  const idle = await Baresip.start(lab.phoneHost(3), at(dave, 1));
  const caller = await Baresip.start(lab.phoneHost(4), at(erin, 2));
  const ringing = await Baresip.start(lab.phoneHost(5), { ...at(frank, 1), byHand: true });
  const waiting = await Baresip.start(lab.phoneHost(6), at(gina, 1));
  for (const phone of [talking, peer, idle, caller, ringing, waiting]) await phone.register();
  await until("the others know the address of box 1", PATIENCE, async () => {
    for (const box of lab.boxes) assert.equal((await box.status()).serviceAddresses.length, 3, box.name);
  });
  answered(await peer.call(talking.aor));
  const early = waiting.call(ringing.aor, 30);
  await ringing.rings();

  const since = performance.now();
  await lab.box(1).kill();
  answered(await caller.call(idle.aor));
  const rang = (performance.now() - since) / 1000;
  assert(rang <= RING_SECONDS, `${rang.toFixed(2)} s`);
  const taker = await until("its address is taken", TAKEN_SECONDS, () => {
    const box = lab.running.find((one) => has(one, 1));
    assert(box !== undefined, "nobody has it");
    return box;
  }, since);
  lab.tell(`a phone of the killed box was called and answered ${rang.toFixed(2)} s after the kill; ${taker.value.name} has its address after ${taker.seconds.toFixed(1)} s`);
  await idle.hangUp();
  await caller.idle();

  await ringing.accept();
  answered(await early);
  await ringing.talkingWith(waiting.aor);
  await waiting.hangUp();
  await ringing.idle();
  lab.tell("the call that rang between two phones of the killed box was answered and hung up");

  const updates = talking.soundUpdates;
  await peer.hold();
  await until("the other side hears of the hold", PATIENCE, () => assert(talking.soundUpdates > updates));
  await talking.hangUp();
  await peer.idle();
  lab.tell(`hold and hang-up of the call that was talking passed through the taken address`);

  lab.box(1).start();
  const returned = performance.now();
  const again = await held(lab.box(1), 1, taker.value, 40, returned);
  answered(await caller.call(idle.aor));
  lab.tell(`box 1 started again has its address after ${again.toFixed(1)} s; its phone is called`);
  for (const phone of [talking, peer, idle, caller, ringing, waiting]) await phone.close();
});

for (const transport of ["tcp", "tls"] as const) labTest(`a call that rings at a ${transport} phone when its box is killed is answered over a connection to whoever has the address then`, { ...PLAN, phones: 2 }, async (lab) => {
  await lab.start();
  for (const number of [1, 2, 3]) await held(lab.box(number), number, lab.box(number), 20);
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const caller = await Baresip.start(lab.phoneHost(1), { ...account(alice, lab.box(2)), box: serviceAddress(2) });
  const ringing = await Baresip.start(lab.phoneHost(2), { ...account(bob, lab.box(1)), box: serviceAddress(1), transport, authority: `${lab.box(1).dataDirectory}/fleet-root.pem`, byHand: true });
  for (const phone of [caller, ringing]) await phone.register();
  await until("the others know the address of box 1", PATIENCE, async () => {
    for (const box of lab.boxes) assert.equal((await box.status()).serviceAddresses.length, 3, box.name);
  });
  const early = caller.call(ringing.aor, 30);
  await ringing.rings();
  const since = performance.now();
  await lab.box(1).kill();
  await until("its address is taken", TAKEN_SECONDS, () => assert(lab.running.some((one) => has(one, 1)), "nobody has it"), since);
  await ringing.accept();
  answered(await early);
  lab.tell(`answered ${((performance.now() - since) / 1000).toFixed(1)} s after its box was killed`);
  await ringing.talkingWith(caller.aor);
  await caller.hangUp();
  await ringing.idle();
});

for (const how of ["is killed", "loses its power"] as const) labTest(`a call of baresip on tcp rings when its box ${how}: the caller is answered, hangs up and dials again`, { ...PLAN, phones: 2 }, async (lab) => {
  const { phone, ringing, early, since } = await ringsWhenTheBoxDies(lab, "baresip", how);
  await ringing.accept();
  answered(await early);
  lab.tell(`answered ${((performance.now() - since) / 1000).toFixed(1)} s after its box ${how}`);
  await ringing.talkingWith(phone.aor);
  await phone.hangUp();
  await ringing.idle();
  await dialsAgain(phone, ringing);
});

// linphone names the port of its dead connection as the one where it listens: nobody can reach it.
labTest("a call of linphone on tcp rings when its box is killed: both phones end it by themselves, and the caller dials again", { ...PLAN, phones: 2 }, async (lab) => {
  const { phone, ringing, early } = await ringsWhenTheBoxDies(lab, "linphone", "is killed");
  const accepted = performance.now();
  await ringing.accept();
  const outcome = await early;
  assert(!outcome.answered);
  lab.tell(`the caller's phone said ${((performance.now() - accepted) / 1000).toFixed(1)} s after the answer: ${outcome.reason}`);
  await ringing.closed(UNACKNOWLEDGED_SECONDS);
  lab.tell(`the called phone ended the call within ${((performance.now() - accepted) / 1000).toFixed(1)} s`);
  await dialsAgain(phone, ringing);
});

labTest("a box loses its power: a phone on TLS is back at the same address, with the same root, at another box", { ...PLAN, phones: 2 }, async (lab) => {
  await lab.start();
  for (const number of [1, 2, 3]) await held(lab.box(number), number, lab.box(number), 20);
  const [carol, erin] = await lab.subscribe(lab.box(1), "user", 2);
  assert(carol !== undefined && erin !== undefined);
  const authority = `${lab.box(1).dataDirectory}/fleet-root.pem`;
  // Nobody tells it: what it says on its connection comes back refused by the box that has the address now.
  const secure = new Linphone(lab.phoneHost(1), { ...account(carol, lab.box(1)), box: serviceAddress(1), transport: "tls", authority, keepAlive: 1 });
  const caller = await Baresip.start(lab.phoneHost(2), account(erin, lab.box(2)));
  await secure.register();
  await caller.register();
  await until("the others know the address of box 1", PATIENCE, async () => {
    for (const box of lab.boxes) assert.equal((await box.status()).serviceAddresses.length, 3, box.name);
  });
  answered(await caller.call(secure.aor));
  await caller.hangUp();
  await secure.idle();
  const dead = (await lab.box(1).status()).nodeId;
  lab.box(1).host.cut();
  const since = performance.now();
  const back = await until("the phone on TLS is back", TLS_SECONDS, async () => {
    const { bindings } = await lab.box(2).where(secure.aor);
    assert(bindings.some(({ flowOwner }) => flowOwner.nodeId !== dead), JSON.stringify(bindings));
  }, since);
  answered(await caller.call(secure.aor));
  await caller.hangUp();
  lab.tell(`the phone on TLS is back ${back.seconds.toFixed(1)} s after its box lost its power, and is called`);
  for (const phone of [secure, caller]) await phone.close();
});

interface Ringing {
  readonly phone: Phone;
  readonly ringing: Baresip;
  readonly early: Promise<CallOutcome>;
  /** When the box died, `performance.now()`. */
  readonly since: number;
}

/** A caller on TCP at box 1 and a phone at box 2 that rings; box 1 is dead, and another box has its address. */
async function ringsWhenTheBoxDies(lab: Lab, program: "baresip" | "linphone", how: "is killed" | "loses its power"): Promise<Ringing> {
  await lab.start();
  for (const number of [1, 2, 3]) await held(lab.box(number), number, lab.box(number), 20);
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const phone = await phoneOf(program, lab, alice);
  const ringing = await Baresip.start(lab.phoneHost(2), { ...account(bob, lab.box(2)), box: serviceAddress(2), byHand: true });
  for (const one of [phone, ringing]) await one.register();
  await until("the others know the address of box 1", PATIENCE, async () => {
    for (const box of lab.boxes) assert.equal((await box.status()).serviceAddresses.length, 3, box.name);
  });
  const early = phone.call(ringing.aor, 60);
  await ringing.rings();
  const since = performance.now();
  if (how === "is killed") await lab.box(1).kill();
  else lab.box(1).host.cut();
  await until("its address is taken", POWER_SECONDS, () => assert(lab.boxes.slice(1).some((one) => has(one, 1)), "nobody has it"), since);
  return { phone, ringing, early, since };
}

async function dialsAgain(phone: Phone, ringing: Baresip): Promise<void> {
  const again = phone.call(ringing.aor, 40);
  await ringing.rings(20, 2);
  await ringing.accept();
  answered(await again);
  await phone.hangUp();
  await ringing.idle();
}

/** A caller on TCP at the first box's service address. */
async function phoneOf(program: "baresip" | "linphone", lab: Lab, user: SippUser): Promise<Phone> {
  const about = { ...account(user, lab.box(1)), box: serviceAddress(1), transport: "tcp" as const };
  return program === "baresip" ? await Baresip.start(lab.phoneHost(1), about) : new Linphone(lab.phoneHost(1), about);
}

function answered(outcome: CallOutcome): void {
  assert(outcome.answered, outcome.answered ? "" : outcome.reason);
}

/** Whether a box has the service address of box `number` on its interface. */
function has(box: Box, number: number): boolean {
  return box.host.run(["ip", "-o", "addr", "show", "dev", "eth0", "to", serviceAddress(number)]).stdout !== "";
}

/** Waits until it has its own, and `other` has it not. */
async function held(box: Box, number: number, other: Box, seconds: number, since = performance.now()): Promise<number> {
  const found = await until(`${box.name} holds ${serviceAddress(number)}`, seconds, () => {
    assert(has(box, number), "not yet");
    assert(other === box || !has(other, number), `${other.name} has it too`);
  }, since);
  return found.seconds;
}
