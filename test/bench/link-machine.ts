// What links cost: messages through a pair of them, and many that are idle. Prints, judges nothing.
// Run: node test/bench/link-machine.ts

import { instant, wallTime } from "../../src/base/time.ts";
import { type LinkEffect, LinkMachine } from "../../src/overlay/link/link-machine.ts";
import { encodeMessage, encodeSignedMessage, decodeMessage, verifyMessage } from "../../src/overlay/wire/message.ts";
import { B, bindingStore, header, OVERLAY, PUBLIC_KEY, signerWith } from "../conformance/overlay-wire/own-messages.ts";
import { nodeCrypto } from "../support/node-crypto.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const random = new SeededRandom(1);
const makeLink = (): LinkMachine =>
  new LinkMachine({ overlay: OVERLAY, remote: B, maxMessageBytes: 65_536, random }, instant(0));

const wall = wallTime(0);
const store = { header: header([{ type: "node", nodeId: B }]), body: bindingStore, extensions: [] };
const message = encodeMessage(store);

function report(name: string, count: number, run: () => void): void {
  const start = process.hrtime.bigint();
  run();
  const microseconds = Number(process.hrtime.bigint() - start) / 1e3;
  console.log(`${name.padEnd(52)} ${(microseconds / count).toFixed(2).padStart(8)} us`);
}

/** Hands each write of `from` to `to`; the bytes written. */
function tickInto(now: number, from: LinkMachine, to: LinkMachine): void {
  for (const effect of from.step(instant(now), { type: "tick" })) {
    if (effect.type === "write") to.step(instant(now), { type: "bytes", bytes: effect.bytes, wall });
  }
}

for (const perBatch of [1, 20]) {
  const [a, b] = [makeLink(), makeLink()];
  const rounds = Math.round(200_000 / perBatch);
  const run = (): void => {
    for (let i = 0; i < rounds; i++) {
      for (let k = 0; k < perBatch; k++) a.step(instant(0), { type: "send", message });
      tickInto(0, a, b);
      tickInto(0, b, a);
    }
  };
  run();
  report(`message sent, received, acknowledged; ${perBatch} a batch`, rounds * perBatch, run);
}

const LINKS = 500;
const SECONDS = 60;
const pairs = Array.from({ length: LINKS }, () => [makeLink(), makeLink()] as const);
let writes = 0;
const deliver = (now: number, effects: readonly LinkEffect[], to: LinkMachine): void => {
  for (const effect of effects) {
    if (effect.type !== "write") continue;
    writes++;
    to.step(instant(now), { type: "bytes", bytes: effect.bytes, wall });
  }
};
report(`${LINKS} idle links, both ends, one second`, SECONDS, () => {
  for (let now = 0; now < SECONDS * 1000; now += 5) {
    for (const [a, b] of pairs) {
      for (let busy = true; busy; ) {
        busy = false;
        for (const [from, to] of [[a, b], [b, a]] as const) {
          if ((from.nextDeadline() ?? Number.POSITIVE_INFINITY) > now) continue;
          busy = true;
          deliver(now, from.step(instant(now), { type: "tick" }), to);
        }
      }
    }
  }
});
console.log(`  ${(writes / SECONDS / LINKS / 2).toFixed(2)} writes a second from each end`);

const signer = signerWith(PUBLIC_KEY);
const crypto = nodeCrypto();
const signed = encodeSignedMessage(store, signer);
report("signed StoreReq, encoded", 5_000, () => {
  for (let i = 0; i < 5_000; i++) encodeSignedMessage(store, signer);
});
report("signed StoreReq, decoded and verified (key not cached)", 5_000, () => {
  for (let i = 0; i < 5_000; i++) {
    const decoded = decodeMessage(signed, OVERLAY);
    if (!decoded.ok || !verifyMessage(decoded.value, crypto).ok) throw new Error("did not verify");
  }
});
