// The ladder of a call as a browser shows it, without a script.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { ladderOf } from "../../../src/health/calls/ladder.ts";
import { callListPage, ladderPage } from "../../../src/web/page/call-view.ts";
import { BOXES, sampleCall, sampleLegs, START } from "../../support/sample-calls.ts";

const CHROMIUM = "/usr/bin/chromium";
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const AXE = readFileSync(join(import.meta.dirname, "../../../node_modules/axe-core/axe.min.js"), "utf8");
const LADDER = ladderPage(ladderOf(sampleLegs("udp", sampleCall({ leftOut: 2 })), BOXES, [], START + 200_000));
const LIST = callListPage([{ ...sampleCall(), outcome: "talking" }, { ...sampleCall({ kind: "registration", id: "2" }), outcome: "registered" }], START);

async function withPage(browser: Browser, width: number, colorScheme: "light" | "dark", html: string, look: (page: Page) => Promise<void>): Promise<void> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  await page.setContent(html);
  await look(page);
  await page.close();
}

test("the ladder has no violation by axe, fits a phone's screen and a large one, and each arrow goes from its column to its other", async (t) => {
  if (!existsSync(CHROMIUM)) return t.skip(`needs ${CHROMIUM}`);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  try {
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [390, 1_280]) {
        for (const html of [LADDER, LIST]) {
          await withPage(browser, width, colorScheme, html, async (page) => {
            await page.addScriptTag({ content: AXE });
            assert.deepEqual(await page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))"), [], `${colorScheme}, ${width} px`);
            assert.equal(await page.evaluate("document.documentElement.scrollWidth"), width, "nothing is cut off at the side");
          });
        }
        await withPage(browser, width, colorScheme, LADDER, arrowsMeetColumns);
      }
    }
    await withPage(browser, 1_280, "light", LADDER, opensByKeyboard);
  } finally {
    await browser.close();
  }
});

/** Middle of each head, and both ends of each arrow. */
async function arrowsMeetColumns(page: Page): Promise<void> {
  const heads = (await page.evaluate("[...document.querySelectorAll('.heads li')].map((e) => e.getBoundingClientRect()).map(({ left, right }) => (left + right) / 2)")) as number[];
  const arrows = (await page.evaluate("[...document.querySelectorAll('.arrow')].map((e) => e.getBoundingClientRect()).map(({ left, right }) => [left, right])")) as [number, number][];
  const expected = [[0, 1], [1, 2], [2, 3], [2, 3], [1, 2], [0, 1]];
  assert.equal(arrows.length, expected.length);
  arrows.forEach(([left, right], index) => {
    const [from = 0, to = 0] = expected[index] ?? [];
    assert.ok(Math.abs(left - (heads[from] ?? 0)) < 2 && Math.abs(right - (heads[to] ?? 0)) < 2, `arrow ${index}: ${left} to ${right}, columns at ${heads.join()}`);
  });
}

/** Tab to a message, Enter shows it whole. */
async function opensByKeyboard(page: Page): Promise<void> {
  await page.locator("summary").first().focus();
  await page.keyboard.press("Enter");
  assert.match(await page.locator("pre").first().innerText(), /^INVITE sip:205@acme\.example SIP\/2\.0\nVia: /);
}
