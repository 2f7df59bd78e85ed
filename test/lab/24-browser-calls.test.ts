// Calls of phones in browsers: JsSIP in Chromium over secure WebSocket, which believes the fleet's root and nothing beside it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { whyNoBrowser } from "./browser.ts";
import { account, DOMAIN, labTest } from "./lab.ts";
import { until } from "./until.ts";
import { Baresip } from "./phones/baresip.ts";
import { BrowserPhone } from "./phones/browser-phone.ts";
import { Coturn, TURN_PORT } from "./phones/coturn.ts";
import { Rtpengine } from "./phones/rtpengine.ts";

const no = whyNoBrowser();
const PLAN = { boxes: 2, phones: 2, programs: ["certutil"], ...(no === undefined ? {} : { without: no }) };
/** Two seconds of sound. */
const PACKETS = 100;
/** The relay is asked every five seconds, three times each. */
const TOLD_WITHIN = 10;

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

const RELAYED = { boxes: 2, phones: 2, programs: ["certutil", "baresip", "rtpengine"], ...(no === undefined ? {} : { without: no }), options: () => ["--media-relay", "10.200.0.90:2223"] };

labTest("a browser and a telephone hear each other through the relay, and the box says when it is gone", RELAYED, async (lab) => {
  const relay = new Rtpengine(lab.network.addHost("relay", 90));
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const browser = await BrowserPhone.start(lab.phoneHost(1), { ...account(alice, lab.box(1)), authority: join(lab.box(1).dataDirectory, "fleet-root.pem") });
  const baresip = await Baresip.start(lab.phoneHost(2), { ...account(bob, lab.box(2)), tone: true });
  await browser.register();
  await baresip.register();
  for (const [caller, callee] of [[baresip, browser], [browser, baresip]] as const) {
    const outcome = await caller.call(callee.aor);
    assert(outcome.answered, outcome.answered ? "" : outcome.reason);
    await callee.talkingWith(caller.aor);
    const sound = await browser.hears(PACKETS);
    assert(sound.path.some((end) => end.includes("10.200.0.90")), `the browser's media goes to the relay: ${sound.path}`);
    lab.tell(`${caller.aor} called: the browser heard ${sound.received} packets, sent ${sound.sent}, over ${sound.path.join(" and ")}; answered after ${outcome.seconds.toFixed(2)} s`);
    await callee.hangUp();
    await caller.idle();
  }
  await relay.stop();
  await until("the box says so", TOLD_WITHIN, async () => {
    const { conditions } = await lab.box(1).status();
    assert(conditions.some(({ code }) => code === "media-relay-silent"), JSON.stringify(conditions));
  });
  const outcome = await browser.call(baresip.aor);
  assert(!outcome.answered, "the telephone itself refuses what it cannot do");
  await browser.close();
  await baresip.close();
});

const SECRET = "between coturn and the fleet";
const SECRET_FILE = join(mkdtempSync(join(tmpdir(), "ringbox-turn-")), "secret");
writeFileSync(SECRET_FILE, `${SECRET}\n`);
after(() => rmSync(dirname(SECRET_FILE), { recursive: true }));
const TURNED = {
  boxes: 2, phones: 2, programs: ["certutil", "turnserver"], ...(no === undefined ? {} : { without: no }),
  options: () => ["--turn-server", `10.200.0.91:${TURN_PORT}`, "--turn-secret", SECRET_FILE],
};

labTest("browsers that may use nothing but TURN get credentials as they register, and coturn takes them", TURNED, async (lab) => {
  const coturn = new Coturn(lab.network.addHost("turn", 91), DOMAIN, SECRET);
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const start = (number: number, user: typeof alice) =>
    BrowserPhone.start(lab.phoneHost(number), { ...account(user, lab.box(number)), authority: join(lab.box(number).dataDirectory, "fleet-root.pem") }, { relayOnly: true });
  const [first, second] = [await start(1, alice), await start(2, bob)];
  await first.register();
  await second.register();
  const outcome = await first.call(second.aor);
  assert(outcome.answered, outcome.answered ? "" : outcome.reason);
  for (const phone of [first, second]) {
    const sound = await phone.hears(PACKETS);
    assert(sound.path.every((end) => end.includes("relay 10.200.0.91")), `all goes through coturn: ${sound.path}`);
    lab.tell(`${phone.aor} heard ${sound.received} packets over ${sound.path.join(" and ")}`);
  }
  assert.match(coturn.words, /user <\d+:user0@lab\.test>/);
  await first.close();
  await second.close();
});
