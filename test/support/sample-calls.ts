// A call through two boxes as each of them remembers it.

import type { BoxPlace, CallView, MessageView } from "../../src/health/ports.ts";
import type { Leg } from "../../src/health/calls/ladder.ts";

export const [FIRST, SECOND] = ["1".repeat(32), "2".repeat(32)];
export const BOXES: readonly BoxPlace[] = [FIRST, SECOND].map((nodeId, index) => ({ nodeId, sip: { host: `192.0.2.${index + 1}`, port: 5060 } }));
const [CALLER, CALLED] = [{ host: "192.0.2.77", port: 5062 }, { host: "192.0.2.88", port: 5060 }];
export const START = Date.UTC(2026, 0, 2, 3, 4, 5);

export const sampleCall = (more: Partial<CallView> = {}): CallView => ({
  kind: "call", id: "0123456789abcdef", callId: "a84b4c76e66710", from: "204@acme.example", to: "205@acme.example", startedAt: START,
  ringingAt: START + 200, answeredAt: START + 4_000, endedAt: START + 184_000, status: 200, reason: "OK", endedBy: "caller", leftOut: 0, ...more,
});

const [ONE, TWO] = BOXES.map(({ sip }) => sip);

function message(at: number, direction: "in" | "out", remote: MessageView["remote"] | undefined, startLine: string, via: string, transport = "udp"): MessageView {
  const text = `${startLine}\r\nVia: SIP/2.0/${transport.toUpperCase()} ${via};branch=z9hG4bK1\r\nCall-ID: a84b4c76e66710\r\n\r\n`;
  return { at: START + at, direction, remote: remote ?? CALLER, transport, startLine, text };
}

const INVITE = "INVITE sip:205@acme.example SIP/2.0";
const ONWARD = "INVITE sip:205@192.0.2.88:5060 SIP/2.0";

/** The clock of the second box is 30 ms behind. `transport`: between the boxes. */
export function sampleLegs(transport = "udp", call = sampleCall()): [Leg, Leg] {
  const fromFirst = transport === "udp" ? ONE : { host: "192.0.2.1", port: 40_123 };
  return [
    { nodeId: FIRST, call, messages: [
      message(0, "in", CALLER, INVITE, "192.0.2.77:5062"),
      message(1, "out", TWO, INVITE, "192.0.2.1:5060", transport),
      message(20, "in", TWO, "SIP/2.0 180 Ringing", "192.0.2.1:5060", transport),
      message(21, "out", CALLER, "SIP/2.0 180 Ringing", "192.0.2.77:5062"),
    ] },
    { nodeId: SECOND, call: { ...call, startedAt: START - 28 }, messages: [
      message(-28, "in", fromFirst, INVITE, "192.0.2.1:5060", transport),
      message(-27, "out", CALLED, ONWARD, "192.0.2.2:5060"),
      message(-12, "in", CALLED, "SIP/2.0 180 Ringing", "192.0.2.2:5060"),
      message(-11, "out", fromFirst, "SIP/2.0 180 Ringing", "192.0.2.1:5060", transport),
    ] },
  ];
}
