// A report of one box, as its agent makes it.

import type { HealthReport } from "../../src/health/report.ts";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const BOX = { nodeId: "0".repeat(32), words: "amber-otter-42" };

export const SAMPLE_HEALTH: HealthReport = {
  at: AT, firstLine: "Phones work. 1 of 1 phone proved in the last minute. 1 of 1 box.", verdict: "works", box: BOX, fleet: "Acme", domain: "acme.example",
  software: "Ringbox/0.1", listens: [], peer: { state: "answering", answeredAt: AT, code: null },
  conditions: [{ code: "alone", severity: "notice", text: "1 copy: this is the only box.", next: "Plug in a second box.", since: AT - 90_000 }],
  proofs: [{ what: "call", transport: "UDP", by: BOX, outside: false, verdict: "not-known", at: null, tookMs: null, detail: "", signature: null }],
  ring: { canLose: 0, copies: 1, copiesWanted: 3, inSync: true, comparedAt: AT, moving: null },
  boxes: [{ ...BOX, self: true, state: "serving", verdict: "works", provedAt: AT - 3_000, share: 1, zone: "", software: "", sip: "192.0.2.1:5060", page: null, roundTripMs: null }],
  phones: { registered: 1, proved: 0, list: [] }, facts: [], timeLine: [], calls: [], callsUnderWay: 0,
};
