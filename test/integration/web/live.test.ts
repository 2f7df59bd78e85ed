// A page that somebody left open, while the box behind it goes and comes back.

import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { chromium } from "playwright-core";
import { atEnd, servingBox, skipWithoutBox } from "../../support/built-ring.ts";
import { HTTP_PORT, PageAgent, skipWithoutAgent } from "../../support/page-visitor.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const skip = skipWithoutBox || skipWithoutAgent || (existsSync(CHROMIUM) ? false : `${CHROMIUM}: not there (npm run setup of the tests installs it)`);

suite("an open page", { skip }, () => {
  test("follows the box by itself, says when it hears nothing, and is green again without being loaded anew", async (t) => {
    const { box } = await servingBox(t);
    const agent = await PageAgent.start(t, box.address, box.dataDirectory);
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    atEnd(t, () => browser.close());
    const page = await browser.newPage({ viewport: { width: 1_280, height: 900 } });
    const foreign: string[] = [];
    const trouble: string[] = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(`http://${box.address}:${HTTP_PORT}/`) && !request.url().startsWith("data:")) foreign.push(request.url());
    });
    page.on("pageerror", (error) => trouble.push(error.message));
    await page.goto(`http://${box.address}:${HTTP_PORT}/`);
    await page.waitForSelector("h1.works");
    assert.equal(await page.locator("#stale").isHidden(), true);
    const loaded = await page.evaluate("performance.timeOrigin");

    const { status, headers } = await agent.ask("/sign-in", { plain: true, headers: { host: `${box.address}:${HTTP_PORT}` } });
    assert.deepEqual([status, headers["location"]], [302, `${agent.origin}/operate`], "signing in is over HTTPS");

    agent.process.kill("SIGKILL");
    await page.waitForSelector("#stale:not([hidden])");
    assert.match((await page.textContent("#stale")) ?? "", /^This page has not heard from the box for \d+ s/);
    const grey = "getComputedStyle(document.querySelector('h1')).color === getComputedStyle(document.querySelector('.notice')).color";
    assert.equal(await page.evaluate(grey), true, "nothing on it is green any more");

    await PageAgent.start(t, box.address, box.dataDirectory);
    await page.waitForSelector("#stale", { state: "hidden" });
    await page.waitForSelector("h1.works");
    assert.equal(await page.evaluate("performance.timeOrigin"), loaded, "it was not loaded anew");
    assert.deepEqual(foreign, [], "nothing was asked of anybody else");
    assert.deepEqual(trouble, []);
    const sizes = await page.evaluate("performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).map(({ name, transferSize }) => [name.split('/').pop(), transferSize])");
    const paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime");
    t.diagnostic(`first paint after ${Math.round(Number(paint))} ms; bytes over the wire: ${JSON.stringify(sizes)}`);
    await keepPictures(browser, box.address);
  });
});

/** As a person sees it, for whoever looks at the artefacts of a run. */
async function keepPictures(browser: Awaited<ReturnType<typeof chromium.launch>>, address: string): Promise<void> {
  const folder = join(import.meta.dirname, "../../../artefacts");
  mkdirSync(folder, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [name, width, height] of [["phone", 390, 844], ["desktop", 1_280, 900]] as const) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme });
      await page.goto(`http://${address}:${HTTP_PORT}/`);
      await page.screenshot({ path: join(folder, `page-${name}-${colorScheme}.png`), fullPage: true });
      await page.close();
    }
  }
}
