// `npm run lab -- --boxes 5`: a fleet on a LAN of its own to play with, until Ctrl-C.

import { parseArgs } from "node:util";
import { DIST, whyNoBox } from "./box.ts";
import { account, Lab } from "./lab.ts";
import { whyNoLab } from "./network.ts";
import { baresipToPlayWith } from "./phones/baresip.ts";

/** More would not fit into the LAN's numbers before those of the phones. */
const MOST_BOXES = 99;
const PHONES = 2;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { boxes: { type: "string", default: "5" } } });
  const boxes = Number(values.boxes);
  const reason = whyNoLab() ?? whyNoBox();
  if (!Number.isInteger(boxes) || boxes < 1 || boxes > MOST_BOXES) return stop(`--boxes takes a number from 1 to ${MOST_BOXES}`);
  if (reason !== undefined) return stop(reason);
  const lab = await Lab.make({ boxes, phones: PHONES }, say);
  say(`Starting ${boxes} ${boxes === 1 ? "box" : "boxes"} …`);
  await lab.start();
  await explain(lab);
  // Ctrl-C ends the process, and the network with it (network.ts).
  setInterval(() => undefined, 1 << 30);
}

async function explain(lab: Lab): Promise<void> {
  say("\nBoxes:");
  for (const box of lab.boxes) say(`  ${box.name}  sip:${box.address}  log ${box.logFile}\n      ${DIST}/ringbox --data ${box.dataDirectory} status`);
  say("\nPhones (a shell on a phone's host: leave the baresip part out):");
  const users = await lab.subscribe(lab.box(1), "phone", PHONES);
  for (const [index, user] of users.entries()) {
    const host = lab.phoneHost(index + 1);
    const settings = baresipToPlayWith(host, account(user, lab.box(1 + (index % lab.boxes.length))));
    say(`  ${user.username} (password ${user.password})\n      ip netns exec ${host.namespace} baresip -f ${settings}`);
  }
  say(`\nIn one of them type: /dial sip:${users[0]?.username}@lab.test`);
  const [first] = lab.boxes;
  say(`Pull a cable:        ip -n ${first?.host.namespace} link set eth0 down`);
  say("Ctrl-C ends all of it and leaves nothing behind.");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function stop(line: string): void {
  process.stderr.write(`${line}\n`);
  process.exitCode = 1;
}

await main();
