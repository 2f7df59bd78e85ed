import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, sign, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { type WallTime, wallTime } from "../../../src/base/time.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { NodeCrypto } from "../../../src/io/crypto.ts";
import {
  certificatePem, checkCertificateRequest, type Credential, fingerprint, fleetSecret, issueBoxCertificate, makeCertificateRequest,
  makeIssuingAuthority, makePrivateKey, makeRootAuthority, publicKeyOf,
} from "../../../src/io/pki.ts";
import { SystemRandom } from "../../../src/io/random.ts";
import { CertificateTrust, nodeIdIn } from "../../../src/io/trust.ts";
import type { NodeId } from "../../../src/overlay/ports.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const OVERLAY = "ours.ringbox.internal";
const NODE_ID = "0123456789abcdef0123456789abcdef" as NodeId;

describe("certificates of a fleet", { timeout: 300_000 }, () => {
  let root: Credential;
  let issuing: Credential;
  let key: string;
  let certificate: Uint8Array;
  before(async () => {
    root = await makeRootAuthority("Ours");
    issuing = await makeIssuingAuthority(root, "Ours");
    key = makePrivateKey();
    certificate = await issueBoxCertificate(issuing, { publicKey: await publicKeyOf(key), nodeId: NODE_ID, overlayName: OVERLAY });
  });
  const trust = (change: { root?: Uint8Array; issuing?: Uint8Array[]; overlayName?: string; wall?: WallTime } = {}): CertificateTrust =>
    new CertificateTrust({
      root: change.root ?? root.certificate, issuing: change.issuing ?? [issuing.certificate],
      overlayName: change.overlayName ?? OVERLAY, wall: () => change.wall ?? systemClock.wall(),
    });

  test("chain to the root by OpenSSL's own strict check", (t) => {
    const directory = temporaryDirectory(t);
    for (const [name, der] of [["root", root.certificate], ["issuing", issuing.certificate], ["box", certificate]] as const) {
      writeFileSync(join(directory, name), certificatePem(der));
    }
    const checked = execFileSync("openssl", ["verify", "-x509_strict", "-CAfile", "root", "-untrusted", "issuing", "box"], { cwd: directory });
    assert.equal(checked.toString().trim(), "box: OK");
  });

  test("of a box have an empty subject, a critical name with its Node-ID, begin in 1970 and end with the root", () => {
    const box = new X509Certificate(certificate);
    assert.ok(!box.subject);
    assert.equal(box.subjectAltName, `URI:reload://0110${NODE_ID}@${OVERLAY}/, email:${NODE_ID}@${OVERLAY}`);
    assert.equal(box.validFromDate.getTime(), 0);
    assert.equal(box.validTo, new X509Certificate(root.certificate).validTo);
    const years = (box.validToDate.getTime() - Date.now()) / (365.25 * 86_400_000);
    assert.ok(years > 19 && years < 21);
  });

  test("are believed by their fleet, at any time from 1970 to their end", () => {
    const nodeIdOf = (verdict: ReturnType<CertificateTrust["inspect"]>): string => ("nodeId" in verdict ? verdict.nodeId : verdict.refused);
    assert.equal(nodeIdOf(trust().inspect(certificate)), NODE_ID);
    assert.equal(nodeIdOf(trust({ wall: wallTime(0) }).inspect(certificate)), NODE_ID);
    const late = trust({ wall: wallTime(Date.UTC(2099, 0)) }).inspect(certificate);
    assert.match("refused" in late ? late.refused : "", /^its certificate expired on 20\d\d-/);
  });

  test("of another fleet, another overlay, an authority, or no certificate at all are not believed", async () => {
    const refusal = (verdict: ReturnType<CertificateTrust["inspect"]>): string => ("refused" in verdict ? verdict.refused : "believed");
    const other = await makeRootAuthority("Ours");
    const otherIssuing = await makeIssuingAuthority(other, "Ours");
    const publicKey = await publicKeyOf(key);
    const twin = await issueBoxCertificate(otherIssuing, { publicKey, nodeId: NODE_ID, overlayName: OVERLAY });
    assert.equal(refusal(trust().inspect(twin)), "its certificate is not of this fleet");
    assert.equal(refusal(trust({ issuing: [otherIssuing.certificate] }).inspect(twin)), "its certificate is not of this fleet", "the root did not sign its issuer");
    assert.equal(refusal(trust({ overlayName: "theirs" }).inspect(certificate)), "its certificate does not name exactly one Node-ID of this overlay");
    assert.equal(refusal(trust().inspect(issuing.certificate)), "its certificate is not of this fleet");
    assert.equal(refusal(trust().inspect(root.certificate)), "its certificate is not of this fleet");
    assert.equal(refusal(trust().inspect(new Uint8Array(0))), "its certificate cannot be read");
    assert.equal(refusal(trust().inspect(certificate.slice(0, -5))), "its certificate cannot be read");
    // A box that signs for another: its own certificate is no authority.
    const pretended = await issueBoxCertificate({ certificate: issuing.certificate, privateKeyPem: key }, { publicKey, nodeId: NODE_ID, overlayName: OVERLAY });
    assert.equal(refusal(trust().inspect(pretended)), "its certificate is not of this fleet");
  });

  test("are not believed with any byte changed", () => {
    const believing = trust();
    for (let at = 0; at < certificate.length; at += 3) {
      const changed = certificate.slice();
      changed[at] = (changed[at] as number) ^ 1;
      assert.ok("refused" in believing.inspect(changed), `byte ${at}`);
    }
  });

  test("name one Node-ID in the one form, and nothing else", () => {
    const uri = `URI:reload://0110${NODE_ID}@${OVERLAY}/`;
    const mail = `email:x@${OVERLAY}`;
    assert.equal(nodeIdIn(`${uri}, ${mail}`, OVERLAY), NODE_ID);
    for (const names of [
      uri, mail, "", `${uri}, ${uri}, ${mail}`, `${uri}, ${mail}, ${mail}`, `${uri}, DNS:x, ${mail}`, `${uri}, ${mail}, IP Address:1.2.3.4`,
      `${uri.replace("0110", "0111")}, ${mail}`, `${uri.replace("@", "ff@")}, ${mail}`, `${uri}x, ${mail}`, `${uri.toUpperCase()}, ${mail}`,
      `${uri.replace("abcdef", "ABCDEF")}, ${mail}`, `URI:"reload://0110${NODE_ID}@${OVERLAY}/\\u0000", ${mail}`,
    ]) assert.equal(nodeIdIn(names, OVERLAY), undefined, names);
  });

  test("are asked for with a request that is signed by its own P-256 key", async () => {
    const request = await makeCertificateRequest(key);
    const checked = await checkCertificateRequest(request);
    assert.deepEqual(checked, { ok: true, value: await publicKeyOf(key) });
    for (let at = 0; at < request.length; at += 7) {
      const changed = request.slice();
      changed[at] = (changed[at] as number) ^ 1;
      const verdict = await checkCertificateRequest(changed);
      // What the signature does not cover may change; the key never.
      assert.ok(!verdict.ok || (checked.ok && Buffer.from(verdict.value).equals(checked.value)), `byte ${at}`);
    }
    assert.equal((await checkCertificateRequest(certificate)).ok, false);
  });

  test("give every box of the fleet one secret, and no other fleet the same", () => {
    const again = createPrivateKey(issuing.privateKeyPem).export({ type: "sec1", format: "pem" }).toString();
    assert.equal(fleetSecret(issuing.privateKeyPem).length, 32);
    assert.deepEqual(fleetSecret(again), fleetSecret(issuing.privateKeyPem));
    assert.notDeepEqual(fleetSecret(root.privateKeyPem), fleetSecret(issuing.privateKeyPem));
  });

  test("have fingerprints as OpenSSL prints them", () => {
    assert.equal(fingerprint(certificate), new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase());
  });

  test("verify what their key signed, and only that", () => {
    const crypto = new NodeCrypto(key);
    const bytes = new TextEncoder().encode("message");
    const signature = crypto.sign(bytes);
    assert.ok(crypto.verify(certificate, bytes, signature));
    assert.ok(crypto.verify(certificate, bytes, sign("sha256", bytes, createPrivateKey(key))));
    assert.ok(!crypto.verify(certificate, bytes.slice(1), signature));
    assert.ok(!crypto.verify(issuing.certificate, bytes, signature));
    assert.ok(!crypto.verify(certificate, bytes, new Uint8Array(5)));
    assert.ok(!crypto.verify(new Uint8Array(9), bytes, signature));
    assert.equal(createPublicKey(key).asymmetricKeyType, "ec");
  });
});

test("digests of octet strings are those of their bytes", () => {
  const crypto = new NodeCrypto(undefined);
  assert.equal(crypto.md5Hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  assert.equal(crypto.sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(Buffer.from(crypto.sha1(Buffer.from("abc"))).toString("hex"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assert.equal(crypto.sha256Hex("\xff"), Buffer.from(crypto.sha256(Uint8Array.of(255))).toString("hex"));
  assert.equal(crypto.hmacSha256Hex(Buffer.from("key"), "The quick brown fox jumps over the lazy dog"), "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
});

test("luck is spread evenly and stays within its bounds", () => {
  const random = new SystemRandom();
  const counts = [0, 0, 0];
  for (let i = 0; i < 30_000; i++) {
    const drawn = random.below(3);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 9_000 && count < 11_000, counts.join());
  for (let i = 0; i < 30_000; i++) {
    const fraction = random.fraction();
    assert.ok(fraction >= 0 && fraction < 1);
  }
  assert.equal(random.bytes(5_000).length, 5_000);
  const first = random.bytes(16);
  random.bytes(8_192);
  for (let i = 0; i < 500; i++) random.bytes(16);
  assert.equal(first.buffer.byteLength, 16, "not a view of the pool, which is written anew");
  assert.equal(random.below(1), 0);
});
