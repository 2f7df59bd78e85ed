import assert from "node:assert/strict";
import { account, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Linphone } from "./phones/linphone.ts";
import type { Phone } from "./phones/phone.ts";
import { PATIENCE, until } from "./until.ts";

const serviceAddress = (box: number): string => `fd00:200::${200 + box}`;
const ALONE = {
  boxes: 5,
  phones: 3,
  programs: ["arping", "baresip", "linphonec"],
  families: ["IPv6"],
  options: (box: number) => ["--service-address", serviceAddress(box)],
} as const;
const BOTH = { boxes: 2, phones: 2, programs: ["baresip"], families: ["IPv4", "IPv6"] } as const;
const CALL_SECONDS = 2;

labTest("five boxes with nothing but IPv6 find one another by multicast and are a ring; their phones call each other, also when a box dies and another takes its address", ALONE, async (lab) => {
  await lab.start();
  await until("the boxes know the service addresses of all", PATIENCE, async () => {
    for (const box of lab.boxes) assert.equal((await box.status()).serviceAddresses.length, lab.boxes.length, box.name);
  });
  const users = await lab.subscribe(lab.box(1), "user", 3);
  const [alice, bob, carol] = users;
  assert(alice !== undefined && bob !== undefined && carol !== undefined);
  const phones = [
    await Baresip.start(lab.phoneHost(1), { ...account(alice, lab.box(2)), box: serviceAddress(2) }),
    new Linphone(lab.phoneHost(2), { ...account(bob, lab.box(3)), transport: "tcp" }),
    await Baresip.start(lab.phoneHost(3), { ...account(carol, lab.box(4)), transport: "tls", authority: `${lab.box(4).dataDirectory}/fleet-root.pem` }),
  ] as const;
  // linphonec at last, and called at once: five seconds after its last word it ends its connection by itself.
  for (const phone of [phones[0], phones[2], phones[1]]) await phone.register();
  for (const [caller, callee] of [[phones[0], phones[1]], [phones[1], phones[2]], [phones[2], phones[0]]] as const) await talk(caller, callee);

  const since = performance.now();
  await lab.box(2).kill();
  const seconds = await talk(phones[2], phones[0]);
  lab.tell(`a UDP phone of a killed box was called and answered after ${seconds.toFixed(2)} s`);
  assert(seconds <= CALL_SECONDS, `${seconds.toFixed(2)} s`);
  await talk(phones[0], phones[2]);
  lab.tell(`that phone calls through the same address again, ended ${((performance.now() - since) / 1000).toFixed(1)} s after the kill`);
});

labTest("a phone with IPv4 and one with IPv6 call each other over boxes that have both", BOTH, async (lab) => {
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const [first, second] = lab.phoneHosts;
  assert(first !== undefined && second !== undefined);
  const old = await Baresip.start(first, account(alice, lab.box(1)));
  const young = await Baresip.start(second, { ...account(bob, lab.box(2)), box: lab.box(2).host.ipv6, address: second.ipv6 });
  for (const phone of [old, young]) await phone.register();
  const received = (await lab.box(1).where(young.aor)).bindings.map((binding) => binding.received.host);
  assert.deepEqual(received, [second.ipv6]);
  await talk(old, young);
  await talk(young, old);
});

/** A call, hung up by who was called. How long it took to be answered. */
async function talk(caller: Phone, callee: Phone): Promise<number> {
  const outcome = await caller.call(callee.aor);
  assert(outcome.answered, outcome.answered ? "" : `${caller.aor} to ${callee.aor}: ${outcome.reason}`);
  await callee.talkingWith(caller.aor);
  await callee.hangUp();
  await caller.idle();
  return outcome.seconds;
}
