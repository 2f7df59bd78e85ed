import assert from "node:assert/strict";
import { join } from "node:path";
import { account, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Linphone } from "./phones/linphone.ts";

const PLAN = { boxes: 2, phones: 2, programs: ["baresip", "linphonec"] };

labTest("phones over TLS to two boxes, which they believe by the fleet's root, call each other", PLAN, async (lab) => {
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const authority = (number: number) => join(lab.box(number).dataDirectory, "fleet-root.pem");
  const baresip = await Baresip.start(lab.phoneHost(1), { ...account(alice, lab.box(1)), transport: "tls", authority: authority(1) });
  const linphone = new Linphone(lab.phoneHost(2), { ...account(bob, lab.box(2)), transport: "tls", authority: authority(2) });
  await baresip.register();
  await linphone.register();
  for (const phone of [baresip, linphone]) {
    const { bindings } = await lab.box(2).where(phone.aor);
    assert.deepEqual(bindings.map(({ transport }) => transport), ["tls"]);
  }
  for (const [caller, callee] of [[baresip, linphone], [linphone, baresip]] as const) {
    const outcome = await caller.call(callee.aor);
    assert(outcome.answered, outcome.answered ? "" : outcome.reason);
    await callee.talkingWith(caller.aor);
    await callee.hangUp();
    await caller.idle();
  }
  await baresip.close();
  await linphone.close();
});
