// Calls of phones in browsers: JsSIP in Chromium over secure WebSocket, which believes the fleet's root and nothing beside it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { whyNoBrowser } from "./browser.ts";
import { account, labTest } from "./lab.ts";
import { BrowserPhone } from "./phones/browser-phone.ts";

const no = whyNoBrowser();
const PLAN = { boxes: 2, phones: 2, programs: ["certutil"], ...(no === undefined ? {} : { without: no }) };
/** Two seconds of sound. */
const PACKETS = 100;

labTest("two browsers at two boxes call each other and hear each other", PLAN, async (lab) => {
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const start = (number: number, user: typeof alice) =>
    BrowserPhone.start(lab.phoneHost(number), { ...account(user, lab.box(number)), authority: join(lab.box(number).dataDirectory, "fleet-root.pem") });
  const [first, second] = [await start(1, alice), await start(2, bob)];
  await first.register();
  await second.register();
  for (const [index, phone] of [first, second].entries()) {
    const { bindings } = await lab.box(2 - index).where(phone.aor);
    assert.deepEqual(bindings.map(({ transport }) => transport), ["wss"]);
  }
  for (const [caller, callee] of [[first, second], [second, first]] as const) {
    const outcome = await caller.call(callee.aor);
    assert(outcome.answered, outcome.answered ? "" : outcome.reason);
    await callee.talkingWith(caller.aor);
    for (const phone of [caller, callee]) {
      const sound = await phone.hears(PACKETS);
      assert(sound.path.every((end) => end.includes("10.200.0.10")), `media goes from host to host: ${sound.path}`);
      lab.tell(`${phone.aor} heard ${sound.received} packets, sent ${sound.sent}, over ${sound.path.join(" and ")}; answered after ${outcome.seconds.toFixed(2)} s`);
    }
    await callee.hangUp();
    await caller.idle();
  }
  await first.close();
  await second.close();
});
