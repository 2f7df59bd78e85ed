// A fleet decides: a configuration for all boxes, a box that is believed no more, a new issuing credential.

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { systemClock } from "../../../src/io/clock.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { requestEnrollment } from "../../../src/io/enrollment.ts";
import { parseMembership } from "../../../src/io/identity-files.ts";
import { makePrivateKey } from "../../../src/io/pki.ts";
import { parseTicket } from "../../../src/provision/ticket.ts";
import {
  addSubscriber, assertNoTrace, type BuiltBox, type Fleet, logOf, makeBox, makeFleet, OVERLAY_PORT, ringbox, scratch, serving,
  skipWithoutBox, succeed,
} from "../../support/built-ring.ts";
import { PATIENCE, until } from "../../lab/until.ts";

/** What the operator was promised, seconds. */
const PROMISED = 10;

interface Ring {
  readonly boxes: readonly [BuiltBox, BuiltBox, BuiltBox, ...BuiltBox[]];
  readonly fleet: Fleet;
  readonly directory: string;
}

async function ringOf(t: TestContext, count: number): Promise<Ring> {
  const directory = scratch(t);
  const fleet = makeFleet(directory);
  const boxes: BuiltBox[] = [];
  for (let number = 1; number <= count; number++) {
    const box = makeBox(t, directory, { name: `box${number}`, ticket: fleet.ticket, hints: boxes.slice(0, 2) });
    box.start();
    boxes.push(box);
    await serving(box, number);
  }
  for (const box of boxes) await serving(box, count);
  return { boxes: boxes as unknown as Ring["boxes"], fleet, directory };
}

const at = (box: BuiltBox, ...parameters: readonly string[]) => ringbox("--data", box.dataDirectory, ...parameters);
const configuration = (box: BuiltBox) => JSON.parse(succeed(at(box, "config", "show", "--json")).stdout);
const nodeIdOf = async (box: BuiltBox): Promise<string> => (await box.status()).nodeId;

async function refuses(box: BuiltBox, nodeId: string, since: number): Promise<number> {
  const { seconds } = await until(`${box.name} refuses ${nodeId.slice(0, 8)}`, PATIENCE, async () => {
    assert.ok(!(await box.peers()).some((peer) => peer.nodeId === nodeId));
    assert.ok(configuration(box).revoked.some((gone: { nodeId: string }) => gone.nodeId === nodeId));
  }, since);
  return seconds;
}

/** A certificate's issuer, by the identifier of its key. */
const issuerOf = (box: BuiltBox): string => {
  const enrolled = JSON.parse(readFileSync(join(box.dataDirectory, "fleet.json"), "utf8"));
  const issuing = new X509Certificate(Buffer.from(enrolled.issuing, "base64"));
  const own = new X509Certificate(readFileSync(join(box.dataDirectory, "identity.crt")));
  assert.ok(own.verify(issuing.publicKey), `${box.name}: its certificate is of the credential it holds`);
  assert.ok(issuing.checkPrivateKey(createPrivateKey(enrolled.issuingKey)));
  return issuing.fingerprint256;
};

suite("a fleet that decides", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("five boxes: one is revoked, and every other refuses it, whatever it forgets and whoever was off", async (t) => {
    const { boxes, fleet } = await ringOf(t, 5);
    const [first, second, third, off, bad] = boxes as readonly [BuiltBox, BuiltBox, BuiltBox, BuiltBox, BuiltBox];
    succeed(addSubscriber(bad, "201"));
    const nodeId = await nodeIdOf(bad);
    await off.kill();
    await serving(first, 4);

    assert.match(at(first, "revoke", await nodeIdOf(first), "--fleet", fleet.directory).stderr, /^ringbox: This is the box itself/);
    assert.match(at(first, "revoke", "ffff").stderr, /^ringbox: No box that this one knows is called ffff/);
    assert.match(at(first, "revoke", nodeId).stderr, /^ringbox: only the fleet's key puts a box out/);
    const stranger = makeFleet(scratch(t), "other");
    assert.match(at(first, "revoke", nodeId, "--fleet", stranger.directory).stderr, /^ringbox: The fleet's key has not signed this/);
    const since = performance.now();
    const said = succeed(at(first, "revoke", nodeId.slice(0, 12), "--fleet", fleet.directory)).stdout;
    assert.match(said, new RegExp(`^Revoked ${nodeId}: 3 boxes refuse it now\\.`));
    const took = await Promise.all([first, second, third].map((box) => refuses(box, nodeId, since)));
    t.diagnostic(`every box refused it ${Math.max(...took).toFixed(2)} s after the command was given (promised: ${PROMISED} s)`);
    await until("it says so itself", PATIENCE, async () => {
      const { phase, conditions } = await bad.status();
      assert.equal(phase, "revoked");
      assert.deepEqual(conditions.map(({ code }) => code), ["revoked"]);
    });
    assert.match(at(bad, "status").stdout, /^Revoked: the other boxes believe this box no more/);
    assert.match(at(second, "subscriber", "list").stdout, /sip:201@acme\.example/, "what it wrote before stays");

    // It forgets that it was revoked, and meets the one that was off: the two take each other, until one comes that knows.
    await Promise.all([first, second, third, bad].map((box) => box.kill()));
    rmSync(join(bad.dataDirectory, "revocations"));
    off.start();
    bad.start();
    await until("the two that do not know are a ring", PATIENCE, async () => {
      assert.equal((await off.status()).boxes.serving, 2, off.lastWords());
    });
    const met = performance.now();
    second.start();
    t.diagnostic(`the box that was off refused it ${(await refuses(off, nodeId, met)).toFixed(2)} s after one that knows was started`);
    await serving(off, 2);
    await until("the revoked one knows again", PATIENCE, async () => assert.equal((await bad.status()).phase, "revoked"));

    // Its key and certificate get it nowhere.
    const answer = await requestEnrollment({
      address: { host: second.address, port: OVERLAY_PORT }, ticket: ticketIn(fleet.ticket),
      privateKeyPem: readFileSync(join(bad.dataDirectory, "identity.key"), "utf8"),
      previousCertificate: new X509Certificate(readFileSync(join(bad.dataDirectory, "identity.crt"))).raw,
    });
    assert.deepEqual(answer, { outcome: "declined", reason: "this box was revoked" });
    for (const box of boxes) assertNoTrace(logOf(box));
  });

  test("config set on one box is in force on all of them, over restarts, and on boxes that come later", async (t) => {
    const { boxes, fleet, directory } = await ringOf(t, 3);
    const [first, second, third] = boxes;
    await third.kill();
    await serving(first, 2);
    const before = readFileSync(join(first.dataDirectory, "configuration.xml"), "utf8");
    succeed(at(second, "config", "set", "registration-maximum=30m", "registration-standard=10m", "open-registration=yes", "--fleet", fleet.directory));
    for (const box of [first, second]) {
      assert.equal(configuration(box).sequence, 2);
      assert.deepEqual(configuration(box).registration, { minimumSeconds: 60, standardSeconds: 600, maximumSeconds: 1_800, open: true });
    }
    third.start();
    const newcomer = makeBox(t, directory, { name: "newcomer", ticket: fleet.ticket, hints: [first] });
    newcomer.start();
    await until("the others have it", PATIENCE, async () => {
      for (const box of [third, newcomer]) assert.equal(configuration(box).sequence, 2);
    });
    await Promise.all(boxes.map((box) => box.kill()));
    await newcomer.kill();
    second.start();
    await serving(second, 1);
    assert.equal(configuration(second).registration.maximumSeconds, 1_800);
    // A damaged file is noticed, set aside, and sent again.
    const file = join(first.dataDirectory, "configuration.xml");
    assert.notEqual(readFileSync(file, "utf8"), before);
    rmSync(file);
    copyFileSync(join(second.dataDirectory, "README"), file);
    first.start();
    await serving(first, 2);
    assert.equal(configuration(first).sequence, 2);
    assert.ok(existsSync(`${file}.damaged-1`));
    succeed(at(first, "config", "set", "initial-ttl=32", "max-count.EDGE-BINDING=8", "max-size.SUBSCRIBER=1024", "max-message-size=300000", "expiration=2030-06-30", "--fleet", fleet.directory));
    for (const box of [first, second]) {
      const { sequence, limits, expiration, registration } = configuration(box);
      assert.deepEqual([sequence, limits.initialTtl, limits.maxMessageSize, expiration, registration.maximumSeconds], [3, 32, 300_000, "2030-06-30T23:59:59Z", 1_800]);
      assert.deepEqual(limits.kinds.find(({ name }: { name: string }) => name === "EDGE-BINDING"), { name: "EDGE-BINDING", maxCount: 8, maxSize: 8_192 });
    }
    for (const wrong of [["initial-ttl=1"], ["max-count.EDGE-BINDING=65"], ["max-size.NOTHING=1"], ["expiration=2099-01-01"], ["expiration=2020-01-01"], ["expiration=soon"], ["max-message-size=1000"], ["nothing=1"], ["registration-maximum=yes"], ["registration-maximum=10s"], ["open-registration=maybe"], ["open-registration"]]) {
      const run = at(first, "config", "set", ...wrong, "--fleet", fleet.directory);
      assert.equal(run.status, 1);
      assert.match(run.stderr, /^ringbox: [^\n]+\n$/);
    }
    const other = makeFleet(directory, "other");
    assert.match(at(first, "config", "set", "open-registration=no", "--fleet", other.directory).stderr, /not of this fleet/);
    assert.equal(configuration(first).sequence, 3);
    for (const box of boxes) assertNoTrace(logOf(box));
  });

  test("rotate renews every living box and the one that was off; the revoked one can issue itself nothing that counts", async (t) => {
    const { boxes, fleet, directory } = await ringOf(t, 4);
    const [first, second, off, bad] = boxes as readonly [BuiltBox, BuiltBox, BuiltBox, BuiltBox];
    const old = issuerOf(first);
    const oldTicket = join(directory, "old.ticket");
    copyFileSync(fleet.ticket, oldTicket);
    await off.kill();
    succeed(at(first, "revoke", await nodeIdOf(bad), "--fleet", fleet.directory));
    const since = performance.now();
    const said = succeed(at(second, "fleet", "rotate", "--fleet", fleet.directory));
    assert.match(said.stdout, /^The issuing credential is renewed: configuration 2, known to 2 boxes\./);
    const { seconds } = await until("both have new certificates", PATIENCE, () => {
      assert.equal(issuerOf(first), issuerOf(second));
      assert.notEqual(issuerOf(first), old);
    }, since);
    t.diagnostic(`both living boxes had new certificates ${seconds.toFixed(2)} s after the command was given`);
    await serving(first, 2);
    const place = JSON.parse(readFileSync(join(off.dataDirectory, "fleet.json"), "utf8")).nodeId;
    off.start();
    await serving(off, 3);
    await until("the box that was off has a new one", PATIENCE, () => assert.equal(issuerOf(off), issuerOf(first)));
    assert.equal(await nodeIdOf(off), place, "and its old place");

    await second.kill();
    assert.ok(parseMembership(readFileSync(join(second.dataDirectory, "fleet.json"), "utf8"))?.formerSecret !== undefined, "flow tokens outlive a restart");
    second.start();
    await serving(second, 3);

    // With the old credential it founds itself a new identity: nobody believes it.
    const forger = makeBox(t, directory, { name: "forger", ticket: oldTicket, hints: [] });
    forger.start();
    await serving(forger, 1);
    await forger.kill();
    const again = makeBox(t, directory, { name: "forger", ticket: oldTicket, hints: [first], address: forger.address });
    again.start();
    await until("it is refused", PATIENCE, () => assert.match(logOf(first), /refused: its certificate is of a credential that the fleet has retired/));
    assert.equal((await first.status()).boxes.known, 3);
    const declined = await requestEnrollment({
      address: { host: first.address, port: OVERLAY_PORT }, ticket: ticketIn(oldTicket), privateKeyPem: makePrivateKey(),
    });
    assert.deepEqual(declined, { outcome: "declined", reason: "the ticket was withdrawn; ask for a new one" });
    const fresh = makeBox(t, directory, { name: "fresh", ticket: fleet.ticket, hints: [first] });
    fresh.start();
    await serving(fresh, 4);
    for (const box of [...boxes, again, fresh]) assertNoTrace(logOf(box));
  });
});

function ticketIn(file: string) {
  const ticket = parseTicket(readFileSync(file, "utf8"), { crypto: new NodeCrypto(undefined), wall: systemClock.wall() });
  assert.ok(ticket.ok);
  return ticket.value;
}
