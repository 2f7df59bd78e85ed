// Who is not of the fleet does not get in, and both sides say why.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { seconds, wallTime } from "../../../src/base/time.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import { requestEnrollment } from "../../../src/io/enrollment.ts";
import { makePrivateKey } from "../../../src/io/pki.ts";
import { type AdmissionTicket, parseTicket } from "../../../src/provision/ticket.ts";
import {
  assertNoTrace, type BuiltBox, joinTicket, logOf, makeBox, makeFleet, OVERLAY_PORT, serving, servingBox, skipWithoutBox,
} from "../../support/built-ring.ts";
import { PATIENCE, until } from "../../lab/until.ts";

/** A ticket as a box reads it whose clock was never set. */
function readTicket(file: string): AdmissionTicket {
  const parsed = parseTicket(readFileSync(file, "utf8"), { crypto: new NodeCrypto(undefined), wall: wallTime(0) });
  assert.ok(parsed.ok);
  return parsed.value;
}

const enroll = (box: BuiltBox, ticket: AdmissionTicket) =>
  requestEnrollment({ address: { host: box.address, port: OVERLAY_PORT }, ticket, privateKeyPem: makePrivateKey() });

const says = (box: BuiltBox, what: RegExp): Promise<unknown> => until(`${box.name} says ${what}`, PATIENCE, () => assert.match(logOf(box), what));

suite("strangers", { skip: skipWithoutBox, timeout: 900_000 }, () => {
  test("a box with a join ticket of another fleet's key does not get in, and both sides say why", async (t) => {
    const { box, directory } = await servingBox(t);
    const other = makeFleet(directory, "other");
    const stranger = makeBox(t, directory, { name: "stranger", ticket: joinTicket(other), hints: [box] });
    stranger.start();
    await says(stranger, /not believed: its certificate is not of this fleet/);
    await says(box, /left without asking.*another fleet/);
    const { boxes, counters } = await box.status();
    assert.equal(boxes.known, 1);
    t.diagnostic(JSON.stringify(counters));
    assert.ok(stranger.isRunning, "it looks on for its own fleet");
    for (const side of [box, stranger]) assertNoTrace(logOf(side));
  });

  test("a token of another fleet's key in a ticket of this fleet is refused, and both sides say why", async (t) => {
    const { box, fleet, directory } = await servingBox(t);
    const forged = { ...readTicket(joinTicket(fleet)), token: readTicket(joinTicket(makeFleet(directory, "other"))).token };
    const answer = await enroll(box, forged);
    assert.equal(answer.outcome, "declined");
    assert.match("reason" in answer ? answer.reason : "", /ticket/);
    await says(box, /^warning: refused to enroll the box at 127\.0\.0\.1: .*ticket/m);
    assert.equal((await box.status()).boxes.known, 1);
    assert.equal((await box.status()).counters["enrollment-refused"], 1);
  });

  test("an expired ticket is refused by the member too, and both sides say why", async (t) => {
    const { box, fleet } = await servingBox(t);
    const answer = await enroll(box, readTicket(joinTicket(fleet, seconds(-5))));
    assert.equal(answer.outcome, "declined");
    assert.match("reason" in answer ? answer.reason : "", /expired/);
    await says(box, /^warning: refused to enroll the box at 127\.0\.0\.1: .*expired/m);
    assert.equal((await box.status()).boxes.known, 1);
  });

  test("two fleets on one host that know each other's addresses do not join, and both say why", async (t) => {
    const { box: ours, directory } = await servingBox(t);
    const other = makeFleet(directory, "other");
    const theirs = makeBox(t, directory, { name: "theirs", ticket: other.ticket });
    theirs.start();
    await serving(theirs);
    await theirs.kill("SIGTERM");
    const again = makeBox(t, directory, { name: "theirs", ticket: other.ticket, address: theirs.address, hints: [ours] });
    again.start();
    await says(ours, /link with 127\.0\.0\.1 refused: its certificate is not of this fleet/);
    await says(again, /certificate is not of this fleet/);
    await serving(again, 1);
    await serving(ours, 1);
    for (const side of [ours, again]) assert.equal((await side.status()).boxes.known, 1);
  });
});
