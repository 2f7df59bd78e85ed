// A box that lay on the shelf for two years: its certificate is long over, and much may have been decided meanwhile.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { parseMembership, serializeMembership } from "../../../src/io/identity-files.ts";
import { issueBoxCertificate, publicKeyOf } from "../../../src/io/pki.ts";
import { DIST } from "../../lab/box.ts";
import { PATIENCE, until } from "../../lab/until.ts";
import { assertNoTrace, type BuiltBox, logOf, makeBox, makeFleet, ringbox, scratch, serving, skipWithoutBox, succeed } from "../../support/built-ring.ts";

const YEAR = 365 * 86_400_000;
const faketime = spawnSync("faketime", ["1970-01-02", "printenv", "LD_PRELOAD"], { encoding: "utf8" });
const skip = skipWithoutBox || (faketime.status === 0 ? false : "needs the Debian package faketime");
/** For a box that runs two years from now. */
const IN_TWO_YEARS: NodeJS.ProcessEnv = { LD_PRELOAD: faketime.stdout?.trim(), FAKETIME: "+2y", FAKETIME_DONT_FAKE_MONOTONIC: "1" };

const certificateOf = (box: BuiltBox): X509Certificate => new X509Certificate(readFileSync(join(box.dataDirectory, "identity.crt")));
const inYears = (certificate: X509Certificate): number => (certificate.validToDate.getTime() - Date.now()) / YEAR;
const at = (box: BuiltBox, ...parameters: readonly string[]) => ringbox("--data", box.dataDirectory, ...parameters);
const troubles = async (box: BuiltBox) => (await box.status()).conditions.filter(({ code }) => code === "certificate-not-renewed").map(({ text }) => text);

/** A ring of three today, of which two go on in two years, and the third is off. */
async function twoYearsLater(t: TestContext) {
  const directory = scratch(t);
  const fleet = makeFleet(directory);
  const make = (name: string, hints: readonly BuiltBox[], address?: string, environment = {}) =>
    makeBox(t, directory, { name, ticket: fleet.ticket, hints, environment, ...(address === undefined ? {} : { address }) });
  const today: BuiltBox[] = [];
  for (const name of ["one", "two", "shelf"]) {
    const box = make(name, today);
    box.start();
    today.push(box);
    await serving(box, today.length);
  }
  const [one, two, shelf] = today as [BuiltBox, BuiltBox, BuiltBox];
  const nodeId = (await shelf.status()).nodeId;
  await Promise.all(today.map((box) => box.kill()));
  const first = make("one", [], one.address, IN_TWO_YEARS);
  const second = make("two", [first], two.address, IN_TWO_YEARS);
  for (const box of [first, second]) box.start();
  for (const box of [first, second]) await serving(box, 2);
  return { first, second, shelf, nodeId, fleet, make };
}

suite("a box that was two years on the shelf", { skip, timeout: 900_000 }, () => {
  test("comes back by itself, whether its clock is right or stands where it was, and everybody has a new certificate", async (t) => {
    const { first, second, shelf, nodeId, make } = await twoYearsLater(t);
    for (const box of [first, second]) assert.ok(Math.abs(inYears(certificateOf(box)) - 2.08) < 0.03, "renewed at the start: its own was over");
    assert.ok(inYears(certificateOf(shelf)) < 0.1);
    for (const [clock, environment] of [["where it was", {}], ["right", IN_TWO_YEARS]] as const) {
      if (clock === "right") await expire(shelf);
      const back = make("shelf", [first], shelf.address, environment);
      const since = performance.now();
      back.start();
      await serving(back, 3);
      t.diagnostic(`clock ${clock}: in service ${((performance.now() - since) / 1_000).toFixed(1)} s after its start`);
      assert.equal((await back.status()).nodeId, nodeId);
      assert.ok(Math.abs(inYears(certificateOf(back)) - 2.08) < 0.03);
      assert.deepEqual(await troubles(back), []);
      await back.kill();
    }
    for (const box of [first, second, shelf]) assertNoTrace(logOf(box));
  });

  test("that was revoked meanwhile is refused, and says so, whether its clock is right or not", async (t) => {
    const { first, shelf, nodeId, fleet, make } = await twoYearsLater(t);
    assert.match(at(first, "revoke", nodeId, "--fleet", fleet.directory).stderr, /clock of the computer that signed this is \d+ minutes away/);
    const then = { encoding: "utf8", env: { ...process.env, ...IN_TWO_YEARS } } as const;
    succeed(spawnSync(join(DIST, "ringbox"), ["--data", first.dataDirectory, "revoke", nodeId, "--fleet", fleet.directory], then));
    const before = readFileSync(join(shelf.dataDirectory, "fleet.json"));
    const late = make("shelf", [first], shelf.address);
    late.start();
    await until("it says why", PATIENCE, async () => assert.match((await troubles(late)).join(), /refused it, and gave no new one: this box was revoked/));
    assert.notEqual((await late.status()).phase, "joining");
    assert.ok(inYears(certificateOf(late)) < 0.1);
    await late.kill();
    writeFileSync(join(shelf.dataDirectory, "fleet.json"), before);
    const right = make("shelf", [first], shelf.address, IN_TWO_YEARS);
    right.start();
    await until("it is told", PATIENCE, async () => assert.equal((await right.status()).phase, "revoked"));
    assert.equal((await first.status()).boxes.serving, 2);
  });

  test("gets the issuing credential that was renewed meanwhile, whether its clock is right or not, with no ticket", async (t) => {
    const { first, second, shelf, nodeId, fleet, make } = await twoYearsLater(t);
    succeed(at(first, "fleet", "rotate", "--fleet", fleet.directory));
    await until("both have it", PATIENCE, () => assert.equal(issuingOf(first), issuingOf(second)));
    const [file, before] = [join(shelf.dataDirectory, "fleet.json"), readFileSync(join(shelf.dataDirectory, "fleet.json"))];
    for (const environment of [{}, IN_TWO_YEARS]) {
      writeFileSync(file, before);
      t.diagnostic(environment === IN_TWO_YEARS ? "its clock is right" : "its clock stands where it was");
      const back = make("shelf", [first], shelf.address, environment);
      const since = performance.now();
      back.start();
      await serving(back, 3);
      await until("it has the new credential", PATIENCE, () => assert.equal(issuingOf(back), issuingOf(first)));
      t.diagnostic(`in service with it ${((performance.now() - since) / 1_000).toFixed(1)} s after its start`);
      assert.equal((await back.status()).nodeId, nodeId);
      assert.ok(Math.abs(inYears(certificateOf(back)) - 2.08) < 0.03);
      await back.kill();
      await serving(first, 2);
    }
  });

  test("is not let in by a credential that was renewed meanwhile if the fleet did not know it then, and says so", async (t) => {
    const { first, second, shelf, fleet, make } = await twoYearsLater(t);
    for (const box of [first, second]) {
      await box.kill();
      writeFileSync(join(box.dataDirectory, "boxes.json"), "[]");
    }
    for (const box of [first, second]) box.start();
    for (const box of [first, second]) await serving(box, 2);
    succeed(at(first, "fleet", "rotate", "--fleet", fleet.directory));
    const back = make("shelf", [first], shelf.address, IN_TWO_YEARS);
    back.start();
    await until("it says why", PATIENCE, async () => assert.match((await troubles(back)).join(), /a credential that the fleet has retired/));
    await serving(first, 2);
  });
});

const issuingOf = (box: BuiltBox): string => JSON.parse(readFileSync(join(box.dataDirectory, "fleet.json"), "utf8")).issuing;

/** Its certificate ended two years ago by today's calendar. */
async function expire(box: BuiltBox): Promise<void> {
  const file = join(box.dataDirectory, "fleet.json");
  const membership = parseMembership(readFileSync(file, "utf8"));
  assert.ok(membership !== undefined);
  const { enrolled, overlayName } = membership;
  const publicKey = await publicKeyOf(readFileSync(join(box.dataDirectory, "identity.key"), "utf8"));
  const certificate = await issueBoxCertificate(enrolled.issuing, { publicKey, nodeId: enrolled.nodeId, overlayName, notAfter: new Date(Date.now() - 2 * YEAR) });
  writeFileSync(file, serializeMembership({ ...membership, enrolled: { ...enrolled, certificate } }));
}
