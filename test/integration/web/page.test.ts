// The page as a browser shows it, with nothing but what the box sent.

import { existsSync, readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import type { HealthReport } from "../../../src/health/report.ts";
import { pageOf } from "../../../src/web/page/views.ts";

const CHROMIUM = "/usr/bin/chromium";
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const AXE = readFileSync(join(import.meta.dirname, "../../../node_modules/axe-core/axe.min.js"), "utf8");
const BOX = { nodeId: "1".repeat(32), words: "amber-otter-42" };
const AT = Date.UTC(2026, 0, 2);

const REPORT: HealthReport = {
  at: AT, firstLine: "Phones work, but: 1 phone is registered but does not answer.", verdict: "impaired", box: BOX, fleet: "Acme", domain: "acme.example", software: "Ringbox",
  listens: [], peer: { state: "answering", answeredAt: AT, code: null }, facts: [], calls: [], callsUnderWay: 0,
  conditions: [{ code: "phones-silent", severity: "warning", text: "1 phone is registered but does not answer.", next: "Look at its cable.", since: AT }],
  proofs: [{ what: "call", transport: "UDP", by: BOX, outside: false, verdict: "works", at: AT, tookMs: 3, detail: "the phone rang and hung up", signature: null }],
  ring: { canLose: 0, copies: 1, copiesWanted: 3, inSync: true, comparedAt: AT, moving: { received: 3, expected: 9 } },
  boxes: [{ ...BOX, self: true, state: "serving", verdict: "works", provedAt: AT, share: 1, zone: "cellar", software: "", sip: "192.0.2.1:5060", page: "http://192.0.2.1/", roundTripMs: 1 }],
  phones: { registered: 1, proved: 0, list: [{
    aor: "204@acme.example", displayName: "<img src=x onerror=alert(1)>".repeat(4), verdict: "broken",
    flows: [{ contact: "", transport: "UDP", received: "192.0.2.9:5060", box: BOX, model: "<script>alert(2)</script>", registeredUntil: AT, answeredAt: null, answeredTo: null, roundTripMs: null, nat: "rewritten", verdict: "broken" }],
  }] },
  timeLine: [{ id: "1", at: AT, box: BOX, severity: "notice", text: "Started." }],
};

test("in a browser the page has no violation by axe, fits its screen, and runs nothing that a phone sent", async (t) => {
  if (!existsSync(CHROMIUM)) return t.skip(`needs ${CHROMIUM}`);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  try {
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [360, 1_280]) {
        const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
        let ran = 0;
        page.on("dialog", (dialog) => {
          ran += 1;
          dialog.dismiss().catch(() => undefined);
        });
        await page.setContent(pageOf(REPORT, "", REPORT.phones.list));
        await page.addScriptTag({ content: AXE });
        const violations = await page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))");
        assert.deepEqual(violations, [], `${colorScheme}, ${width} px`);
        assert.equal(await page.evaluate("document.documentElement.scrollWidth"), width, "nothing is cut off at the side");
        assert.equal(ran, 0, "no script of a phone's ran");
        await page.close();
      }
    }
  } finally {
    await browser.close();
  }
});
