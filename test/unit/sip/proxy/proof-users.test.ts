// Proof users reach themselves and nobody else; nobody else reaches them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { proofCredentials, proofUser } from "../../../../src/sip/auth/proof-user.ts";
import { hashCrypto } from "../../../support/hash-crypto.ts";
import { DOMAIN, SipWorld } from "../../../support/sip-harness.ts";

const PROOF = proofUser("0123456789abcdef0123456789abcdef", "UDP");
const PROOF_URI = `sip:${PROOF}@${DOMAIN}`;

function world() {
  const all = new SipWorld();
  all.addUser("bob");
  all.addUser(PROOF);
  const box = all.box("10.0.0.1");
  const bob = all.phone("bob", "10.0.1.2", box);
  const prover = all.phone(PROOF, "10.0.1.3", box);
  assert.equal(bob.register().status, 200);
  assert.equal(prover.register().status, 200);
  return { bob, prover };
}

test("a proof user calls itself", () => {
  const { prover } = world();
  assert.equal(prover.ask("INVITE", PROOF_URI).status, 200);
  assert.equal(prover.requests.filter(({ method }) => method === "INVITE").length, 1);
});

test("a proof user calls no subscriber and nobody outside", () => {
  const { prover, bob } = world();
  for (const uri of [`sip:bob@${DOMAIN}`, "sip:bob@elsewhere.example"]) {
    assert.equal(prover.ask("INVITE", uri).status, 403, uri);
    assert.equal(prover.ask("MESSAGE", uri).status, 403, uri);
  }
  assert.equal(bob.requests.length, 0);
});

test("nobody calls a proof user, and nobody is another one", () => {
  const { prover, bob } = world();
  assert.equal(bob.ask("INVITE", PROOF_URI).status, 403);
  const stranger = bob.exchange(bob.request("MESSAGE", PROOF_URI, { from: "<sip:eve@elsewhere.example>" }));
  assert.equal(stranger.status, 403);
  const other = proofUser("f".repeat(32), "UDP");
  assert.equal(prover.ask("INVITE", `sip:${other}@${DOMAIN}`).status, 403);
  assert.equal(prover.requests.length, 0);
});

test("passwords follow from the fleet's secret, each user has another, and so has each fleet", () => {
  const secret = (byte: number) => new Uint8Array(32).fill(byte);
  const hashes = [
    proofCredentials(hashCrypto, secret(1), PROOF, DOMAIN), proofCredentials(hashCrypto, secret(2), PROOF, DOMAIN),
    proofCredentials(hashCrypto, secret(1), proofUser("0123456789abcdef0123456789abcdef", "TCP"), DOMAIN),
  ].map(({ ha1Sha256 }) => ha1Sha256);
  assert.equal(new Set(hashes).size, 3);
  assert.deepEqual(proofCredentials(hashCrypto, secret(1), PROOF, DOMAIN).ha1Sha256, hashes[0]);
});
