// A box that cannot start says why in one line, and leaves nothing behind that keeps the next start from working.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import { DIST } from "../../lab/box.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import {
  assertOneLine, atEnd, type Fleet, joinTicket, makeBox, makeFleet, OVERLAY_PORT, ownAddress, refusedStart, ringbox, scratch, serving, servingBox, SIP_PORT,
  skipWithoutBox,
} from "../../support/built-ring.ts";

interface Setting {
  readonly directory: string;
  readonly data: string;
  readonly fleet: Fleet;
  readonly address: string;
  /** `--data`, `--listen`, `--no-mdns`. */
  readonly usual: readonly string[];
}

function setting(t: TestContext): Setting {
  const directory = scratch(t);
  const data = join(directory, "box");
  const address = ownAddress();
  return { directory, data, fleet: makeFleet(directory), address, usual: ["--data", data, "--listen", address, "--no-mdns"] };
}

/** A start with nothing wrong, on the same data directory. */
async function startsNow(t: TestContext, { directory, fleet, address }: Setting): Promise<void> {
  const box = makeBox(t, directory, { ticket: fleet.ticket, address });
  box.start();
  await serving(box);
}

suite("a start that cannot be", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  for (const transport of ["UDP", "TCP"] as const) {
    test(`a SIP port taken over ${transport} is one line, and the box starts when it is free`, async (t) => {
      const at = setting(t);
      const release = await take(transport, SIP_PORT, at.address);
      assertOneLine(refusedStart(...at.usual, "--ticket", at.fleet.ticket), /SIP port 5060 \((UDP|TCP)\).*is taken.*--sip-port/);
      await release();
      await startsNow(t, at);
    });
  }

  test("a taken overlay port is one line, and the box starts when it is free", async (t) => {
    const at = setting(t);
    const release = await take("TCP", OVERLAY_PORT, at.address);
    assertOneLine(refusedStart(...at.usual, "--ticket", at.fleet.ticket), /overlay port 6084.*is taken.*--overlay-port/);
    await release();
    await startsNow(t, at);
  });

  test("an address that is not of this machine is one line", (t) => {
    const at = setting(t);
    const run = refusedStart("--data", at.data, "--listen", "192.0.2.77", "--no-mdns", "--ticket", at.fleet.ticket);
    assertOneLine(run, /192\.0\.2\.77 is not an address of this machine/);
  });

  test("a data directory that is a file, or lies under one, is one line", (t) => {
    const at = setting(t);
    writeFileSync(at.data, "not a directory");
    assertOneLine(refusedStart(...at.usual, "--ticket", at.fleet.ticket), /not a directory/);
    const under = refusedStart("--data", join(at.data, "deeper"), "--listen", at.address, "--no-mdns", "--ticket", at.fleet.ticket);
    assertOneLine(under, /not a directory/);
    assert.equal(readFileSync(at.data, "utf8"), "not a directory");
  });

  test("a data directory on a read-only file system is one line", (t) => {
    const at = setting(t);
    mkdirSync(at.data);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "ro", "ringbox-test", at.data], { encoding: "utf8" });
    if (mounted.status !== 0) return t.skip(`needs to mount a file system (root): ${mounted.stderr}`);
    atEnd(t, () => spawnSync("umount", [at.data]));
    assertOneLine(refusedStart(...at.usual, "--ticket", at.fleet.ticket), /read-only/);
  });

  test("a ticket that is not there is one line", (t) => {
    const at = setting(t);
    assertOneLine(refusedStart(...at.usual, "--ticket", join(at.directory, "absent")), /ticket .*absent cannot be read/);
    assertOneLine(refusedStart(...at.usual, "--ticket", at.directory), /cannot be read/);
  });

  test("a ticket cut short anywhere, changed anywhere, empty or of random bytes is one line, and the whole one works after it", async (t) => {
    const at = setting(t);
    const file = join(at.directory, "bad.ticket");
    for (const bad of badTickets(readFileSync(joinTicket(at.fleet), "utf8"))) {
      writeFileSync(file, bad);
      assertOneLine(refusedStart(...at.usual, "--ticket", file), /ticket cannot be used/);
    }
    await startsNow(t, at);
  });

  test("an expired ticket is one line that says so", async (t) => {
    const at = setting(t);
    const file = joinTicket(at.fleet, seconds(-1));
    assertOneLine(refusedStart(...at.usual, "--ticket", file), /expired/);
    await startsNow(t, at);
  });

  test("a ticket of another fleet does not move a box that is enrolled already", async (t) => {
    const { box, directory } = await servingBox(t);
    const { nodeId } = await box.status();
    await box.kill("SIGTERM");
    const other = makeFleet(directory, "other");
    const run = refusedStart("--data", box.dataDirectory, "--listen", box.address, "--no-mdns", "--ticket", other.ticket);
    assertOneLine(run, /belongs to fleet "acme".*ticket is of fleet "other"/);
    box.start();
    await serving(box);
    assert.deepEqual([(await box.status()).nodeId, (await box.status()).fleet], [nodeId, "acme"]);
  });

  test("an enrolled box starts with its ticket used up, broken or gone", async (t) => {
    const { box, directory } = await servingBox(t);
    await box.kill("SIGTERM");
    const gone = makeBox(t, directory, { ticket: join(directory, "no such ticket"), address: box.address });
    gone.start();
    await serving(gone);
    await gone.kill("SIGTERM");
    writeFileSync(join(directory, "broken"), "broken");
    const broken = makeBox(t, directory, { ticket: join(directory, "broken"), address: box.address });
    broken.start();
    await serving(broken);
  });

  test("an unknown option is one line, exit status 2, and touches nothing", (t) => {
    const at = setting(t);
    assertOneLine(refusedStart(...at.usual, "--explode"), /--explode/, 2);
    assertOneLine(refusedStart(...at.usual, "--sip-port", "70000"), /70000/, 2);
    assert.ok(!readdirSync(at.directory).includes("box"));
  });

  test("a box goes on when nobody reads what it prints any more", async (t) => {
    const at = setting(t);
    const program = spawn(join(DIST, "ringboxd"), [...at.usual, "--ticket", at.fleet.ticket], { stdio: ["ignore", "pipe", "pipe"] });
    atEnd(t, () => program.kill("SIGKILL"));
    await once(program.stdout, "data");
    program.stdout.destroy();
    program.stderr.destroy();
    await until("it serves", PATIENCE, () => assert.match(ringbox("--data", at.data, "status").stdout, /^Serving\./));
    assert.equal(program.exitCode, null);
  });

  test("a second process on a data directory is refused, and the first goes on unharmed", async (t) => {
    const { box, fleet } = await servingBox(t);
    const asked = performance.now();
    const run = refusedStart("--data", box.dataDirectory, "--listen", ownAddress(), "--no-mdns", "--ticket", fleet.ticket);
    assertOneLine(run, /another ringboxd is running/);
    t.diagnostic(`refused after ${Math.round(performance.now() - asked)} ms`);
    const before = await box.status();
    assert.equal(before.phase, "serving");
    await box.kill();
    box.start();
    await serving(box);
    assert.equal((await box.status()).nodeId, before.nodeId);
  });
});

async function take(transport: "UDP" | "TCP", port: number, address: string): Promise<() => Promise<void>> {
  if (transport === "UDP") {
    const socket = createSocket("udp4");
    socket.bind(port, address);
    await once(socket, "listening");
    return async () => void (await once(socket.close(), "close"));
  }
  const server = createServer().listen(port, address);
  await once(server, "listening");
  return async () => void (await once(server.close(), "close"));
}

/** Few, since each is a start; which ones is the same at each run. */
function badTickets(good: string): readonly (string | Uint8Array)[] {
  const cut = [0, 10, good.length >> 1, good.length - 40].map((length) => good.slice(0, length));
  const lines = good.split("\n");
  const middle = good.length >> 1;
  const changed = [40, middle, good.length - 60].map((at) => `${good.slice(0, at)}${good[at] === "A" ? "B" : "A"}${good.slice(at + 1)}`);
  const shuffled = [...lines.slice(0, 1), ...lines.slice(1, -2).reverse(), ...lines.slice(-2)].join("\n");
  return [...cut, ...changed, shuffled, Uint8Array.from({ length: 3_000 }, (_, index) => (index * 197 + 13) & 0xff)];
}
