import assert from "node:assert/strict";
import { test } from "node:test";
import { wallTime } from "../../../../src/base/time.ts";
import { Gatekeeper } from "../../../../src/sip/auth/gatekeeper.ts";
import { type DigestCredentials, digestHa1, digestResponse } from "../../../../src/sip/message/digest.ts";
import type { ValidRequest } from "../../../../src/sip/message/message.ts";
import { issueNonce } from "../../../../src/sip/message/nonce.ts";
import { readMessage } from "../../../../src/sip/message/parse.ts";
import { hashCrypto } from "../../../support/hash-crypto.ts";
import { DOMAIN, settingsOf } from "../../../support/sip-harness.ts";
import { message } from "../../../support/sip-messages.ts";

const WALL = wallTime(1_700_000_000_000);
const SETTINGS = settingsOf("10.0.0.1", "0".repeat(32));
const HA1 = digestHa1(hashCrypto, "MD5", "alice", DOMAIN, "secret");
const KNOWN = { username: "alice", realm: DOMAIN, ha1Md5: HA1, ha1Sha256: "" };
const ISSUER = "000000000000";
const nonce = issueNonce(hashCrypto, SETTINGS.fleetSecret, WALL, DOMAIN, ISSUER);

const gatekeeper = () => new Gatekeeper(SETTINGS, hashCrypto, () => WALL, "0000");

function request(): ValidRequest {
  const read = readMessage(message([
    `REGISTER sip:${DOMAIN} SIP/2.0`, "Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bK1", `From: <sip:alice@${DOMAIN}>;tag=1`,
    `To: <sip:alice@${DOMAIN}>`, "Call-ID: 1", "CSeq: 1 REGISTER", "Content-Length: 0",
  ]));
  assert.ok(read.ok && read.value.type === "request");
  return read.value;
}

function credentials(nc: string | undefined, more: Partial<DigestCredentials> = {}): DigestCredentials {
  const qop = nc === undefined ? undefined : "auth";
  const parts = { username: "alice", realm: DOMAIN, nonce, uri: `sip:${DOMAIN}`, algorithm: "MD5", qop, cnonce: "1", nc, opaque: undefined, ...more } as const;
  return { ...parts, response: digestResponse(hashCrypto, parts, "REGISTER", HA1) };
}

test("each nonce count is good once, out of order within the window", () => {
  const gate = gatekeeper();
  const verdict = (nc: string) => gate.verify(request(), credentials(nc), KNOWN);
  assert.equal(verdict("00000005"), "right");
  assert.equal(verdict("00000003"), "right");
  assert.equal(verdict("00000003"), "replayed");
  assert.equal(verdict("00000005"), "replayed");
  assert.equal(verdict("00000100"), "right");
  assert.equal(verdict("000000f0"), "right");
  assert.equal(verdict("00000006"), "replayed");
});

test("without a nonce count a nonce is good once", () => {
  const gate = gatekeeper();
  assert.equal(gate.verify(request(), credentials(undefined), KNOWN), "right");
  assert.equal(gate.verify(request(), credentials(undefined), KNOWN), "replayed");
});

test("a wrong response uses no count up, and nobody is as wrong as somebody", () => {
  const gate = gatekeeper();
  assert.equal(gate.verify(request(), { ...credentials("00000001"), response: "0".repeat(32) }, KNOWN), "wrong");
  assert.equal(gate.verify(request(), credentials("00000001"), undefined), "wrong");
  assert.equal(gate.verify(request(), credentials("00000001"), KNOWN), "right");
});

test("credentials of another realm, another qop or with a nonce that is not ours are not looked at", () => {
  const gate = gatekeeper();
  const isChallenged = (more: Partial<DigestCredentials>) => gate.inspect([credentials("00000001", more)]).type === "challenge";
  assert.ok(isChallenged({ realm: "elsewhere" }));
  assert.ok(isChallenged({ qop: "auth-int" }));
  assert.ok(isChallenged({ nonce: "0".repeat(44) }));
  assert.equal(gate.inspect([credentials("00000001", { realm: "elsewhere" }), credentials("00000001")]).type, "credentials");
});

test("a nonce of the former secret is good for the rest of its life, and one of a stranger's never", () => {
  let wall = WALL;
  const gate = new Gatekeeper(SETTINGS, hashCrypto, () => wall, "0000");
  gate.setSecret(new Uint8Array(32).fill(9));
  assert.equal(gate.inspect([credentials("00000001")]).type, "credentials");
  const foreign = issueNonce(hashCrypto, new Uint8Array(32).fill(8), WALL, DOMAIN, ISSUER);
  assert.deepEqual(gate.inspect([credentials("00000001", { nonce: foreign })]), { type: "challenge", stale: false });
  wall = wallTime(WALL + 1_801_000);
  assert.equal(gate.inspect([credentials("00000001")]).type, "challenge");
});

test("a nonce of another box, or of this box before it was started, is stale: nobody here knows what was used of it", () => {
  const elsewhere = new Gatekeeper({ ...SETTINGS, nodeId: "1".repeat(32) }, hashCrypto, () => WALL, "0000");
  assert.deepEqual(elsewhere.inspect([credentials("00000002")]), { type: "challenge", stale: true });
  const restarted = new Gatekeeper(SETTINGS, hashCrypto, () => WALL, "0001");
  assert.deepEqual(restarted.inspect([credentials("00000002")]), { type: "challenge", stale: true });
});

test("a nonce whose counts had to be forgotten is good no more, and newer ones are", () => {
  const gate = new Gatekeeper(SETTINGS, hashCrypto, () => WALL, "0000", 2);
  const at = (ms: number) => credentials("00000001", { nonce: issueNonce(hashCrypto, SETTINGS.fleetSecret, wallTime(WALL + ms), DOMAIN, ISSUER) });
  for (const ms of [0, 1, 2]) assert.equal(gate.verify(request(), at(ms), KNOWN), "right");
  assert.equal(gate.verify(request(), at(0), KNOWN), "replayed");
  assert.equal(gate.verify(request(), at(3), KNOWN), "right");
});
