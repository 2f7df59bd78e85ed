import assert from "node:assert/strict";
import type { BindingReport } from "../../src/peer/reports.ts";
import type { Box } from "./box.ts";
import { account, type Lab, labTest } from "./lab.ts";
import type { Host } from "./network.ts";
import { Baresip } from "./phones/baresip.ts";
import { Linphone } from "./phones/linphone.ts";
import type { Phone } from "./phones/phone.ts";
import { until } from "./until.ts";

const BEHIND_NAT = { boxes: 2, phones: 3, programs: ["baresip", "linphonec", "nft"] } as const;
const SECOND_LINK = { boxes: 2, phones: 2, programs: ["baresip", "linphonec"] } as const;

const [BEFORE, AFTER] = ["10.200.0.150", "10.200.0.151"];
const INSIDE = (host: number): string => `192.168.7.${host}`;

labTest("phones behind a router that gives each flow another port call and are called, over UDP and TCP, also after the router has got another address", BEHIND_NAT, async (lab) => {
  await lab.start();
  const router = lab.network.addHost("r1", 150);
  putBehind(router, [lab.phoneHost(2), lab.phoneHost(3)]);
  const [alice, bob, carol] = await lab.subscribe(lab.box(1), "user", 3);
  assert(alice !== undefined && bob !== undefined && carol !== undefined);
  // No sound comes in from outside without a relay, and baresip 1.0 that plays what it hears then hangs at times.
  const outside = await Baresip.start(lab.phoneHost(1), { ...account(alice, lab.box(1)), tone: true });
  const udp = await Baresip.start(lab.phoneHost(2), { ...account(bob, lab.box(2)), address: INSIDE(2), tone: true });
  const tcp = new Linphone(lab.phoneHost(3), { ...account(carol, lab.box(1)), transport: "tcp" });
  for (const phone of [outside, udp, tcp]) await phone.register();
  for (const phone of [udp, tcp]) {
    const { received, nat, contact } = await bindingOf(lab, phone);
    assert.equal(received.host, BEFORE);
    assert.notEqual(received.port, 5060, "the router has given it a port of its own");
    lab.tell(`${contact} from ${received.port}: ${nat}`);
    assert.equal(nat, contact.includes("@192.168.7.") ? "translated" : "none", contact);
  }
  for (const [caller, callee] of [[outside, udp], [udp, outside], [outside, tcp], [tcp, udp]] as const) await talk(caller, callee);

  for (const command of [["ip", "addr", "del", `${BEFORE}/24`, "dev", "eth0"], ["ip", "addr", "add", `${AFTER}/24`, "dev", "eth0"]]) run(router, command);
  await udp.register();
  assert.equal((await bindingOf(lab, udp)).received.host, AFTER, "one binding, and the new one");
  await talk(outside, udp);
  await talk(udp, outside);
});

labTest("a box that gets a second link while it runs serves phones there within seconds, and is rid of it when it goes", SECOND_LINK, async (lab) => {
  await lab.start();
  const [box, phoneHost] = [lab.box(1), lab.phoneHost(2)];
  const [alice, bob] = await lab.subscribe(box, "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const far = await Baresip.start(lab.phoneHost(1), account(alice, lab.box(2)));
  await far.register();
  for (const command of [
    ["link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", phoneHost.namespace],
    ["addr", "add", "10.201.0.1/24", "dev", "eth1"],
    ["link", "set", "eth1", "up"],
  ]) run(box.host, ["ip", ...command]);
  for (const command of [["addr", "add", "10.201.0.5/24", "dev", "eth1"], ["link", "set", "eth1", "up"]]) run(phoneHost, ["ip", ...command]);
  const since = performance.now();
  await until("the box serves on its second link", 20, () => assertServes(box, "10.201.0.1", true));
  lab.tell(`the second link was served after ${((performance.now() - since) / 1000).toFixed(1)} s`);

  const near = await Baresip.start(phoneHost, { ...account(bob, box), box: "10.201.0.1", address: "10.201.0.5" });
  await near.register();
  assert.equal((await bindingOf(lab, near)).received.host, "10.201.0.5");
  await talk(far, near);
  await talk(near, far);

  run(box.host, ["ip", "addr", "del", "10.201.0.1/24", "dev", "eth1"]);
  await until("the box has closed what it served there", 20, () => assertServes(box, "10.201.0.1", false));
  // What was registered there is still in the ring, and hangs on an address that is gone.
  const moved = new Linphone(phoneHost, { ...account(bob, box), port: 5070 });
  await moved.register();
  assert.equal((await lab.box(2).where(moved.aor)).bindings.length, 2);
  await talk(far, moved);
});

/** Hosts of the LAN get a cable to the router in its place; each of their flows leaves it under a port of its own. */
function putBehind(router: Host, hosts: readonly Host[]): void {
  run(router, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
  run(router, ["ip", "link", "add", "lan", "type", "bridge"]);
  run(router, ["ip", "addr", "add", `${INSIDE(1)}/24`, "dev", "lan"]);
  run(router, ["ip", "link", "set", "lan", "up"]);
  for (const [index, host] of hosts.entries()) {
    run(host, ["ip", "link", "del", "eth0"]);
    run(router, ["ip", "link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.namespace]);
    run(router, ["ip", "link", "set", host.name, "master", "lan", "up"]);
    run(host, ["ip", "addr", "add", `${INSIDE(index + 2)}/24`, "dev", "eth0"]);
    run(host, ["ip", "link", "set", "eth0", "up"]);
    run(host, ["ip", "route", "add", "default", "via", INSIDE(1)]);
  }
  run(router, ["nft", "add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; }; add rule ip nat out oifname eth0 masquerade random"]);
}

function run(host: Host, command: readonly string[]): void {
  const done = host.run(command);
  assert.equal(done.status, 0, `${command.join(" ")}: ${done.stderr}`);
}

function assertServes(box: Box, address: string, wanted: boolean): void {
  const listed = box.host.run(["ss", "-Hlnu", "src", `${address}:5060`]).stdout.trim();
  assert.equal(listed !== "", wanted, listed);
}

async function bindingOf(lab: Lab, phone: Phone): Promise<BindingReport> {
  const { bindings } = await lab.box(2).where(phone.aor);
  const [binding, ...others] = bindings;
  assert(binding !== undefined && others.length === 0, JSON.stringify(bindings));
  return binding;
}

/** A call, hung up by who was called. */
async function talk(caller: Phone, callee: Phone): Promise<void> {
  const outcome = await caller.call(callee.aor);
  assert(outcome.answered, outcome.answered ? "" : `${caller.aor} to ${callee.aor}: ${outcome.reason}`);
  await callee.talkingWith(caller.aor);
  await callee.hangUp();
  await caller.idle();
}
