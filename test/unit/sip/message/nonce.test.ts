import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds, wallAfter, wallTime } from "../../../../src/base/time.ts";
import { checkNonce, issueNonce } from "../../../../src/sip/message/nonce.ts";
import { nodeCrypto } from "../../../support/node-crypto.ts";

const crypto = nodeCrypto();
const SECRET = new Uint8Array(32).fill(7);
const NOW = wallTime(1_800_000_000_000);
const LIFETIME = seconds(300);
const BOX = "0123456789ab";
const nonce = issueNonce(crypto, SECRET, NOW, "example.test", BOX);

test("a nonce is good at the box that issued it while it is young, and stale at every other", () => {
  assert.equal(checkNonce(crypto, SECRET.slice(), wallAfter(NOW, LIFETIME), "example.test", BOX, nonce, LIFETIME), "good");
  assert.equal(checkNonce(crypto, SECRET.slice(), NOW, "example.test", "ba9876543210", nonce, LIFETIME), "stale");
});

test("a nonce older than its lifetime is stale", () => {
  assert.equal(checkNonce(crypto, SECRET, wallAfter(NOW, seconds(301)), "example.test", BOX, nonce, LIFETIME), "stale");
});

test("a nonce from a box whose clock is far ahead is stale", () => {
  assert.equal(checkNonce(crypto, SECRET, wallAfter(NOW, seconds(-301)), "example.test", BOX, nonce, LIFETIME), "stale");
});

test("a nonce of another secret, another realm, or changed anywhere is foreign", () => {
  const check = (secret: Uint8Array, purpose: string, text: string): string => checkNonce(crypto, secret, NOW, purpose, BOX, text, LIFETIME);
  assert.equal(check(new Uint8Array(32), "example.test", nonce), "foreign");
  assert.equal(check(SECRET, "other.test", nonce), "foreign");
  for (let i = 0; i < nonce.length; i++) {
    const changed = nonce.slice(0, i) + (nonce.charAt(i) === "0" ? "1" : "0") + nonce.slice(i + 1);
    assert.equal(check(SECRET, "example.test", changed), "foreign");
  }
  for (const text of ["", "0", `${nonce}0`]) assert.equal(check(SECRET, "example.test", text), "foreign");
});
