// One box as somebody starts it who has just cloned the project: `npm start`, then the command line beside it.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { HealthReport } from "../../../src/health/report.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { ROOT } from "../../support/source-tree.ts";

const DIST = join(ROOT, "dist");
const skip = existsSync(join(DIST, "ringboxd")) ? false : "needs dist/, which `npm run build` makes";
/** Far above what a start takes on a slow machine; only a box that hangs meets it. */
const START_LIMIT_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), "ringbox-start-"));
const data = join(folder, "data");
after(() => rmSync(folder, { recursive: true, force: true }));

async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  assert.ok(address !== null && typeof address === "object");
  return String(address.port);
}

const optionsOf = async (directory: string): Promise<string[]> => [
  ...["--data", directory, "--listen", "127.0.0.1", "--no-mdns"],
  ...["--sip-port", await freePort(), "--overlay-port", await freePort()],
];

/** Ports of the page. */
const agentOptions = async (): Promise<string[]> => ["--http-port", await freePort(), "--https-port", await freePort()];

/** A box in the foreground of `npm start`, once `ringbox status` says that it serves. */
async function startedBox(options: readonly string[]): Promise<ChildProcess> {
  const box = spawn("npm", ["start", "--silent", "--", ...options], { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [box.stdout, box.stderr]) stream.on("data", (text) => (said += text));
  const limit = AbortSignal.timeout(START_LIMIT_MS);
  let status = ringbox(["status"]);
  while (!status.stdout.startsWith("Serving.") && box.exitCode === null && !limit.aborted) {
    await new Promise((resolve) => setImmediate(resolve));
    status = ringbox(["status"]);
  }
  if (status.stdout.startsWith("Serving.")) return box;
  killGroup(box);
  return assert.fail(`it does not serve: ${status.stdout}${status.stderr}\n${said}`);
}

const ringbox = (args: readonly string[], input = "") =>
  spawnSync(join(DIST, "ringbox"), ["--data", data, ...args], { encoding: "utf8", input });

async function stopped(box: ChildProcess): Promise<number | null> {
  const exit = once(box, "exit");
  box.kill("SIGINT");
  await exit;
  return box.exitCode;
}

/** npm, the shell and the box: what a test that failed half-way leaves running. */
function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** `ringboxd` that must not start: its exit status and what it said. */
function refused(options: readonly string[]) {
  return spawnSync(join(DIST, "ringboxd"), options, { encoding: "utf8", timeout: START_LIMIT_MS });
}

function assertOneLine({ status, stderr }: { readonly status: number | null; readonly stderr: string }): void {
  assert.equal(status, 1, stderr);
  assert.match(stderr, /^ringboxd: [^\n]+\n$/);
}

suite("npm start", { skip, timeout: 4 * START_LIMIT_MS }, () => {
  let box: ChildProcess;
  let options: readonly string[];
  let page: readonly string[];
  before(async () => {
    options = await optionsOf(data);
    page = await agentOptions();
    box = await startedBox([...options, ...page]);
  });
  after(() => killGroup(box));

  test("founds a fleet of one box, which says that there is one copy", () => {
    assert.match(ringbox(["status"]).stdout, /^Serving\. 1 box, alone\. 1 copy of everything; you can lose none\.\n/);
  });

  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${page[1]}${path}`);
  const read = async (): Promise<HealthReport> => (await (await get("/api/report")).json()) as HealthReport;

  test("its page says by a trial call that phones work, over every transport that is served", async () => {
    const { value: report } = await until("the page is green", PATIENCE, async () => {
      const shown = await read();
      assert.equal(shown.verdict, "works", shown.firstLine);
      return shown;
    });
    assert.equal(report.firstLine, "Phones work. No phone is registered. 1 of 1 box. You can lose none.");
    const proved = report.proofs.filter(({ verdict }) => verdict === "works").map(({ transport }) => transport);
    assert.deepEqual(proved.toSorted(), report.listens.map(({ transport }) => transport).toSorted());
    assert.equal((await get("/readyz")).status, 200);
    const metrics = await (await get("/metrics")).text();
    assert.match(metrics, /^ringbox_verdict\{verdict="works"\} 1$/m);
    assert.match(metrics, /^ringbox_proof_success\{transport="UDP",by="[a-z-]+[0-9]{2}",outside="false"\} 1$/m);
  });

  const signalBox = (name: NodeJS.Signals): void => {
    const found = spawnSync("pgrep", ["-f", `ringboxd.mjs.*${data}`], { encoding: "utf8" });
    process.kill(Number(found.stdout.trim().split("\n")[0]), name);
  };

  test("a box that is killed is there again, and its page tells both", async () => {
    signalBox("SIGKILL");
    await until("it is over", PATIENCE, async () => {
      const texts = (await read()).timeLine.map(({ text }) => text);
      assert(texts.includes("Over: The program that serves phones, ringboxd, is not running."), texts.join("\n"));
      assert(texts.includes("The program that serves phones, ringboxd, is not running."), texts.join("\n"));
      assert.match(ringbox(["status"]).stdout, /^Serving/);
    });
  });

  test("a box that hangs is stopped by its agent and started again, and the page says why", async () => {
    signalBox("SIGSTOP");
    await until("it is over", PATIENCE, async () => {
      const texts = (await read()).timeLine.map(({ text }) => text);
      assert(texts.includes("ringboxd does not answer: it is stopped, to be started again."), texts.join("\n"));
      assert(texts.includes("Over: The program that serves phones, ringboxd, does not answer."), texts.join("\n"));
      assert.equal((await read()).peer.state, "answering");
      assert.match(ringbox(["status"]).stdout, /^Serving/);
    });
  });

  test("the box takes a subscriber, and finds its place", () => {
    const added = ringbox(["subscriber", "add", "201", "--password-stdin"], "secret\n");
    assert.equal(added.status, 0, added.stderr);
    const listed = JSON.parse(ringbox(["subscriber", "list", "--json"]).stdout);
    assert.deepEqual(listed.map(({ aor }: { readonly aor: string }) => aor), ["201@ringbox.internal"]);
    const { replicas } = JSON.parse(ringbox(["where", "201", "--json"]).stdout);
    assert.deepEqual(replicas.map(({ holds }: { readonly holds: string }) => holds), ["yes"]);
  });

  test("a second process on the same data directory is refused", async () => {
    assertOneLine(refused(await optionsOf(data)));
  });

  test("a taken port is one line that names it", () => {
    for (const name of ["--sip-port", "--overlay-port"]) {
      const taken = options[options.indexOf(name) + 1] ?? "";
      const run = refused(["--found", ...options, "--data", join(folder, `taken${name}`), ...otherPorts(name)]);
      assertOneLine(run);
      assert.ok(run.stderr.includes(taken), run.stderr);
    }
  });

  test("a broken or absent ticket is one line", async () => {
    const broken = join(folder, "broken.ticket");
    writeFileSync(broken, "-----BEGIN RINGBOX TICKET-----\nAAAA\n-----END RINGBOX TICKET-----\n");
    for (const ticket of [broken, join(folder, "absent.ticket")]) {
      assertOneLine(refused([...(await optionsOf(join(folder, "ticketed"))), "--ticket", ticket]));
    }
  });

  test("a data directory that cannot be made is one line", async () => {
    writeFileSync(join(folder, "file"), "");
    assertOneLine(refused(["--found", ...(await optionsOf(join(folder, "file", "data")))]));
  });

  test("an interrupt ends it in good order, and it comes back with what it knew", async () => {
    assert.equal(await stopped(box), 0);
    assert.match(ringbox(["status"]).stderr, /^ringbox: no box is running on /);
    box = await startedBox([...options, ...page]);
    assert.equal(JSON.parse(ringbox(["subscriber", "list", "--json"]).stdout).length, 1);
    assert.equal(await stopped(box), 0);
  });
});

/** Leaves the named port as it is and lets the system choose the other. */
const otherPorts = (name: string): readonly string[] => [name === "--sip-port" ? "--overlay-port" : "--sip-port", "0"];
