import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { HealthReport, Phone } from "../../../src/health/report.ts";
import { pageOf } from "../../../src/web/page/views.ts";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const BOX = { nodeId: "0".repeat(32), words: "amber-otter-42" };

const REPORT: HealthReport = {
  at: AT, firstLine: "Phones work. 1 of 1 phone proved in the last minute. 1 of 1 box.", verdict: "works", box: BOX, fleet: "Acme", domain: "acme.example",
  software: "Ringbox/0.1", listens: [], peer: { state: "answering", answeredAt: AT, code: null },
  conditions: [{ code: "alone", severity: "notice", text: "1 copy: this is the only box.", next: "Plug in a second box.", since: AT - 90_000 }],
  proofs: [{ what: "call", transport: "UDP", by: BOX, outside: false, verdict: "not-known", at: null, tookMs: null, detail: "", signature: null }],
  ring: { canLose: 0, copies: 1, copiesWanted: 3, inSync: true, comparedAt: AT, moving: null },
  boxes: [{ ...BOX, self: true, state: "serving", verdict: "works", provedAt: AT - 3_000, share: 1, zone: "", software: "", sip: "192.0.2.1:5060", page: null, roundTripMs: null }],
  phones: { registered: 1, proved: 0, list: [] }, facts: [], timeLine: [], calls: [], callsUnderWay: 0,
};

const phone = (model: string, displayName: string): Phone => ({
  aor: "204@acme.example", displayName, verdict: "broken",
  flows: [{ contact: "sip:204@192.0.2.9", transport: "UDP", received: "192.0.2.9:5060", box: BOX, model, registeredUntil: AT, answeredAt: null, answeredTo: null, roundTripMs: null, nat: "none", verdict: "broken" }],
});

suite("the page", () => {
  test("says the first line, what to do, and how old each proof is, without a script", () => {
    const page = pageOf(REPORT, "", []);
    for (const said of [REPORT.firstLine, "Plug in a second box.", "3 s ago", "never", "As of 03:04:05 UTC"]) assert(page.includes(said), said);
    assert.deepEqual(page.match(/<script[^>]*>/g), ['<script type="module" src="/assets/live.js">'], "what keeps it true while it is open, and no other");
  });

  test("shows a command that is to be typed as one", () => {
    const condition = { code: "x", severity: "notice", text: "A.", next: "Type `ringbox <peers>` now.", since: 0 } as const;
    assert(pageOf({ ...REPORT, conditions: [condition] }, "", []).includes("Type <code>ringbox &lt;peers&gt;</code> now."));
  });

  test("shows names of phones as text, without control characters", () => {
    const page = pageOf(REPORT, "\"><script>", [phone("<script>alert(1)</script>\u001b[6n\u009d52", "<img src=x onerror=alert(2)>\u202e")]);
    assert(!page.includes("<script>") && !page.includes("<img"));
    assert(!Array.from(page).some((c) => (c < " " && c !== "\n") || (c >= "\u007f" && c < "\u00a0") || c === "\u202e"));
  });

  test("says of a phone that is registered but silent that it does not answer", () => {
    assert(pageOf(REPORT, "204", [phone("", "")]).includes("registered, does not answer"));
  });

  test("tells what the machine measures, and leaves out what it does not", () => {
    const fact = (label: string, value: number | string | null, unit: string) => ({ name: label, label, value, unit, at: 0 });
    const page = pageOf({ ...REPORT, facts: [fact("Disk free", 53_200_000_000, "bytes"), fact("Temperature", null, "°C"), fact("Running for", 7_300, "s")] }, "", []);
    for (const said of ["53.2 GB", "Running for", "2 h"]) assert(page.includes(said), said);
    assert(!page.includes("Temperature"));
  });

  test("has words where there is nothing", () => {
    const page = pageOf({ ...REPORT, conditions: [], proofs: [], boxes: [] }, "", []);
    for (const said of ["Nothing is known to be the matter.", "No box is known.", "No phone is registered.", "Nothing has been proved yet."]) assert(page.includes(said), said);
  });
});
