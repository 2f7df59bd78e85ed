// What systemd is told, and when it is not.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { suite, test, type TestContext } from "node:test";
import { milliseconds } from "../../../src/base/time.ts";
import { type ProofSubject, proofOfService } from "../../../src/io/proof-of-service.ts";
import { atEnd, makeBox, makeFleet, scratch, servingBox, skipWithoutBox } from "../../support/built-ring.ts";
import { SAMPLE_STATUS } from "../../support/sample-reports.ts";
import { PATIENCE, until } from "../../lab/until.ts";

const skip = skipWithoutBox || (existsSync("/usr/bin/perl") ? false : "no /usr/bin/perl: only Debian is sure to have it");

/** Every datagram that comes to a socket like systemd's, its lines joined by a tab. */
async function notifications(t: TestContext, directory: string) {
  const path = join(directory, "notify");
  const listen = "socket(S,AF_UNIX,SOCK_DGRAM,0); bind(S,pack_sockaddr_un($ARGV[0])) or die; $|=1; print qq(open\\n); while(defined recv(S,$_,65536,0)){s/\\n/\\t/g;print qq($_\\n)}";
  const listener = spawn("/usr/bin/perl", ["-MSocket", "-e", listen, path], { stdio: ["ignore", "pipe", "inherit"] });
  atEnd(t, () => listener.kill());
  const heard: string[] = [];
  createInterface({ input: listener.stdout }).on("line", (line) => heard.push(line));
  await until("systemd's socket is there", PATIENCE, () => assert.ok(heard.includes("open")));
  return { path, heard };
}

suite("a box under systemd", { skip, timeout: 360_000 }, () => {
  test("is ready when it has proved itself, feeds the watchdog, and says when it stops", async (t) => {
    const directory = scratch(t);
    const { path, heard } = await notifications(t, directory);
    const { box } = await servingBox(t, [], { NOTIFY_SOCKET: path, WATCHDOG_USEC: "3000000" });
    await until("it is ready, and serves by its own word", PATIENCE, () =>
      assert.ok(heard.some((line) => /^READY=1\tWATCHDOG=1\tSTATUS=Serving /.test(line)), heard.join("\n")),
    );
    const fed = heard.length;
    await until("the watchdog is fed again", PATIENCE, () => assert.ok(heard.slice(fed).some((line) => line.includes("WATCHDOG=1")), heard.join("\n")));
    await box.kill("SIGTERM");
    await until("it says that it stops", PATIENCE, () => assert.ok(heard.some((line) => line.startsWith("STOPPING=1")), heard.join("\n")));
  });

  test("that waits to be let in has been started well, and shows its code", async (t) => {
    const directory = scratch(t);
    const { path, heard } = await notifications(t, directory);
    makeBox(t, directory, { ticket: undefined, environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: "3000000" } }).start();
    await until("its status has the code", PATIENCE, () =>
      assert.ok(heard.some((line) => /^READY=1\tWATCHDOG=1\tSTATUS=.* ringbox admit [A-Z0-9]{4}-[A-Z0-9]{4}/.test(line)), heard.join("\n")),
    );
  });

  test("with a ticket in its data directory needs no option, and does not keep it", async (t) => {
    const directory = scratch(t);
    const { ticket } = makeFleet(directory);
    const box = makeBox(t, directory, { ticket: undefined });
    mkdirSync(box.dataDirectory, { recursive: true });
    copyFileSync(ticket, join(box.dataDirectory, "ringbox.ticket"));
    box.start();
    await until("it serves", PATIENCE, async () => assert.equal((await box.status()).phase, "serving", box.lastWords()));
    assert.ok(!existsSync(join(box.dataDirectory, "ringbox.ticket")));
  });
});

suite("a proof of service", { timeout: 300_000 }, () => {
  const PROOF_LIMIT = milliseconds(1_500);

  test("fails where the box does not come to its turn", async () => {
    const subject: ProofSubject = { ask: () => undefined, sip: { host: "127.0.0.1", port: 9 }, overlay: { host: "127.0.0.1", port: 9 } };
    assert.deepEqual(await proofOfService(subject, PROOF_LIMIT), { ok: false, fault: "the box does not come to its turn" });
  });

  test("fails where the SIP socket is open and nobody reads it", async (t) => {
    const deaf = createSocket("udp4").bind(0, "127.0.0.1");
    t.after(() => deaf.close());
    await once(deaf, "listening");
    const sip = { host: "127.0.0.1", port: deaf.address().port };
    const ask: ProofSubject["ask"] = (_, answer) => answer({ ok: true, op: "status", status: SAMPLE_STATUS });
    assert.deepEqual(await proofOfService({ ask, sip, overlay: sip }, PROOF_LIMIT), { ok: false, fault: `no answer to OPTIONS at 127.0.0.1:${sip.port}` });
  });

  test("fails where the overlay port takes connections and says nothing", async (t) => {
    const silent = createServer((socket) => socket.on("error", () => undefined)).listen(0, "127.0.0.1");
    const phone = answeringPhone();
    t.after(() => [silent.close(), phone.close()]);
    await Promise.all([once(silent, "listening"), once(phone, "listening")]);
    const overlay = silent.address();
    assert.ok(overlay !== null && typeof overlay === "object");
    const ask: ProofSubject["ask"] = (_, answer) => answer({ ok: true, op: "status", status: SAMPLE_STATUS });
    const subject = { ask, sip: { host: "127.0.0.1", port: phone.address().port }, overlay: { host: "127.0.0.1", port: overlay.port } };
    assert.deepEqual(await proofOfService(subject, PROOF_LIMIT), { ok: false, fault: `no answer on the overlay port at 127.0.0.1:${overlay.port}` });
  });

  test("holds where the overlay port has no room for one more: strangers must not have the box ended", async (t) => {
    const full = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    const phone = answeringPhone();
    t.after(() => [full.close(), phone.close()]);
    await Promise.all([once(full, "listening"), once(phone, "listening")]);
    const overlay = full.address();
    assert.ok(overlay !== null && typeof overlay === "object");
    const ask: ProofSubject["ask"] = (_, answer) => answer({ ok: true, op: "status", status: SAMPLE_STATUS });
    const subject = { ask, sip: { host: "127.0.0.1", port: phone.address().port }, overlay: { host: "127.0.0.1", port: overlay.port } };
    assert.deepEqual(await proofOfService(subject), { ok: true, value: SAMPLE_STATUS });
  });
});

/** A SIP socket that says to whatever comes that it does not serve. */
function answeringPhone() {
  const phone = createSocket("udp4").bind(0, "127.0.0.1");
  return phone.on("message", (bytes, { port }) => phone.send(bytes.toString().replace(/^OPTIONS .*/, "SIP/2.0 503 Service Unavailable"), port, "127.0.0.1"));
}
