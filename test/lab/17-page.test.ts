// The page of one of three real boxes in a browser: its first line is true while a box dies and returns, and each
// button does on the ring what it says.

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { boxWords } from "../../src/health/box-words.ts";
import { Agent } from "./agent.ts";
import { Box, ringbox } from "./box.ts";
import { keepPicture, openBrowser, whyNoBrowser } from "./browser.ts";
import { account, type Lab, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { makeParts, rootHashOf } from "../support/slotted-machine.ts";
import { PATIENCE, until } from "./until.ts";

const no = whyNoBrowser();
const PLAN = { boxes: 3, phones: 1, programs: ["baresip"], ...(no === undefined ? {} : { without: no }) };
/** What died is told within so long, seconds. */
const TOLD_WITHIN = 5;

const text = async (page: Page, selector: string): Promise<string> => ((await page.textContent(selector)) ?? "").replaceAll(/\s+/g, " ");

async function firstLineSays(page: Page, expected: RegExp, seconds: number, since = performance.now()): Promise<number> {
  const found = await until(`the first line says ${expected}`, seconds, async () => assert.match(await text(page, "h1"), expected), since);
  return found.seconds;
}

labTest("the open page is true while a box dies and returns, and every button does what it says", PLAN, async (lab) => {
  await lab.start();
  const [user] = await lab.subscribe(lab.box(1), "20", 1);
  assert(user !== undefined);
  for (const box of lab.boxes) void new Agent(box);
  const phone = await Baresip.start(lab.phoneHost(1), account(user, lab.box(1)));
  await phone.register();
  const browser = await openBrowser(lab.phoneHost(1));
  try {
    const page = await openPage(lab, browser);
    await deathAndReturn(lab, page);
    await buttons(lab, browser, page, `${user.username}`);
  } finally {
    await browser.close();
    await phone.close();
  }
});

async function openPage(lab: Lab, browser: Browser): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 900 } });
  await until("the page is served", PATIENCE, () => page.goto(`http://${lab.box(1).address}:8080/`));
  const seconds = await firstLineSays(page, /^Phones work\. 1 of 1 phone proved in the last minute\. 3 of 3 boxes\. You can lose 2\.$/, PATIENCE);
  lab.tell(`everything is proved ${seconds.toFixed(1)} s after the page was opened: ${await text(page, "h1")}`);
  return page;
}

async function deathAndReturn(lab: Lab, page: Page): Promise<void> {
  const victim = lab.box(3);
  const { nodeId } = await victim.status();
  const row = `li[data-key="${nodeId}"]`;
  await until("the other box's row is green", PATIENCE, async () => assert.match(await text(page, row), /works/));
  lab.tell(await keepPicture(page, "desktop-light"));
  const loaded = await page.evaluate("performance.timeOrigin");
  await victim.kill("SIGKILL");
  const died = performance.now();
  const told = await firstLineSays(page, /^Phones work, but: 1 box does not answer\..* 2 of 3 boxes\. You can lose 1\.$/, TOLD_WITHIN, died);
  await until("its row is red", TOLD_WITHIN, async () => assert.match(await text(page, row), /does not work/), died);
  assert.equal(await page.locator(".seat.ghost").count(), 1, "it is a ghost on the ring");
  assert.doesNotMatch(await text(page, 'section[aria-labelledby="ring"]'), new RegExp(`also on [^.]*${boxWords(nodeId)}`), "it keeps nobody's copies");
  lab.tell(await keepPicture(page, "box-died"));
  // Before it returns: what is over within moments need not have come to everybody's notice.
  await until("what another box saw is on the time line, with its name", PATIENCE, async () => {
    const lines = await page.locator('section[aria-labelledby="line"] li').allTextContents();
    const words = new Set(await Promise.all([1, 2].map(async (number) => boxWords((await lab.box(number).status()).nodeId))));
    const tellers = new Set(lines.filter((line) => line.includes("1 box does not answer")).map((line) => [...words].find((name) => line.includes(name))));
    assert.equal(tellers.size, 2, lines.join("; "));
  });
  victim.start();
  const returned = performance.now();
  const back = await firstLineSays(page, /^Phones work\..* 3 of 3 boxes\. You can lose 2\.$/, PATIENCE, returned);
  await until("its row is green again", PATIENCE, async () => assert.match(await text(page, row), /works/));
  assert.equal(await page.locator(".seat.ghost").count(), 0);
  assert.equal(await page.evaluate("performance.timeOrigin"), loaded, "it was not loaded anew");
  lab.tell(`a box died: the first line said so after ${told.toFixed(1)} s; it was started again: all well after ${back.toFixed(1)} s`);
}

/** Each button of the box's page, and what it did on the ring. */
async function buttons(lab: Lab, browser: Browser, open: Page, user: string): Promise<void> {
  const [first, second] = [lab.box(1), lab.box(2)];
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true, colorScheme: "dark", viewport: { width: 390, height: 844 } })).newPage();
  await page.goto(`https://${first.address}:8443/operate`);
  await page.fill("#code", (await first.command("web-code", "--shell")).trim());
  await page.click("text=Sign in");
  await page.waitForSelector("#operate:not([hidden])");

  await press(page, "prove-now", /^(?=.*UDP: works, [\d.]+ ms)(?=.*TCP: works, [\d.]+ ms)/);
  await press(page, "locate", /shows itself|nothing that this program may blink/);
  await page.fill("#phone", user);
  await press(page, "ring-phone", new RegExp(`${user}@lab\\.test: .*(?:rang|answered)`));
  await press(page, "drain", /takes no new calls and registrations now/);
  await until("the open page says that the box is drained", PATIENCE, async () => assert.match(await text(open, "#matters + ul"), /takes no new calls and registrations/));
  await press(page, "undrain", /takes calls and registrations/);

  const fourth = new Box(lab.network.addHost("b4", 4), undefined);
  fourth.start();
  void new Agent(fourth);
  const { value: code } = await until("the waiting box shows its code", PATIENCE, async () => {
    const { code: shown } = await fourth.ask<"heartbeat">({ op: "heartbeat", proofs: "not-known", page: "", conditions: [] });
    assert(shown !== null, "no code yet");
    return shown;
  });
  await page.fill("#waiting-code", code);
  await press(page, "admit", /The box [a-z]+-[a-z]+-\d+ is admitted\./);
  await firstLineSays(open, / 4 of 4 boxes\. You can lose 2\.$/, 30);

  await page.fill("#revoked-box", (await second.status()).nodeId);
  await press(page, "revoke", /Only the fleet's key can revoke .* ringbox revoke [0-9a-f]{8} --fleet/);

  const { uptimeSeconds: before } = await first.status();
  await press(page, "restart", /restarted and serves again after [\d.]+ s/, 120);
  assert((await first.status()).uptimeSeconds < before, "the box began anew");
  await firstLineSays(open, / 4 of 4 boxes\./, 30);

  await bringBundle(lab, page);

  await page.click("#open-terminal");
  await page.waitForSelector(".xterm-rows");
  const terminal = async (): Promise<string> => (await text(page, ".xterm-rows")).replaceAll("\u00a0", " ");
  await until("the terminal has its menu", PATIENCE, async () => assert.match(await terminal(), /0 +End/));
  await page.keyboard.type("10\r");
  await until("the shell is there", PATIENCE, async () => assert.match(await terminal(), /\$\s*$/));
  await page.keyboard.type("echo answer-$((6*7))\r");
  await until("the terminal answers", PATIENCE, async () => assert.match(await terminal(), /answer-42/));
  lab.tell(await keepPicture(page, "phone-dark-signed-in"));
  // By keyboard, as the page says: a picture of the whole page leaves Chromium scrolling, and a click falls beside.
  await page.keyboard.press("F6");
  await page.keyboard.press("Enter");
  await until("signed out", PATIENCE, async () => assert.match(await text(page, "#said"), /Signed out|closed: signed out/));
  await page.goto(`http://${second.address}:8080/`);
  await until("what was done at one box stands on the page of another", PATIENCE, async () => {
    const happened = await text(page, 'section[aria-labelledby="line"]');
    assert.match(happened, /restart this box\. The box restarted/);
  });
  lab.tell(await keepPicture(page, "phone-dark"));
}

/** As an operator does from a notebook. None of these boxes has slots: it is brought, checked, wished for, and left alone. */
async function bringBundle(lab: Lab, page: Page): Promise<void> {
  const { directory } = lab.network;
  const bundle = join(directory, "ringbox_9.0.0.bundle");
  const { verity, root, kernel } = makeParts(join(directory, "parts"), "9.0.0");
  await ringbox("bundle", "build", bundle, "--key", join(directory, "fleet/update.key"), "--bundle-version", "9.0.0", "--arch", "x86-64", "--root-hash", rootHashOf("9.0.0"), "--verity", verity, "--root", root, "--kernel", kernel);
  await page.setInputFiles("#bundle", kernel);
  await page.click("#update");
  await until("what is no bundle is refused", PATIENCE, async () => assert.match(await text(page, "#said"), /The bundle is refused: this is no Ringbox bundle\./));
  await page.setInputFiles("#bundle", bundle);
  await page.click("#update");
  await until("the page says that it begins", PATIENCE, async () => assert.match(await text(page, "#said"), /All boxes are to have version 9\.0\.0\. This box goes last\./));
  await until("it lists the boxes", PATIENCE, async () => assert.match(await text(page, "#updates"), /^Version 9\.0\.0 \(x86-64\)(?:.*is left as it is){4}/));
  lab.tell(await keepPicture(page, "update"));
  await page.click("#stop-update");
  await until("it is stopped", PATIENCE, async () => assert.match(await text(page, "#updates"), /stopped: stopped by /));
}

async function press(page: Page, action: string, expected: RegExp, seconds = 30): Promise<void> {
  await page.click(`button[data-action="${action}"]`);
  await until(`the page says ${expected}`, seconds, async () => assert.match(await text(page, "#said"), expected));
}
