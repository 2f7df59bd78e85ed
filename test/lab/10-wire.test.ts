// Another's decoder reads what boxes say to one another.

import assert from "node:assert/strict";
import { sharedPath } from "../support/shared.ts";
import { BETWEEN_VALUES, CODES, Capture, type Reading, readPackets } from "./capture.ts";
import { DOMAIN, labTest } from "./lab.ts";
import { registerUsers } from "./phones/sipp.ts";

const OVERLAY_PORT = 6084;
const bridge = sharedPath("reload/reload-tls.lua");
const PLAN = {
  boxes: 3,
  phones: 1,
  programs: ["tshark", "dumpcap", "sipp"],
  ...(bridge === undefined ? { without: "the bridge from TLS to RELOAD for tshark is in ../shared/reload, which is not here" } : {}),
};

labTest("tshark decodes a join, stores and fetches between boxes with no malformed frame", PLAN, async (lab) => {
  assert(bridge !== undefined);
  const [first, second, third] = [lab.box(1), lab.box(2), lab.box(3)];
  first.start();
  second.start();
  await lab.oneRing(10);
  const users = await lab.subscribe(first, "user", 30);

  const capture = await Capture.start(third.host, OVERLAY_PORT);
  third.start({ keepTlsKeys: true });
  await lab.oneRing(30);
  const target = { domain: DOMAIN, box: third.address, port: 5060, rate: 20 };
  const registered = await registerUsers(lab.phoneHost(1), { ...target, users, total: 30 }).finished(40);
  assert.deepEqual(registered, { begun: 30, succeeded: 30, failed: 0 });
  for (const { username } of users) await third.where(`${username}@${DOMAIN}`);
  await lab.allCopies(60);
  await capture.stop();

  const reading: Reading = { capture: capture.file, overlayPort: OVERLAY_PORT, keyLog: third.keyLogFile, bridge };
  const links = await linksOf(reading);
  const counts = await countMessages(reading, links);
  for (const [name, code] of Object.entries(CODES)) assert((counts.get(code) ?? 0) > 0, `no ${name} in the capture`);
  assert.deepEqual(await faultsIn(reading, links), []);
  const figures = Object.entries(CODES).map(([name, code]) => `${counts.get(code) ?? 0} ${name}`);
  lab.tell(`${[...counts.values()].reduce((sum, count) => sum + count, 0)} messages decoded, of them ${figures.join(", ")}`);
});

/** The connections that carry RELOAD, as a filter: enrollment on the same port speaks HTTP (by ALPN). */
async function linksOf(reading: Reading): Promise<string> {
  const offered = 'tls.handshake.type == 1 && tls.handshake.extensions_alpn_str == "reload/1"';
  const streams = (await readPackets(reading, offered, ["tcp.stream"])).flat();
  assert(streams.length > 0, "no TLS handshake that offers reload/1");
  return [...new Set(streams)].map((stream) => `tcp.stream == ${stream}`).join(" || ");
}

/** What tshark calls an error of ours without being right: it does not know the identity of an unsigned message, RFC 6940 section 6.3.4. */
const FALSE_ALARM = "Unknown identity type";
/** How tshark writes the severity "Error". */
const ERROR = 0x800000;

/** Frames that tshark calls malformed, cut short or wrong, with its words. */
async function faultsIn(reading: Reading, links: string): Promise<readonly string[]> {
  const inLinks = `(${links}) && (reload || reload-framing)`;
  const broken = await readPackets(reading, `${inLinks} && (_ws.malformed || _ws.short)`, ["frame.number"]);
  const judged = await readPackets(reading, `${inLinks} && _ws.expert.severity == "Error"`, ["frame.number", "_ws.expert.severity", "_ws.expert.message"]);
  const errors = judged.flatMap(([frame, severities = "", messages = ""]) => {
    const words = messages.split(BETWEEN_VALUES);
    const isError = severities.split(BETWEEN_VALUES).map((severity) => Number(severity) === ERROR);
    assert.equal(words.length, isError.length, `one severity for each message in frame ${frame}`);
    return words.filter((word, index) => isError[index] && word !== FALSE_ALARM).map((word) => `frame ${frame}: ${word}`);
  });
  return [...broken.map(([frame]) => `frame ${frame}: malformed`), ...errors];
}

async function countMessages(reading: Reading, links: string): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  const packets = await readPackets(reading, `(${links}) && reload`, ["reload.message.code"]);
  for (const code of packets.flatMap(([codes = ""]) => codes.split(BETWEEN_VALUES)).map(Number)) counts.set(code, (counts.get(code) ?? 0) + 1);
  return counts;
}
