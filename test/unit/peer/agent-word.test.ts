// What the agent tells its peer, as whoever asks OPTIONS hears it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ControlReply } from "../../../src/peer/control.ts";
import { openWorld, startRing } from "../../support/open-boxes.ts";

const PAGE = "http://10.0.0.1:8080/";

function asked() {
  const { world, sent } = openWorld();
  const [box] = startRing(world, 1);
  const remote = { host: "10.9.9.9", port: 5060 };
  let count = 0;
  const options = (): string => {
    count += 1;
    const octets = [
      "OPTIONS sip:fleet.example SIP/2.0", `Via: SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bK${count}`, "Max-Forwards: 70",
      "From: <sip:x@y.example>;tag=a", "To: <sip:fleet.example>", `Call-ID: ${count}`, "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
    ].join("\r\n");
    world.input(box, { type: "received", flow: { transport: "udp", local: box.sip, remote, connection: 0 }, octets });
    world.run(10);
    return sent.at(-1) ?? "";
  };
  const tell = (proofs: "works" | "broken" | "not-known"): void => {
    world.input(box, { type: "control", ticket: 1, request: { op: "heartbeat", proofs, page: PAGE, conditions: [] } });
    world.run(10);
  };
  return { world, options, tell };
}

test("a box through which calls fail answers 503 to OPTIONS, and 200 when they come about again", () => {
  const { options, tell } = asked();
  assert.match(options(), /^SIP\/2.0 200/);
  tell("broken");
  assert.match(options(), /^SIP\/2.0 503/);
  tell("works");
  assert.match(options(), /^SIP\/2.0 200/);
});

test("what the agent found is part of the box's status while the agent is there", () => {
  const { world, replies } = openWorld();
  const [box] = startRing(world, 1);
  const codes = (): readonly string[] => {
    world.input(box, { type: "control", ticket: 2, request: { op: "status" } });
    world.run(10);
    const reply = replies.at(-1) as ControlReply;
    return "op" in reply && reply.op === "status" ? reply.status.conditions.map(({ code }) => code) : [];
  };
  const hot = { code: "hot", severity: "warning", text: "Hot.", next: "" } as const;
  world.input(box, { type: "control", ticket: 1, request: { op: "heartbeat", proofs: "works", page: "", conditions: [hot] } });
  world.run(10);
  assert.deepEqual(codes(), ["alone", "hot"]);
  world.run(6_000);
  assert.deepEqual(codes(), ["alone"]);
});

test("an agent that is gone says nothing any more: neither 503 nor the address of its page", () => {
  const { world, options, tell } = asked();
  tell("broken");
  assert.match(options(), /Call-Info: <http:\/\/10.0.0.1:8080\/>;purpose=info/);
  world.run(6_000);
  const answer = options();
  assert.match(answer, /^SIP\/2.0 200/);
  assert.doesNotMatch(answer, /Call-Info/);
});
