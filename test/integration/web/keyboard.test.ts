// The page without a mouse: every control is reached by Tab, is seen when it is, does its work by Enter or Space, and
// is not taken from under one's hands by what changes meanwhile. And axe, in the states that a page can be in.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { chromium, type Page } from "playwright-core";
import { PATIENCE, until } from "../../lab/until.ts";
import { atEnd, servingBox, skipWithoutBox } from "../../support/built-ring.ts";
import { HTTP_PORT, PageAgent, skipWithoutAgent } from "../../support/page-visitor.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const AXE = readFileSync(join(import.meta.dirname, "../../../node_modules/axe-core/axe.min.js"), "utf8");
const skip = skipWithoutBox || skipWithoutAgent || (existsSync(CHROMIUM) ? false : `${CHROMIUM}: not there (npm run setup of the tests installs it)`);
const CONTROLS = "[...document.querySelectorAll('a[href],button,input,summary,[tabindex=\"0\"]')].filter((element) => element.checkVisibility())";
/** As a person who looks at the screen would name what has the keyboard. */
const FOCUSED = "(document.activeElement.id || document.activeElement.textContent || document.activeElement.getAttribute('aria-label') || '').trim().slice(0, 40)";
const IS_SEEN = "getComputedStyle(document.activeElement).outlineStyle !== 'none' && Number.parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 1";

/** Presses Tab until every control had the keyboard once; each in turn. */
async function walk(page: Page): Promise<void> {
  await page.evaluate(`for (const element of ${CONTROLS}) element.dataset.walked = "no"`);
  const all = await page.evaluate<number>(`${CONTROLS}.length`);
  for (let pressed = 0; pressed < all + 2; pressed += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate<boolean>("document.activeElement === document.body")) continue;
    assert(await page.evaluate<boolean>(IS_SEEN), `nothing shows that the keyboard is at ${await page.evaluate<string>(FOCUSED)}`);
    await page.evaluate("document.activeElement.setAttribute('data-walked', 'yes')");
  }
  assert.deepEqual(await page.evaluate(`${CONTROLS}.filter((element) => element.dataset.walked === "no").map(({ outerHTML }) => outerHTML)`), [], "not reached by Tab");
}

async function tabTo(page: Page, name: string): Promise<void> {
  for (let pressed = 0; pressed < 60; pressed += 1) {
    if ((await page.evaluate<string>(FOCUSED)).startsWith(name)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not come to ${name}`);
}

/** The open page has shown something newer, twice. */
async function updatesTwice(page: Page): Promise<void> {
  for (let time = 0; time < 2; time += 1) {
    const before = await page.textContent("#top .soft");
    await until("the page shows a later time", PATIENCE, async () => assert.notEqual(await page.textContent("#top .soft"), before));
  }
}

async function assertAxe(page: Page, state: string): Promise<void> {
  await page.evaluate(AXE);
  assert.deepEqual(await page.evaluate("axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`))"), [], state);
}

const says = (page: Page, expected: RegExp, seconds = 30) =>
  until(`the page says ${expected}`, seconds, async () => assert.match((await page.textContent("#said")) ?? "", expected));

suite("by keyboard alone", { skip }, () => {
  test("the open page is walked through, searched and unfolded, and keeps the keyboard while it changes", async (t) => {
    const { box } = await servingBox(t);
    const agent = await PageAgent.start(t, box.address, box.dataDirectory);
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    atEnd(t, () => browser.close());
    const page = await browser.newPage();
    await page.goto(`http://${box.address}:${HTTP_PORT}/`);
    await page.waitForSelector("h1.works");
    await assertAxe(page, "all is well");

    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(FOCUSED), "To what is the matter");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
    await page.goto(`http://${box.address}:${HTTP_PORT}/`);
    await walk(page);

    await tabTo(page, "The ring as a table");
    await page.keyboard.press("Enter");
    await updatesTwice(page);
    assert.equal(await page.evaluate(FOCUSED), "The ring as a table", "the keyboard stayed");
    assert.equal(await page.evaluate("document.activeElement.parentElement.open"), true, "and what was unfolded");
    await assertAxe(page, "with a table unfolded");

    await page.focus("input[name=q]");
    await page.keyboard.type("20");
    await updatesTwice(page);
    await page.keyboard.type("4");
    assert.equal(await page.inputValue("input[name=q]"), "204", "what is being typed stays");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\?q=204$/);
    assert.match((await page.textContent("section[aria-labelledby=phones]")) ?? "", /No phone is found by that/);

    await box.ask({ op: "drain", on: true });
    await page.focus("input[name=q]");
    await until("a condition is shown also while the keyboard is elsewhere on the page", PATIENCE, async () => assert.match((await page.textContent("section[aria-labelledby=matters]")) ?? "", /takes no new calls/));
    await assertAxe(page, "with conditions");
    agent.process.kill("SIGKILL");
    await page.waitForSelector("#stale:not([hidden])");
    await assertAxe(page, "stale");
  });

  test("signing in, each button, the terminal and signing out need no mouse", async (t) => {
    const { box } = await servingBox(t);
    const agent = await PageAgent.start(t, box.address, box.dataDirectory);
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    atEnd(t, () => browser.close());
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    await page.goto(`${agent.origin}/operate`);
    await page.waitForSelector("#sign-in:not([hidden])");
    await assertAxe(page, "signed out");
    await tabTo(page, "code");
    await page.keyboard.type(agent.code("--shell"));
    await page.keyboard.press("Enter");
    await page.waitForSelector("#operate:not([hidden])");
    assert.equal(await page.evaluate("document.activeElement.id"), "operate", "the keyboard is where one goes on");
    await assertAxe(page, "signed in");
    await walk(page);

    await tabTo(page, "Prove now");
    await page.keyboard.press("Space");
    await says(page, /works, [\d.]+ ms/);
    assert.equal(await page.evaluate(FOCUSED), "Prove now", "the keyboard stayed at the button");
    await tabTo(page, "waiting-code");
    await page.keyboard.type("nonsense");
    await tabTo(page, "Admit");
    await page.keyboard.press("Enter");
    await says(page, /not a code/);

    await tabTo(page, "open-terminal");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".xterm-rows");
    const shown = async (): Promise<string> => ((await page.textContent(".xterm-rows")) ?? "").replaceAll("\u00a0", " ");
    await until("the terminal has its menu", PATIENCE, async () => assert.match(await shown(), /0 +End/));
    await page.keyboard.type("10\r");
    await until("the shell is there", PATIENCE, async () => assert.match(await shown(), /\$\s*$/));
    await page.keyboard.type("echo answer-$((6*7))\r");
    await until("the terminal answers", PATIENCE, async () => assert.match(await shown(), /answer-42/));
    await assertAxe(page, "with a terminal");
    await page.keyboard.press("F6");
    assert.equal(await page.evaluate("document.activeElement.id"), "sign-out", "out of the terminal");
    await page.keyboard.press("Enter");
    await says(page, /Signed out|closed: signed out/);
    assert.equal(await page.evaluate("document.activeElement.id"), "code");
  });
});
