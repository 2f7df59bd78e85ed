import assert from "node:assert/strict";
import type { Box } from "./box.ts";
import { account, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Linphone } from "./phones/linphone.ts";
import { until } from "./until.ts";

const serviceAddress = (box: number): string => `10.200.0.${200 + box}`;
const PLAN = {
  boxes: 3,
  phones: 5,
  programs: ["arping", "baresip", "linphonec"],
  options: (box: number) => ["--service-address", serviceAddress(box)],
};
/** From the death of a box to a phone that rings, and to a phone on TLS that is back; seconds. */
const RING_SECONDS = 2;
const TLS_SECONDS = 10;
const TAKEN_SECONDS = 5;

labTest("a box is killed: another takes its service address, and its phones go on there", PLAN, async (lab) => {
  await lab.start();
  for (const number of [1, 2, 3]) await held(lab.box(number), number, 20);
  const [alice, bob, carol, dave, erin] = await lab.subscribe(lab.box(1), "user", 5);
  assert(alice !== undefined && bob !== undefined && carol !== undefined && dave !== undefined && erin !== undefined);
  const at = (user: typeof alice, box: number) => ({ ...account(user, lab.box(box)), box: serviceAddress(box) });
  const talking = await Baresip.start(lab.phoneHost(1), at(alice, 1));
  const peer = await Baresip.start(lab.phoneHost(2), at(bob, 2));
  const idle = await Baresip.start(lab.phoneHost(4), at(dave, 1));
  const caller = await Baresip.start(lab.phoneHost(5), at(erin, 2));
  const authority = `${lab.box(1).dataDirectory}/fleet-root.pem`;
  const secure = new Linphone(lab.phoneHost(3), { ...at(carol, 1), transport: "tls", authority });
  for (const phone of [talking, peer, idle, caller, secure]) await phone.register();

  const outcome = await peer.call(talking.aor);
  assert(outcome.answered, outcome.answered ? "" : outcome.reason);
  await until("the others know the address of box 1", 20, async () => assert.equal((await lab.box(2).status()).serviceAddresses.length, 3));

  const dead = (await lab.box(1).status()).nodeId;
  const since = performance.now();
  await lab.box(1).kill();
  const called = await caller.call(idle.aor);
  const rang = (performance.now() - since) / 1000;
  assert(called.answered, called.answered ? "" : called.reason);
  assert(rang <= RING_SECONDS, `${rang.toFixed(2)} s`);
  const taken = await until("its address is taken", TAKEN_SECONDS, () => {
    const taker = lab.running.find((box) => has(box, 1));
    assert(taker !== undefined, "nobody has it");
    return taker;
  }, since);
  lab.tell(`a phone of the killed box was called and answered ${rang.toFixed(2)} s after the kill; ${taken.value.name} has its address after ${taken.seconds.toFixed(1)} s`);
  await idle.hangUp();
  await caller.idle();

  await peer.hold();
  await talking.hangUp();
  await peer.idle();
  lab.tell("hold and hang-up of the call that was talking passed through the taken address");

  const back = await until("the phone on TLS is back", TLS_SECONDS, async () => {
    const { bindings } = await lab.box(2).where(secure.aor);
    assert(bindings.some(({ flowOwner }) => flowOwner.nodeId !== dead), JSON.stringify(bindings));
  }, since);
  lab.tell(`the phone on TLS is back ${back.seconds.toFixed(1)} s after the kill`);
});

/** Whether a box has the service address of box `number` on its interface. */
function has(box: Box, number: number): boolean {
  return box.host.run(["ip", "-o", "addr", "show", "dev", "eth0", "to", serviceAddress(number)]).stdout !== "";
}

async function held(box: Box, number: number, seconds: number): Promise<void> {
  await until(`${box.name} holds ${serviceAddress(number)}`, seconds, () => assert(has(box, number), "not yet"));
}
