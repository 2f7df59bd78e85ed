// Kamailio stands before the boxes, as an edge proxy: a phone that reaches no box registers through it with Path (RFC 3327), calls, is
// called, and is still called when the edge has begun anew and when the box behind the edge is dead.

import assert from "node:assert/strict";
import { account, DOMAIN, type Lab, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Kamailio, type KamailioRules } from "./phones/kamailio.ts";
import { PATIENCE, until } from "./until.ts";


/** To a box goes what asks for the domain, with Path if it is a REGISTER; what comes from a box follows its Route, which is that Path. */
const edgeBefore = (box: string, transport: "udp" | "tcp"): KamailioRules => ({
  modules: ["path"],
  parameters: ['"path", "use_received", 1'],
  route: `
  if ($rd == "${DOMAIN}") {
    remove_hf("Route");
    if (is_method("REGISTER")) add_path_received(); else record_route();
    $du = "sip:${box}:5060;transport=${transport}";
    t_relay();
    exit;
  }
  # -3: it followed a Route that a box had loaded before there was a dialog.
  loose_route();
  if ($rc == -1) { sl_send_reply("403", "Not For Us"); exit; }
  record_route();
  t_relay();`,
});

for (const transport of ["udp", "tcp"] as const) {
  labTest(`a phone behind Kamailio, which speaks ${transport.toUpperCase()} to a box, is a phone like any other`, { boxes: 3, phones: 2, programs: ["baresip", "kamailio"] }, async (lab) => {
    await lab.start();
    const [inner, outer] = await lab.subscribe(lab.box(1), "20", 2);
    assert(inner !== undefined && outer !== undefined);
    const edgeHost = lab.network.addHost("k1", 90);
    let edge = await Kamailio.start(edgeHost, edgeBefore(lab.box(1).address, transport));
    const behind = lab.phoneHost(1);
    for (const { address } of lab.boxes) assert.equal(behind.run(["ip", "route", "add", "blackhole", address]).status, 0);

    const inside = await Baresip.start(behind, { ...account(inner, lab.box(1)), box: edgeHost.address });
    const outside = await Baresip.start(lab.phoneHost(2), account(outer, lab.box(2)));
    await Promise.all([inside.register(), outside.register()]);
    const [binding] = (await lab.box(3).where(inside.aor)).bindings;
    assert(binding !== undefined);
    assert.match(binding.path.join(), new RegExp(`^sip:(${edgeHost.address})[:;].*lr`));
    assert.equal(binding.nat, "not-known", "the proxy's address says nothing of a NAT");

    await call(lab, inside, outside, "caller", true);
    await call(lab, outside, inside, "caller");
    await call(lab, outside, inside, "callee");
    edge = await edge.restarted();
    await call(lab, outside, inside, "caller");
    await inside.register();
    await call(lab, outside, inside, "callee");
    await lab.box(1).kill();
    await lab.oneRing(PATIENCE);
    await call(lab, outside, inside, "caller");
    await edge.stop();
  });
}

/** One calls the other; one of them hangs up, and both know. */
async function call(lab: Lab, caller: Baresip, callee: Baresip, hangsUp: "caller" | "callee", holds = false): Promise<void> {
  const outcome = await caller.call(callee.aor, PATIENCE);
  assert(outcome.answered, outcome.answered ? "" : `${caller.aor} to ${callee.aor}: ${outcome.reason}`);
  await Promise.all([caller.talkingWith(callee.aor), callee.talkingWith(caller.aor)]);
  if (holds) await held(caller, callee);
  await (hangsUp === "caller" ? caller : callee).hangUp();
  await Promise.all([caller.idle(), callee.idle()]);
  lab.tell(`${caller.aor} reached ${callee.aor} in ${outcome.seconds.toFixed(1)} s; the ${hangsUp} hung up`);
}

async function held(by: Baresip, other: Baresip): Promise<void> {
  const updates = other.soundUpdates;
  await by.hold();
  await until("the other side hears of the hold", PATIENCE, () => assert(other.soundUpdates > updates));
}
