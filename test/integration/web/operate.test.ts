// The page for who may do something, in Debian's Chromium, against a real box: signing in, every button, the terminal,
// signing out. And what phones send is text on every view of it (row W06).

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { chromium, type Page } from "playwright-core";
import { DIST } from "../../lab/box.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { atEnd, DOMAIN, servingBox, SIP_PORT, skipWithoutBox } from "../../support/built-ring.ts";
import { PageAgent, skipWithoutAgent } from "../../support/page-visitor.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const skip = skipWithoutBox || skipWithoutAgent || (existsSync(CHROMIUM) ? false : `${CHROMIUM}: not there (npm run setup of the tests installs it)`);
/** What a phone may call itself to fool a terminal or a page. */
const EVIL = `<script>alert(1)</script>"><img src=x onerror=alert(2)>\u001b[6n\u001b]52;c;ZXZpbA==\u0007`;

suite("the page for who may do something", { skip }, () => {
  test("a code signs in, each button says what happened, and the terminal goes with the session", async (t) => {
    const { box } = await servingBox(t, ["--open-registration"]);
    const agent = await PageAgent.start(t, box.address, box.dataDirectory);
    const phone = await ringingPhone(box.address);
    atEnd(t, () => phone.close());
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    atEnd(t, () => browser.close());
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    const alerts: string[] = [];
    page.on("dialog", (dialog) => {
      alerts.push(dialog.message());
      void dialog.dismiss();
    });
    page.on("pageerror", (error) => alerts.push(error.message));

    await page.goto(`${agent.origin}/operate`);
    await page.fill("#code", "AAAA-AAAA");
    await page.click("text=Sign in");
    await says(page, /not one that is good now/);
    await page.fill("#code", agent.code("--shell", "--for", "Ada"));
    await page.click("text=Sign in");
    await page.waitForSelector("#operate:not([hidden])");
    assert.match((await page.textContent("#who")) ?? "", /Ada at 127\.\S+, with a shell/);

    await press(page, "prove-now", /^(?=.*UDP: works, [\d.]+ ms)(?=.*TCP: works, [\d.]+ ms)/);
    await press(page, "locate", /shows itself|nothing that this program may blink/);
    await page.fill("#phone", "204");
    await press(page, "ring-phone", /204@acme\.example: it rang after \d+ ms/);
    await page.fill("#phone", "999");
    await press(page, "ring-phone", /999@acme\.example is not registered/);
    await page.fill("#waiting-code", "nonsense");
    await press(page, "admit", /not a code/);
    await page.fill("#revoked-box", "0".repeat(32));
    await press(page, "revoke", /Only the fleet's key can revoke .* ringbox revoke 00000000 --fleet/);
    const [pack] = await Promise.all([page.waitForEvent("download"), page.click("#evidence")]);
    assert.match(pack.suggestedFilename(), /^ringbox-[a-z]+-[a-z]+-\d+-\d+T\d+\.tar\.gz$/);
    await says(page, /without passwords and keys/);
    await page.click("text=Recent calls and their messages");
    await page.click("text=line-test@acme.example called 204@acme.example");
    await page.locator("summary", { hasText: "INVITE" }).first().click();
    assert.match(await page.locator("pre").first().innerText(), /^INVITE sip:/);
    await page.goto(`${agent.origin}/operate`);
    await page.waitForSelector("#operate:not([hidden])");
    await press(page, "drain", /No other box serves/);
    await press(page, "drain", /takes no new calls and registrations now/);
    assert.equal(await registerStatus(box.address), 503);
    await press(page, "undrain", /takes calls and registrations/);
    assert.equal(await registerStatus(box.address), 200);
    await press(page, "restart", /Confirm to do it all the same/);
    await press(page, "restart", /restarted and serves again after [\d.]+ s/, 90);
    const restart = (await page.textContent("#said")) ?? "";

    await page.click("#open-terminal");
    await page.waitForSelector(".xterm-rows");
    await terminalShows(page, "0  End");
    await page.keyboard.type("10\r");
    await terminalShows(page, "$");
    await page.keyboard.type("echo answer-$((6*7)); whoami; sleep 1000 &\r");
    await terminalShows(page, "answer-42");
    assert.notDeepEqual(programsOf(agent), []);
    await page.click("#sign-out");
    await says(page, /Signed out|closed: signed out/);
    const { seconds } = await until("the terminal's programs are gone", 10, () => assert.deepEqual(programsOf(agent), []));

    const recordings = readdirSync(join(box.dataDirectory, "terminal-recordings"));
    const recording = readFileSync(join(box.dataDirectory, "terminal-recordings", recordings[0] ?? ""), "utf8").trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(recording[0].version, 2);
    assert.match(recording.slice(1).map(([, , text]) => text).join(""), /answer-42/);

    await page.goto(`http://${box.address}:8080/`);
    const report = JSON.parse((await agent.ask("/api/report", { plain: true })).text) as { timeLine: { text: string }[] };
    assert.ok(report.timeLine.some(({ text }) => /Ada at \S+: restart this box/.test(text)), "the time line says who did it");
    assert.deepEqual(alerts, []);
    t.diagnostic(`sign-out: 0 programs left after ${seconds.toFixed(1)} s. ${restart}`);
  });

  test("W06: what a phone calls itself is text on the page, in the terminal and in the log", async (t) => {
    const { box } = await servingBox(t, ["--open-registration"]);
    const agent = await PageAgent.start(t, box.address, box.dataDirectory);
    const phone = await ringingPhone(box.address, EVIL);
    atEnd(t, () => phone.close());
    await until("the phone is listed", PATIENCE, async () => assert.match((await agent.ask("/api/phones?q=204", { plain: true })).text, /204@acme/));
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    atEnd(t, () => browser.close());
    const page = await browser.newPage();
    const alerts: string[] = [];
    page.on("dialog", (dialog) => {
      alerts.push(dialog.message());
      void dialog.dismiss();
    });
    await page.goto(`http://${box.address}:8080/`);
    await page.waitForTimeout(500);
    const views = [agent.log, (await agent.ask("/api/phones?q=204", { plain: true })).text, (await agent.ask("/api/report", { plain: true })).text, topOf(box.dataDirectory), menuOf(box.dataDirectory)];
    // Line ends are the view's own.
    const octets = views.map((view) => [...view].filter((character) => character < " " && character !== "\n" && character !== "\r").length);
    assert.deepEqual(octets, [0, 0, 0, 0, 0]);
    assert.ok(views[4]?.includes("204@acme.example"), views[4]);
    assert.deepEqual(alerts, []);
    t.diagnostic(`W06: ${alerts.length} alerts, ${octets.reduce((a, b) => a + b)} control octets in ${views.length} views`);
  });
});

const press = async (page: Page, action: string, expected: RegExp, seconds = 30): Promise<void> => {
  await page.click(`button[data-action="${action}"]`);
  await says(page, expected, seconds);
};

async function says(page: Page, expected: RegExp, seconds = 10): Promise<void> {
  await until(`the page says ${expected}`, seconds, async () => assert.match((await page.textContent("#said")) ?? "", expected));
}

async function terminalShows(page: Page, words: string): Promise<void> {
  await until(`the terminal shows ${words}`, PATIENCE, async () => assert.ok(((await page.textContent(".xterm-rows")) ?? "").replaceAll("\u00a0", " ").includes(words), (await page.textContent(".xterm-rows")) ?? ""));
}

const topOf = (directory: string): string => spawnSync(join(DIST, "ringbox"), ["--data", directory, "top"], { encoding: "utf8", timeout: 2_500, killSignal: "SIGKILL", env: { TERM: "dumb" } }).stdout;
const menuOf = (directory: string): string => execFileSync(join(DIST, "ringbox"), ["--data", directory, "field-menu"], { encoding: "utf8", input: "3\n0\n", timeout: 10_000 });

/** Programs that the agent runs, and what they run. */
function programsOf(agent: PageAgent): string[] {
  const list = execFileSync("ps", ["-e", "-o", "pid=,ppid=,sid=,args="], { encoding: "utf8" }).trim().split("\n").map((line) => line.trim().split(/\s+/));
  const leaders = new Set(list.filter(([, parent]) => parent === String(agent.process.pid)).map(([pid]) => pid));
  return list.filter(([pid, , session]) => leaders.has(pid) || leaders.has(session)).map((words) => words.slice(3).join(" "));
}

const registerRequest = (port: number, agent: string, id: string): string =>
  [
    `REGISTER sip:${DOMAIN} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${id};rport`, "Max-Forwards: 70", `From: <sip:204@${DOMAIN}>;tag=${id}`, `To: <sip:204@${DOMAIN}>`,
    `Call-ID: ${id}@127.0.0.1`, "CSeq: 1 REGISTER", `Contact: <sip:204@127.0.0.1:${port}>`, `User-Agent: ${agent}`, "Expires: 600", "Content-Length: 0", "", "",
  ].join("\r\n");

/** A phone that is registered, and rings when it is called. */
async function ringingPhone(address: string, userAgent = "Test phone") {
  const socket = createSocket("udp4");
  await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
  const { port } = socket.address();
  let registered = false;
  let invite = "";
  socket.on("message", (bytes, from) => {
    const text = bytes.toString("latin1");
    if (text.startsWith("SIP/2.0 200")) registered = true;
    const answer = (status: string, request: string): void => {
      const kept = request.split("\r\n").filter((line) => /^(via|from|call-id|cseq|record-route):/i.test(line));
      const to = `${/^To: .*$/im.exec(request)?.[0] ?? ""};tag=phone`;
      socket.send([`SIP/2.0 ${status}`, ...kept, to, "Content-Length: 0", "", ""].join("\r\n"), from.port, from.address);
    };
    if (text.startsWith("INVITE")) answer("180 Ringing", (invite = text));
    if (text.startsWith("OPTIONS")) answer("200 OK", text);
    if (text.startsWith("CANCEL")) {
      answer("200 OK", text);
      answer("487 Request Terminated", invite);
    }
  });
  await until("the phone is registered", PATIENCE, async () => {
    if (!registered) {
      socket.send(Buffer.from(registerRequest(port, userAgent, `a${port}`), "latin1"), SIP_PORT, address);
      await new Promise((go) => setTimeout(go, 300));
    }
    assert.ok(registered);
  });
  return socket;
}

async function registerStatus(address: string): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((bound) => socket.bind(0, "127.0.0.1", bound));
  const answered = new Promise<number>((status) => socket.on("message", (bytes) => status(Number(bytes.toString("latin1").slice(8, 11)))));
  socket.send(registerRequest(socket.address().port, "Other", `b${socket.address().port}`), SIP_PORT, address);
  const status = await answered;
  socket.close();
  return status;
}
