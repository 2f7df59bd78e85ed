import assert from "node:assert/strict";
import { account, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Linphone } from "./phones/linphone.ts";
import { PATIENCE, until } from "./until.ts";

const PLAN = { boxes: 2, phones: 2, programs: ["baresip", "linphonec"] };

labTest("baresip asks for its mailbox, and sees a linphone come to another box and publish that it is there", PLAN, async (lab) => {
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const other = new Linphone(lab.phoneHost(2), { ...account(bob, lab.box(2)), publishes: true });
  const watcher = await Baresip.start(lab.phoneHost(1), {
    ...account(alice, lab.box(1)), modules: ["contact.so", "mwi.so", "presence.so"], watches: [other.aor],
  });
  await watcher.says(/Messages-Waiting: no/);
  await watcher.seesContact(/Offline/);
  await other.register();
  await watcher.seesContact(/Online/);
  await until("its publication is taken", PATIENCE, async () => {
    const { counters } = await lab.box(2).status();
    assert(counters["published"], JSON.stringify(counters));
  });
  await other.close();
  await watcher.seesContact(/Offline/);
  await watcher.close();
});

labTest("linphone writes to a linphone that is not there; it has the message when it comes, at another box", PLAN, async (lab) => {
  await lab.start();
  const [alice, bob] = await lab.subscribe(lab.box(1), "user", 2);
  assert(alice !== undefined && bob !== undefined);
  const writer = new Linphone(lab.phoneHost(1), account(alice, lab.box(1)));
  const reader = new Linphone(lab.phoneHost(2), account(bob, lab.box(2)));
  await writer.register();
  writer.say(reader.aor, "come to lunch");
  await writer.says(/come to lunch/);
  await reader.register();
  await reader.says(/come to lunch/);
  await reader.close();
  await writer.close();
});
