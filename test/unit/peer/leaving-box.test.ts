// A box that leaves sends its phones away first: those that watch their own registration (RFC 3680) are told at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flow } from "../../../src/sip/ports.ts";
import { openWorld, register, startRing } from "../../support/open-boxes.ts";

test("a phone that watches its registration hears that it is deactivated before its box is gone", () => {
  const { world, sent } = openWorld();
  const [, box] = startRing(world, 3);
  assert.ok(box !== undefined);
  const remote = { host: "10.9.9.9", port: 5060 };
  const flow: Flow = { transport: "udp", local: box.sip, remote, connection: 0 };
  const said = (octets: string): void => world.input(box, { type: "received", flow, octets });
  register(world, box);
  world.run(1_000);
  said([
    "SUBSCRIBE sip:alice@fleet.example SIP/2.0", "Via: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKtwo", "Max-Forwards: 70",
    "From: <sip:alice@fleet.example>;tag=a", "To: <sip:alice@fleet.example>", "Call-ID: two@phone", "CSeq: 1 SUBSCRIBE",
    "Contact: <sip:alice@10.9.9.9:5060>", "Event: reg", "Expires: 600", "Content-Length: 0", "", "",
  ].join("\r\n"));
  world.run(1_000);
  const first = sent.at(-1) ?? "";
  assert.ok(first.includes('event="registered"'), first);
  said(answerTo(first));
  world.run(1_000);
  world.leave(box);
  world.run(200);
  const last = sent.findLast((octets) => octets.startsWith("NOTIFY")) ?? "";
  assert.ok(last.includes('state="terminated" event="deactivated"'), last);
});

/** 200 to a request, with its first Via, which is the only one. */
function answerTo(request: string): string {
  const kept = request.split("\r\n").filter((line) => ["Via", "From", "To", "Call-ID", "CSeq"].some((name) => line.startsWith(`${name}:`)));
  return ["SIP/2.0 200 OK", ...kept, "Content-Length: 0", "", ""].join("\r\n");
}
