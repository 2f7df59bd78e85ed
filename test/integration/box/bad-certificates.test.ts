// A link opens for a certificate of the fleet that is as the fleet's are, and for no other.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { connect, type ConnectionOptions, createServer, type TLSSocket } from "node:tls";
import { parseMembership } from "../../../src/io/identity-files.ts";
import { certificatePem, issueBoxCertificate, makePrivateKey, publicKeyOf } from "../../../src/io/pki.ts";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { type BadCertificate, badCertificates } from "../../support/bad-certificates.ts";
import {
  assertNoTrace, atEnd, type BuiltBox, joinTicket, logOf, makeBox, ownAddress, OVERLAY_PORT, serving, servingBox, skipWithoutBox,
} from "../../support/built-ring.ts";

/** OpenSSL's own level would not let this side use what is too weak; the box has to refuse it. */
const WEAK = { ciphers: "DEFAULT@SECLEVEL=0", minVersion: "TLSv1.3" } as const;
/** A ping in a frame: never to be read. */
const FRAME = Buffer.concat([Buffer.from([128, 0, 0, 0, 1, 0, 0, 38]), Buffer.alloc(38, 0xd2)]);

function membershipOf(box: BuiltBox) {
  const membership = parseMembership(readFileSync(join(box.dataDirectory, "fleet.json"), "utf8"));
  assert.ok(membership !== undefined);
  return { overlayName: membership.overlayName, issuing: membership.enrolled.issuing };
}

/** What the other side says until it closes. */
async function heard(socket: TLSSocket): Promise<string> {
  let said = "";
  socket.on("data", (bytes: Buffer) => (said += bytes.toString("latin1")));
  socket.on("error", () => {}); // it may well have had enough
  await once(socket, "close");
  return said;
}

async function dial(box: BuiltBox, { chain, keyPem }: BadCertificate): Promise<string> {
  const identity = chain === undefined ? {} : { cert: chain, key: keyPem };
  const socket = connect({ ...WEAK, ...identity, host: box.address, port: OVERLAY_PORT, rejectUnauthorized: false, ALPNProtocols: ["reload/1"] });
  socket.once("secureConnect", () => socket.write(FRAME));
  return await heard(socket);
}

/** Somebody with a bad certificate whom boxes dial; what each of them said. */
async function impostor(t: TestContext, { chain, keyPem }: BadCertificate) {
  const said: string[] = [];
  const server = createServer({ ...WEAK, cert: chain, key: keyPem, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ["reload/1"] }, (socket) => {
    socket.write(FRAME);
    void heard(socket).then((words) => said.push(words));
  });
  const host = ownAddress();
  await new Promise<void>((resolve) => server.listen(OVERLAY_PORT, host, resolve));
  atEnd(t, () => server.close());
  return { host, said };
}

async function assertNobodyGotIn(box: BuiltBox): Promise<void> {
  const { boxes, counters } = await box.status();
  assert.equal(boxes.known, 1);
  assert.equal(counters["link-broken"] ?? 0, 0, "a frame of somebody who was refused was read");
  assertNoTrace(logOf(box));
}

suite("bad certificates", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("are refused when they dial, each for its own reason, on both sides, and an honest box joins right after", async (t) => {
    const { box, fleet, directory } = await servingBox(t);
    const { issuing, overlayName } = membershipOf(box);
    const all = await badCertificates(issuing, overlayName);
    for (const bad of all) {
      const before = logOf(box).length;
      const words = await dial(box, bad);
      assert.match(words, /^refused: /, bad.name);
      assert.match(words, bad.reason, bad.name);
      const said = logOf(box).slice(before);
      assert.match(said, /^warning: link with 127\.0\.0\.1 refused: /m, bad.name);
      assert.match(said, bad.reason, bad.name);
    }
    await assertNobodyGotIn(box);
    assert.equal((await box.status()).counters["link-refused"], all.length);
    const honest = makeBox(t, directory, { name: "honest", ticket: joinTicket(fleet), hints: [box] });
    const started = performance.now();
    honest.start();
    await serving(honest, 2);
    t.diagnostic(`${all.length} refused; an honest box was in the ring ${((performance.now() - started) / 1_000).toFixed(1)} s after its start`);
  });

  test("are refused when they are dialed", async (t) => {
    const { box, fleet, directory } = await servingBox(t);
    const { issuing, overlayName } = membershipOf(box);
    await box.kill("SIGTERM");
    const all = (await badCertificates(issuing, overlayName)).filter(({ chain }) => chain !== undefined);
    const impostors = await Promise.all(all.map(async (bad) => ({ bad, ...(await impostor(t, bad)) })));
    const hints = impostors.flatMap(({ host }) => ["--hint", `${host}:${OVERLAY_PORT}`]);
    const again = makeBox(t, directory, { ticket: fleet.ticket, address: box.address, parameters: hints });
    again.start();
    await serving(again);
    for (const { bad, host, said } of impostors) {
      await until(`the box has refused one ${bad.name}`, PATIENCE, () => {
        // The first dial may have been given up: all of them are dialed at once.
        const words = said.find((each) => each !== "") ?? "";
        assert.match(words, /^refused: /, bad.name);
        assert.match(words, bad.reason, bad.name);
        const line = logOf(again).split("\n").find((text) => text.includes(`link with ${host} refused`));
        assert.match(line ?? "nothing", bad.reason, bad.name);
      });
    }
    await assertNobodyGotIn(again);
  });

  test("TLS 1.2 and 1.1 are not spoken, with the best of certificates, and there is no early data", async (t) => {
    const { box } = await servingBox(t);
    const { issuing, overlayName } = membershipOf(box);
    const key = makePrivateKey();
    const certificate = await issueBoxCertificate(issuing, { publicKey: await publicKeyOf(key), nodeId: "0123456789abcdef0123456789abcdef" as NodeId, overlayName });
    const identity = { key, cert: certificatePem(certificate) + certificatePem(issuing.certificate) };
    const open = async (options: ConnectionOptions): Promise<void> => {
      const socket = connect({ host: box.address, port: OVERLAY_PORT, rejectUnauthorized: false, ALPNProtocols: ["reload/1"], ...identity, ...options });
      try {
        await once(socket, "secureConnect");
      } finally {
        socket.destroy();
      }
    };
    for (const version of ["TLSv1.2", "TLSv1.1", "TLSv1"] as const) {
      await assert.rejects(open({ minVersion: version, maxVersion: version, ciphers: "ALL@SECLEVEL=0" }), version);
    }
    await open({ minVersion: "TLSv1.3" });
    const session = spawnSync("openssl", ["s_client", "-connect", `${box.address}:${OVERLAY_PORT}`, "-alpn", "http/1.1", "-tls1_3"], { encoding: "utf8", input: "", timeout: 10_000 });
    if (session.error !== undefined) t.diagnostic("openssl is not there: early data was not looked at");
    else assert.match(session.stdout, /Early data was not sent|Max Early Data: 0/);
    await assertNobodyGotIn(box);
  });
});
