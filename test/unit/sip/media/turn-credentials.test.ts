import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { suite, test } from "node:test";
import { fromOctets, toHex } from "../../../../src/base/bytes.ts";
import { NodeCrypto } from "../../../../src/io/crypto.ts";
import type { SipSettings, TransportName } from "../../../../src/sip/ports.ts";
import { SipWorld } from "../../../support/sip-harness.ts";

const TURN = { server: "192.0.2.7:3478", secret: "between both" };
const FIELD = /^<turn:192\.0\.2\.7:3478>;username="(\d+):alice@example\.test";credential="([^"]+)";ttl=14400$/;

/** The field in the answer to a REGISTER that came so. */
function told(transport: TransportName, more: Partial<SipSettings> = { turn: TURN }): string | undefined {
  const world = new SipWorld();
  world.addUser("alice");
  const response = world.phone("alice", "10.0.1.1", world.box("10.0.0.1", more), transport).register();
  assert.equal(response.status, 200);
  return response.header("ringbox-turn");
}

suite("credentials for a TURN server", () => {
  for (const transport of ["tls", "wss"] as const) {
    test(`come with the answer to a REGISTER over ${transport}, as the server will reckon them`, () => {
      const [, until = "", credential = ""] = FIELD.exec(told(transport) ?? "") ?? [];
      assert.equal(credential, createHmac("sha1", TURN.secret).update(`${until}:alice@example.test`).digest("base64"));
      const date = 1_767_225_600;
      assert.ok(Number(until) >= date + 4 * 3_600 && Number(until) < date + 4 * 3_600 + 60, until);
    });
  }

  test("never cross the network in the clear", () => {
    for (const transport of ["udp", "tcp", "ws"] as const) assert.equal(told(transport), undefined, transport);
  });

  test("are for nobody who did not prove himself, and there are none without a server", () => {
    assert.equal(told("wss", { turn: TURN, registration: "open" }), undefined);
    assert.equal(told("wss", {}), undefined);
  });

  test("are signed by HMAC-SHA1 (RFC 2202, test case 2)", () => {
    const digest = new NodeCrypto(undefined).hmacSha1(fromOctets("Jefe"), fromOctets("what do ya want for nothing?"));
    assert.equal(toHex(digest), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  });
});
