// A box's certificate lives for thirty days and is renewed at a third of that: by a clock that the test turns.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { before, describe, test } from "node:test";
import { type WallTime, wallTime } from "../../../src/base/time.ts";
import { CertificateTime } from "../../../src/io/certificate-time.ts";
import { type CertificateState, CredentialKeeper } from "../../../src/io/credential.ts";
import type { FleetMembership } from "../../../src/io/identity-files.ts";
import { certificateEnd, isKeyOf, issueBoxCertificate, publicKeyOf } from "../../../src/io/pki.ts";
import { SystemRandom } from "../../../src/io/random.ts";
import { CertificateTrust } from "../../../src/io/trust.ts";
import { CLOCK_FLOOR } from "../../../src/overlay/storage/clock.ts";
import { makeBox, makeFleet, nodeIdOf, type TestBox, type TestFleet } from "../../support/test-fleet.ts";

const DAY = 86_400_000;
const START = wallTime(Date.now());
const endOf = (der: Uint8Array): number => new X509Certificate(der).validToDate.getTime();
const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 60_000, `${new Date(a).toISOString()}, not ${new Date(b).toISOString()}`);

describe("the certificate of a box", () => {
  let fleet: TestFleet;
  let box: TestBox;
  before(async () => {
    fleet = await makeFleet("Ours");
    box = await makeBox(fleet);
  });

  const keeper = (wishes: { readonly notAfter?: Date; readonly isAgreed?: boolean } = {}) => {
    const { fleetName, overlayName, domain, rootCertificate } = fleet.ticket;
    const clock = { at: START, isAgreed: wishes.isAgreed ?? true, disk: true };
    const states: CertificateState[] = [];
    const renewals: FleetMembership[] = [];
    const time = new CertificateTime({ remembered: undefined, wall: () => clock.at, agreed: () => (clock.isAgreed ? clock.at : undefined) });
    const make = async (): Promise<CredentialKeeper> => {
      const { issuing, nodeId } = box.enrolled;
      const certificate = wishes.notAfter === undefined ? box.enrolled.certificate
        : await issueBoxCertificate(issuing, { publicKey: await publicKeyOf(box.privateKeyPem), nodeId, overlayName, notAfter: wishes.notAfter });
      return new CredentialKeeper({
        membership: { fleetName, overlayName, domain, zone: "", rootCertificate, enrolled: { ...box.enrolled, certificate } },
        privateKeyPem: box.privateKeyPem, trust: box.trust, time, random: new SystemRandom(),
        members: () => [], configuration: () => undefined, isOut: () => false,
        onRenewed: (membership) => {
          renewals.push(membership);
          return clock.disk;
        },
        onState: (state) => states.push(state), onReport: () => {},
      });
    };
    return { clock, states, renewals, make };
  };

  test("lives for thirty days, or as long as its authority", () => {
    near(endOf(box.enrolled.certificate), START + 30 * DAY);
    const authority = endOf(fleet.ticket.issuingCertificate);
    assert.equal(certificateEnd(box.enrolled.issuing, wallTime(authority - DAY)).getTime(), authority);
  });

  test("is renewed at a third of its life, for the same key and Node-ID, again and again for two years", async (t) => {
    const { clock, renewals, states, make } = keeper();
    const kept = await make();
    t.after(() => kept.close());
    let least = 30;
    for (let day = 0; day < 730; day++) {
      clock.at = wallTime(START + day * DAY);
      const left = (endOf(kept.membership.enrolled.certificate) - clock.at) / DAY;
      const before = renewals.length;
      await kept.start();
      assert.equal(renewals.length > before, left < 9 || (left < 11 && renewals.length > before), `${left} days left`);
      least = Math.min(least, (endOf(kept.membership.enrolled.certificate) - clock.at) / DAY);
    }
    assert.ok(least >= 9, `${least} days`);
    assert.ok(renewals.length >= 33 && renewals.length <= 40, `${renewals.length} renewals`);
    t.diagnostic(`${renewals.length} renewals in two years, never less than ${least.toFixed(1)} days left`);
    const { nodeId, certificate } = kept.membership.enrolled;
    assert.equal(nodeId, box.enrolled.nodeId);
    assert.ok(isKeyOf(box.privateKeyPem, certificate));
    const trust = new CertificateTrust({
      root: fleet.ticket.rootCertificate, issuing: [fleet.ticket.issuingCertificate], overlayName: fleet.ticket.overlayName, wall: () => clock.at,
    });
    assert.equal(nodeIdOf(trust.inspect(certificate)), nodeId);
    assert.match(JSON.stringify(trust.inspect(box.enrolled.certificate)), /expired/);
    assert.equal(nodeIdOf(trust.inspect(box.enrolled.certificate, "author")), nodeId, "what was signed with it then stays signed");
    assert.equal(nodeIdOf(trust.inspect(box.enrolled.certificate, "returning")), nodeId);
    assert.deepEqual(states.at(-1), { endsAt: endOf(certificate), trouble: undefined });
  });

  test("that ended two years ago is renewed before the box shows it", async (t) => {
    const { renewals, make } = keeper({ notAfter: new Date(START - 730 * DAY), isAgreed: false });
    const kept = await make();
    t.after(() => kept.close());
    await kept.start();
    assert.equal(renewals.length, 1);
    near(endOf(kept.membership.enrolled.certificate), START + 30 * DAY);
  });

  test("of a wrong clock, which ends in ten years, is replaced once the time is agreed on, and not before", async (t) => {
    const { clock, renewals, make } = keeper({ notAfter: new Date(START + 3_650 * DAY), isAgreed: false });
    const kept = await make();
    t.after(() => kept.close());
    await kept.start();
    assert.equal(renewals.length, 0);
    clock.isAgreed = true;
    await kept.start();
    near(endOf(kept.membership.enrolled.certificate), START + 30 * DAY);
  });

  test("that cannot be written to disk is in force, is told of, and is tried again until it is there", async (t) => {
    const { clock, renewals, states, make } = keeper({ notAfter: new Date(START + DAY) });
    const kept = await make();
    t.after(() => kept.close());
    clock.disk = false;
    await kept.start();
    near(endOf(kept.membership.enrolled.certificate), START + 30 * DAY);
    assert.match(states.at(-1)?.trouble ?? "", /could not be written/);
    clock.disk = true;
    await kept.start();
    assert.equal(states.at(-1)?.trouble, undefined);
    assert.equal(renewals.length, 2);
    assert.equal(renewals[0], renewals[1]);
  });

  test("whose issuing key is damaged is told of, and the one there is stays", async (t) => {
    const { make, states, renewals } = keeper({ notAfter: new Date(START + DAY) });
    const sound = await make();
    const broken = { ...sound.membership.enrolled.issuing, privateKeyPem: "no key" };
    const kept = new CredentialKeeper({
      membership: { ...sound.membership, enrolled: { ...sound.membership.enrolled, issuing: broken } }, privateKeyPem: box.privateKeyPem, trust: box.trust,
      time: { agreed: START, making: () => START }, random: new SystemRandom(), members: () => [], configuration: () => undefined, isOut: () => false,
      onRenewed: () => true, onState: (state) => states.push(state), onReport: () => {},
    });
    t.after(() => kept.close());
    await kept.start();
    assert.match(states.at(-1)?.trouble ?? "", /could not make a new one/);
    assert.equal(renewals.length, 0);
  });
});

describe("the time that certificates are judged by", () => {
  const at = (remembered: number | undefined, wall: number) => {
    const now: { agreed: WallTime | undefined; wall: number } = { agreed: undefined, wall };
    return { now, time: new CertificateTime({ remembered: remembered === undefined ? undefined : wallTime(remembered), wall: () => wallTime(now.wall), agreed: () => now.agreed }) };
  };

  test("is a lower bound while nobody has confirmed this box's clock, whether that is in 1970 or in 2036", () => {
    for (const wall of [0, START, START + 3_650 * DAY]) {
      assert.equal(at(undefined, wall).time.judging(), CLOCK_FLOOR);
      assert.equal(at(START - DAY, wall).time.judging(), START - DAY);
    }
  });

  test("is this box's own clock if what was agreed on once is later: boxes that were in 2099 must find back", () => {
    assert.equal(at(START + 73 * 365 * DAY, START).time.judging(), START);
    assert.equal(at(START + 73 * 365 * DAY, 0).time.judging(), START + 73 * 365 * DAY, "a clock that was never set says nothing");
  });

  test("is what the boxes agree on as soon as they do, and from then on never earlier when this box is alone again", () => {
    const { now, time } = at(undefined, 0);
    now.agreed = START;
    assert.equal(time.judging(), START);
    assert.equal(time.making(), START);
    now.agreed = undefined;
    assert.equal(time.judging(), START);
    assert.equal(time.making(), START);
  });

  test("never lets a certificate be made that has ended already: a clock in 1970 makes none that ended in 1970", () => {
    assert.equal(at(undefined, 0).time.making(), CLOCK_FLOOR);
    assert.equal(at(START, 0).time.making(), START);
    assert.equal(at(START, START + DAY).time.making(), START + DAY);
  });
});
