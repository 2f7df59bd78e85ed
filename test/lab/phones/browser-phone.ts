// A phone in Chromium: JsSIP over secure WebSocket, with a microphone that beeps and no loudspeaker.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { openBrowser } from "../browser.ts";
import type { Host } from "../network.ts";
import { PATIENCE, until } from "../until.ts";
import type { BrowserPhoneOptions, BrowserPhoneState, Sound } from "./browser-phone-page.ts";
import type { Account, CallOutcome, Phone } from "./phone.ts";

const WSS_PORT = 5067;
/** Any address with https: only there does a browser open a microphone. Served by the test itself. */
const PAGE = "https://phone.example/";

const DRIVER = 'import jsSip from "jssip"; import { startPhone } from "./browser-phone-page.ts"; window.startPhone = (options) => { window.phone = startPhone(jsSip, options); };';

async function script(): Promise<string> {
  const built = await build({ stdin: { contents: DRIVER, resolveDir: import.meta.dirname, loader: "js" }, bundle: true, write: false, format: "iife", logLevel: "silent", define: { global: "window" } });
  return built.outputFiles[0]?.text ?? "";
}

/** A home directory whose browser believes this authority, as an operator's own computer does. */
function homeThatBelieves(host: Host, authority: string): string {
  const home = join(host.directory, `${host.name}-home`);
  const store = join(home, ".pki/nssdb");
  mkdirSync(store, { recursive: true });
  for (const parameters of [["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "fleet", "-i", authority]]) {
    const done = spawnSync("certutil", ["-d", `sql:${store}`, ...parameters], { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`certutil ${parameters.join(" ")}: ${done.stderr}`);
  }
  return home;
}

type Media = Partial<Pick<BrowserPhoneOptions, "relayOnly">>;

export class BrowserPhone implements Phone {
  readonly aor: string;
  readonly host: Host;
  readonly #browser: Browser;
  readonly #page: Page;
  readonly #options: BrowserPhoneOptions;
  /** What the browser wrote to its console. */
  readonly #said: string[] = [];

  /** `authority` of the account: what its browser believes, and nothing beside it. */
  static async start(host: Host, account: Account & { readonly authority: string }, media: Media = {}): Promise<BrowserPhone> {
    const home = homeThatBelieves(host, account.authority);
    const flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"];
    const browser = await openBrowser(host, { flags, environment: { HOME: home } });
    // The first, Chromium asks a person before a page of the internet may speak to an address of the LAN.
    const context = await browser.newContext({ permissions: ["local-network-access", "microphone"] });
    const page = await context.newPage();
    await page.route(`${PAGE}**`, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>phone</title>" }));
    await page.goto(PAGE);
    await page.addScriptTag({ content: await script() });
    return new BrowserPhone(host, account, media, browser, page);
  }

  private constructor(host: Host, account: Account, media: Media, browser: Browser, page: Page) {
    this.host = host;
    this.aor = `${account.username}@${account.domain}`;
    const url = `wss://${account.box}:${account.boxPort ?? WSS_PORT}`;
    this.#options = { url, aor: this.aor, password: account.password, relayOnly: false, ...media };
    this.#browser = browser;
    this.#page = page;
    page.on("console", (line) => this.#said.push(line.text()));
  }

  async register(): Promise<void> {
    await this.#page.evaluate(`startPhone(${JSON.stringify(this.#options)})`);
    await until(`${this.aor} is registered`, PATIENCE, async () => {
      const state = await this.state();
      if (!state.isRegistered) throw new Error(`${JSON.stringify(state)} ${this.#said.slice(-3).join("; ")}`);
    });
  }

  async call(aor: string, seconds: number = PATIENCE): Promise<CallOutcome> {
    const begun = performance.now();
    await this.#page.evaluate(`phone.call(${JSON.stringify(aor)})`);
    const { value } = await until(`the call of ${this.aor} is decided`, seconds, async () => {
      const state = await this.state();
      if (state.call !== "talking" && state.call !== "ended") throw new Error(JSON.stringify(state));
      return state;
    });
    if (value.call === "ended") return { answered: false, reason: value.cause };
    return { answered: true, seconds: (performance.now() - begun) / 1000 };
  }

  async talkingWith(peer: string, seconds: number = PATIENCE): Promise<void> {
    await until(`${this.aor} talks with ${peer}`, seconds, async () => {
      const state = await this.state();
      if (state.call !== "talking" || !state.peer.includes(peer)) throw new Error(JSON.stringify(state));
    });
  }

  /** Waits until sound comes in and goes out: at least so many packets of 20 ms, and no silence. */
  async hears(packets: number, seconds: number = PATIENCE): Promise<Sound> {
    const { value } = await until(`${this.aor} hears ${packets} packets and sends as many`, seconds, async () => {
      const sound = await this.#page.evaluate<Sound | undefined>("phone.sound()");
      if (sound === undefined || sound.received < packets || sound.sent < packets || sound.energy === 0) throw new Error(JSON.stringify(sound));
      return sound;
    });
    return value;
  }

  async idle(seconds: number = PATIENCE): Promise<void> {
    await until(`${this.aor} has no call`, seconds, async () => {
      const state = await this.state();
      if (state.call !== "ended" && state.call !== "none") throw new Error(JSON.stringify(state));
    });
  }

  async hangUp(): Promise<void> {
    await this.#page.evaluate("phone.hangUp()");
    await this.idle();
  }

  async close(): Promise<void> {
    await this.#page.evaluate("phone.stop()");
    await this.#browser.close();
  }

  state(): Promise<BrowserPhoneState> {
    return this.#page.evaluate<BrowserPhoneState>("phone.state()");
  }
}
