// The certificate that browsers see.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { suite, test } from "node:test";
import { hours, wallTime } from "../../../src/base/time.ts";
import { isOutdated, makePageCertificate } from "../../../src/io/page-certificate.ts";
import { makeIssuingAuthority, makePrivateKey, makeRootAuthority } from "../../../src/io/pki.ts";

const NOW = wallTime(Date.UTC(2026, 0, 1));
const NAMES = ["amber-otter-42.local", "192.0.2.7", "2001:db8::7"];

suite("the page's certificate", () => {
  test("it is issued by the fleet's authority, for the box's names and addresses, and for no others", async () => {
    const issuing = await makeIssuingAuthority(await makeRootAuthority("acme"), "acme");
    const made = await makePageCertificate(makePrivateKey(), issuing, NAMES, NOW);
    const certificate = new X509Certificate(made.chain);
    assert.ok(certificate.verify(new X509Certificate(issuing.certificate).publicKey));
    assert.equal(certificate.checkHost("amber-otter-42.local"), "amber-otter-42.local");
    for (const address of ["192.0.2.7", "2001:db8::7"]) assert.equal(certificate.checkIP(address), address);
    assert.equal(certificate.checkHost("evil.example"), undefined);
    assert.equal(made.chain.match(/BEGIN/g)?.length, 2);
    assert.doesNotMatch(certificate.subjectAltName ?? "", /reload:/, "it is no certificate of a link");
  });

  test("a box without a fleet signs for itself, and changes when it is admitted", async () => {
    const made = await makePageCertificate(makePrivateKey(), undefined, NAMES, NOW);
    const certificate = new X509Certificate(made.chain);
    assert.ok(certificate.verify(certificate.publicKey));
    assert.equal(isOutdated(made, undefined, NAMES, NOW), false);
    const issuing = await makeIssuingAuthority(await makeRootAuthority("acme"), "acme");
    assert.equal(isOutdated(made, issuing, NAMES, NOW), true);
  });

  test("it is renewed ten days before its end, for other names, and after the clock was set back", async () => {
    const made = await makePageCertificate(makePrivateKey(), undefined, NAMES, NOW);
    const later = (days: number) => wallTime(NOW + hours(24 * days));
    assert.equal(isOutdated(made, undefined, NAMES, later(19)), false);
    assert.equal(isOutdated(made, undefined, NAMES, later(21)), true);
    assert.equal(isOutdated(made, undefined, [...NAMES, "192.0.2.8"], NOW), true);
    assert.equal(isOutdated(made, undefined, NAMES, later(-400)), true);
  });
});
