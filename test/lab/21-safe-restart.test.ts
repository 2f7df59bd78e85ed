// Three boxes are told to restart at the same moment: they go one after another, and phones notice nothing.

import assert from "node:assert/strict";
import { Agent, OpenPage } from "./agent.ts";
import type { Box } from "./box.ts";
import { account, DOMAIN, type Lab, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { registerUsers } from "./phones/sipp.ts";
import { PATIENCE, until } from "./until.ts";

/** One box beside the three is told nothing: phones that use it show whether the ring goes on. */
const PLAN = { boxes: 4, phones: 2, programs: ["baresip", "sipp", "curl"] };
const TOLD = 3;
/** Three restarts, and after each the copies are made equal again, seconds. */
const ALL_BACK = 150;

labTest("boxes that are told to restart together go one after another, while phones register and call", PLAN, async (lab) => {
  await lab.start();
  const agents = lab.boxes.map((box) => new Agent(box));
  const users = await lab.subscribe(lab.box(4), "30", 40);
  const [caller, callee] = await Promise.all([phoneAt(lab, 1, users[0]), phoneAt(lab, 2, users[1])]);
  const pages = agents.map((agent) => new OpenPage(lab.phoneHost(1), agent));
  await until("all pages are green, proved from outside too", PATIENCE, () => {
    for (const { report } of pages) assert(report.verdict === "works" && report.ring.inSync && report.boxes.every(({ verdict }) => verdict === "works"), report.firstLine);
  });
  await lab.allCopies(PATIENCE);
  const told = lab.boxes.slice(0, TOLD);
  const watch = new Watch(lab.boxes);
  const registrations = registerUsers(lab.phoneHost(1), { domain: DOMAIN, box: lab.box(4).address, users: users.slice(2), port: 6_000, rate: 10 });
  const since = performance.now();
  const answers = Promise.all(told.map((box) => restart(box)));
  let calls = 0;
  let slowest = 0;
  let isOver = false;
  void answers.finally(() => (isOver = true));
  while (!isOver && performance.now() - since < ALL_BACK * 1_000) {
    const outcome = await caller.call(callee.aor);
    assert(outcome.answered, `call ${calls + 1}: ${outcome.answered ? "" : outcome.reason}`);
    slowest = Math.max(slowest, outcome.seconds);
    calls += 1;
    await caller.hangUp();
    await callee.idle();
  }
  for (const answer of await answers) assert.match(answer, /The box restarted and serves again after/);
  watch.stop();
  const counted = await registrations.stop();
  assert.equal(watch.outAtOnce, 1, "never two at once");
  assert.deepEqual(watch.out.toSorted(), told.map(({ name }) => name));
  assert.equal(counted.failed, 0, registrations.complaints());
  assert(calls > TOLD, "calls were made all the while");
  lab.tell(`${told.length} boxes told at once restarted one after another (${watch.out.join(", ")}) in ${((performance.now() - since) / 1_000).toFixed(1)} s; meanwhile ${calls} calls of ${calls} answered, the slowest after ${slowest.toFixed(2)} s, ${counted.succeeded} registrations, none failed`);
});

async function phoneAt(lab: Lab, number: number, user: Parameters<typeof account>[0] | undefined): Promise<Baresip> {
  assert(user !== undefined);
  const phone = await Baresip.start(lab.phoneHost(number), account(user, lab.box(4)));
  await phone.register();
  return phone;
}

/** Looks at all boxes again and again: which was out, in which order, and how many at once. */
class Watch {
  /** In the order in which they went. */
  readonly out: string[] = [];
  outAtOnce = 0;
  readonly #boxes: readonly Box[];
  #stopped = false;

  constructor(boxes: readonly Box[]) {
    this.#boxes = boxes;
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const serves = await Promise.all(this.#boxes.map((box) => box.status().then(({ phase }) => phase === "serving", () => false)));
      const away = this.#boxes.filter((_, index) => serves[index] === false).map(({ name }) => name);
      this.outAtOnce = Math.max(this.outAtOnce, away.length);
      for (const name of away) if (this.out.at(-1) !== name) this.out.push(name);
      await new Promise((go) => setTimeout(go, 50));
    }
  }
}

/** As the page's button does it, by somebody who is signed in there. */
async function restart(box: Box): Promise<string> {
  const origin = `https://${box.address}:8443`;
  const code = (await box.command("web-code")).trim();
  const post = (path: string, body: object, ...more: readonly string[]): string[] => ["curl", "-sk", "-i", "-H", `Origin: ${origin}`, "-H", "Content-Type: application/json", ...more, "-d", JSON.stringify(body), `${origin}${path}`];
  const signedIn = box.host.run(post("/api/sign-in", { code })).stdout;
  const cookie = /set-cookie: ([^;\r\n]+)/i.exec(signedIn)?.[1];
  const token = /"token":"([^"]+)"/.exec(signedIn)?.[1];
  assert(cookie !== undefined && token !== undefined, signedIn);
  const asked = box.host.start(post("/api/actions/restart", { target: "", confirm: true }, "-H", `Cookie: ${cookie}`, "-H", `X-Ringbox-Token: ${token}`), "pipe");
  let said = "";
  asked.stdout?.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  await new Promise((ended) => asked.on("close", ended));
  return said.slice(said.indexOf("\r\n\r\n") + 4);
}
